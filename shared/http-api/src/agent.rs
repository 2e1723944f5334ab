//! The client's `User-Agent`.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::{header::USER_AGENT, request::Parts};

use domain::UserAgent;

/// The displayable part of the first `User-Agent` header, if any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientAgent(pub Option<UserAgent>);

impl<S: Send + Sync> FromRequestParts<S> for ClientAgent {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let value = parts.headers.get(USER_AGENT);
        Ok(Self(value.and_then(|value| UserAgent::from_header(value.as_bytes()))))
    }
}

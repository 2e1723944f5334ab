//! With which program a request is sent.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::{header::USER_AGENT, request::Parts};

use domain::UserAgent;

/// What the request's `User-Agent` says that is fit to show; of several the first counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientAgent(pub Option<UserAgent>);

impl<S: Send + Sync> FromRequestParts<S> for ClientAgent {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let value = parts.headers.get(USER_AGENT);
        Ok(Self(value.and_then(|value| UserAgent::from_header(value.as_bytes()))))
    }
}

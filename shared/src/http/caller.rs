//! Who sends a request.

use axum::extract::{FromRef, FromRequestParts};
use http::{header::AUTHORIZATION, request::Parts};

use super::{observe::RequestContext, problem::Problem};
use crate::{
    domain::{Clock, UserId},
    service::{ServiceError, liveness::Liveness, tokens::AccessTokens},
};

/// What knows who sends a request, and whether they still have an account.
#[derive(Debug, Clone)]
pub struct Authentication {
    /// The reader of access tokens.
    pub tokens: AccessTokens,
    /// Says whether the token's user still has an account.
    pub liveness: Liveness,
    /// By which a token has expired.
    pub clock: Clock,
}

/// The user whose access token the request carries, and who has an account. As an argument of a handler it comes first: 401 goes before every
/// other complaint about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller(pub UserId);

impl<S> FromRequestParts<S> for Caller
where
    Authentication: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Authentication { tokens, liveness, clock } = Authentication::from_ref(state);
        let bearer = bearer(parts).ok_or(Problem::Unauthenticated("Send Authorization: Bearer <access token>."))?;
        let now = clock.now();
        let user = tokens.authenticate(bearer, now).await?;
        if !liveness.is_live(user, now).await? {
            return Err(ServiceError::Unauthenticated.into());
        }
        if let Some(context) = parts.extensions.get::<RequestContext>() {
            context.set_user(user);
        }
        Ok(Self(user))
    }
}

/// The token of the one `Authorization` header; the scheme's name is in any case (RFC 9110, section 11.1).
fn bearer(parts: &Parts) -> Option<&str> {
    let mut headers = parts.headers.get_all(AUTHORIZATION).iter();
    let (Some(header), None) = (headers.next(), headers.next()) else { return None };
    let (scheme, token) = header.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim_matches(' '))
}

//! The authenticated user of a request.

use axum::extract::{FromRef, FromRequestParts};
use http::{header::AUTHORIZATION, request::Parts};

use super::{observe::RequestContext, problem::Problem};
use domain::{Clock, SessionId, Timestamp, UserId};
use service::{ServiceError, Services, liveness::Liveness, tokens::AccessTokens};

/// The dependencies of [`Caller`]: they verify access tokens and the accounts of their users.
#[derive(Debug, Clone)]
pub struct Authentication {
    /// Verifies access tokens.
    pub tokens: AccessTokens,
    /// Tells whether the token's user still has an account.
    pub liveness: Liveness,
    /// The clock by which tokens expire.
    pub clock: Clock,
}

impl Authentication {
    /// The authentication of these services' users: an account that the services delete is dead here at once.
    pub fn of(services: &Services) -> Self {
        Self {
            tokens: services.accounts.access_tokens().clone(),
            liveness: services.accounts.liveness().clone(),
            clock: services.clock.clone(),
        }
    }
}

/// The user of the request's access token, whose account exists. A handler takes it as its first argument: 401 has
/// precedence over every other error.
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

/// The caller and the expiry of the access token, for long-lived answers. Taken first, like [`Caller`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallerUntil {
    /// The caller's user id.
    pub user: UserId,
    /// When the access token expires.
    pub expires_at: Timestamp,
}

impl<S> FromRequestParts<S> for CallerUntil
where
    Authentication: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Caller(user) = Caller::from_request_parts(parts, state).await?;
        let tokens = Authentication::from_ref(state).tokens;
        let expires_at = bearer(parts).and_then(|token| tokens.expiry_of(token));
        // Always present: the token has just been verified.
        let expires_at = expires_at.ok_or(Problem::Internal { cause: None })?;
        Ok(Self { user, expires_at })
    }
}

/// The caller and the session of the access token. Taken first, like [`Caller`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallerSession {
    /// The caller's user id.
    pub user: UserId,
    /// The session; `None` for tokens of earlier versions, which name none.
    pub session: Option<SessionId>,
}

impl<S> FromRequestParts<S> for CallerSession
where
    Authentication: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Caller(user) = Caller::from_request_parts(parts, state).await?;
        let tokens = Authentication::from_ref(state).tokens;
        Ok(Self { user, session: bearer(parts).and_then(|token| tokens.session_of(token)) })
    }
}

/// The token of the only `Authorization` header; the scheme is case-insensitive (RFC 9110, section 11.1).
fn bearer(parts: &Parts) -> Option<&str> {
    let mut headers = parts.headers.get_all(AUTHORIZATION).iter();
    let (Some(header), None) = (headers.next(), headers.next()) else { return None };
    let (scheme, token) = header.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim_matches(' '))
}

//! Who sends a request.

use axum::extract::{FromRef, FromRequestParts};
use http::{header::AUTHORIZATION, request::Parts};

use super::{observe::RequestContext, problem::Problem};
use domain::{Clock, SessionId, Timestamp, UserId};
use service::{ServiceError, Services, liveness::Liveness, tokens::AccessTokens};

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

/// The caller, and until when the access token is good: for an answer that goes on for long. Comes first, like
/// [`Caller`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallerUntil {
    /// Whose token it is.
    pub user: UserId,
    /// When its time is over.
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
        // Always there: the token has just been read.
        let expires_at = expires_at.ok_or(Problem::Internal { cause: None })?;
        Ok(Self { user, expires_at })
    }
}

/// The caller, and the session that the access token was issued to. Comes first, like [`Caller`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallerSession {
    /// Whose token it is.
    pub user: UserId,
    /// The session, if the token names one: those issued by earlier versions do not.
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

/// The token of the one `Authorization` header; the scheme's name is in any case (RFC 9110, section 11.1).
fn bearer(parts: &Parts) -> Option<&str> {
    let mut headers = parts.headers.get_all(AUTHORIZATION).iter();
    let (Some(header), None) = (headers.next(), headers.next()) else { return None };
    let (scheme, token) = header.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim_matches(' '))
}

//! The tokens of a new or refreshed session.

use domain::limits;
use http_api::responses::{ProfileShape, Shown};
use serde::Serialize;
use service::{
    accounts::{LoggedIn, TokenPair},
    media::urls::MediaUrls,
};
use utoipa::ToSchema;

/// Tokens that let their holder act for a user.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokensResponse {
    /// Token for the header `Authorization: Bearer`.
    pub access_token: String,
    /// Single-use token for the next pair.
    #[schema(pattern = "^[A-Za-z0-9_-]{43}$")]
    pub refresh_token: String,
    /// Always `Bearer`.
    #[schema(pattern = "^Bearer$", example = "Bearer")]
    pub token_type: &'static str,
    /// Lifetime of the access token, in seconds.
    #[schema(example = 900)]
    pub expires_in: u64,
}

impl From<TokenPair> for TokensResponse {
    fn from(tokens: TokenPair) -> Self {
        Self {
            access_token: tokens.access_token,
            refresh_token: tokens.refresh_token.reveal(),
            token_type: "Bearer",
            expires_in: limits::ACCESS_TOKEN_TTL.as_secs(),
        }
    }
}

/// A new session.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionResponse {
    /// The user's own profile.
    pub user: ProfileShape,
    /// The session's tokens.
    #[serde(flatten)]
    pub tokens: TokensResponse,
}

impl Shown<LoggedIn> for SessionResponse {
    fn shown(logged_in: LoggedIn, urls: &MediaUrls) -> Self {
        Self { user: ProfileShape::shown(logged_in.user, urls), tokens: logged_in.tokens.into() }
    }
}

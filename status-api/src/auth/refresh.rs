//! `POST /v1/auth/refresh`

use axum::{Json, extract::State};
use http_api::{
    ApiJson, Problem,
    openapi::{BodyProblems, CommonProblems, RateProblems, TokenProblems},
};
use serde::Deserialize;
use utoipa::ToSchema;

use super::responses::TokensResponse;
use crate::state::ApiState;

/// A refresh token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefreshRequest {
    /// The refresh token as issued.
    pub(super) refresh_token: String,
}

/// Refresh a session
///
/// Exchanges a refresh token for a new pair. A token that was spent within the last 60 seconds still yields a pair: at
/// most three new ones, then the refresh token of the last one again. A token that was spent earlier ends the session.
/// Limited to 30 requests a minute per session; a refused request spends nothing.
#[utoipa::path(
    post,
    path = "/v1/auth/refresh",
    tag = "accounts",
    request_body = RefreshRequest,
    responses(
        (status = 200, description = "New tokens", body = TokensResponse),
        TokenProblems, BodyProblems, RateProblems, CommonProblems,
    ),
)]
pub async fn refresh(
    State(api): State<ApiState>,
    ApiJson(request): ApiJson<RefreshRequest>,
) -> Result<Json<TokensResponse>, Problem> {
    let tokens = api.accounts.refresh(&request.refresh_token, api.clock.now()).await?;
    Ok(Json(tokens.into()))
}

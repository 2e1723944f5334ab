//! `POST /v1/auth/logout`

use axum::extract::State;
use http::StatusCode;
use http_api::{
    ApiJson, Caller, Problem,
    openapi::{BodyProblems, CommonProblems, TokenProblems},
};

use super::refresh::RefreshRequest;
use crate::state::ApiState;

/// Log out
///
/// Ends the session of a refresh token if it is the caller's; otherwise does nothing. Access tokens stay valid until
/// they expire.
#[utoipa::path(
    post,
    path = "/v1/auth/logout",
    tag = "accounts",
    security(("bearer" = [])),
    request_body = RefreshRequest,
    responses(
        (status = 204, description = "The session has ended"),
        TokenProblems, BodyProblems, CommonProblems,
    ),
)]
pub async fn logout(
    Caller(caller): Caller,
    State(api): State<ApiState>,
    ApiJson(request): ApiJson<RefreshRequest>,
) -> Result<StatusCode, Problem> {
    api.accounts.logout(caller, &request.refresh_token, api.clock.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

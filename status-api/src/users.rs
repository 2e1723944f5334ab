//! `GET /v1/users/{user}`

use axum::{Json, extract::State};
use shared::http::{
    Caller, PathUser, Problem,
    openapi::{CommonProblems, PathProblems, TokenProblems, UserParam},
    shapes::ProfileShape,
};

use crate::state::ApiState;

/// Look at a profile
///
/// Of the caller with the e-mail address, of others with who follows whom.
#[utoipa::path(
    get,
    path = "/v1/users/{user}",
    tag = "accounts",
    security(("bearer" = [])),
    params(UserParam),
    responses(
        (status = 200, description = "The profile", body = ProfileShape),
        TokenProblems, PathProblems, CommonProblems,
    ),
)]
pub async fn profile(
    Caller(caller): Caller,
    State(api): State<ApiState>,
    user: PathUser,
) -> Result<Json<ProfileShape>, Problem> {
    let profile = api.accounts.profile(caller, &user.get()?).await?;
    Ok(Json(profile.into()))
}

//! `PUT /v1/users/{user}/password`

use axum::extract::State;
use domain::Password;
use http::StatusCode;
use http_api::{
    ApiJson, Caller, Client, FieldErrors, PathUser, Problem,
    openapi::{BodyProblems, CommonProblems, OwnerProblems, PathProblems, RateProblems, TokenProblems, UserParam},
};
use serde::Deserialize;
use service::accounts::LoginOrigin;
use utoipa::ToSchema;

use crate::state::ApiState;

/// The current and the new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePasswordRequest {
    /// The current password.
    #[schema(min_length = 8, max_length = 128, example = "correct horse battery staple")]
    current: String,
    /// The new password.
    #[schema(min_length = 8, max_length = 128, example = "wrong horse, dead battery")]
    new: String,
}

impl ChangePasswordRequest {
    fn validate(&self) -> Result<(Password, Password), Problem> {
        let mut errors = FieldErrors::new();
        let current = errors.take("current", Password::parse(&self.current));
        let new = errors.take("new", Password::parse(&self.new));
        errors.finish(current.zip(new))
    }
}

/// Change the caller's password
///
/// `{user}` must be `me`. Every refresh token of the account is revoked, including the caller's: log in again. If
/// `current` is wrong, the answer is a 403 with type `/problems/wrong-password` and counts as a failed login.
#[utoipa::path(
    put,
    path = "/v1/users/{user}/password",
    tag = "accounts",
    security(("bearer" = [])),
    params(UserParam),
    request_body = ChangePasswordRequest,
    responses(
        (status = 204, description = "The password is changed"),
        TokenProblems, BodyProblems, OwnerProblems, PathProblems, RateProblems, CommonProblems,
    ),
)]
pub async fn change_password(
    Caller(caller): Caller,
    State(api): State<ApiState>,
    Client(network): Client,
    PathUser(user): PathUser,
    ApiJson(request): ApiJson<ChangePasswordRequest>,
) -> Result<StatusCode, Problem> {
    let (current, new) = request.validate()?;
    let origin = LoginOrigin { network, user_agent: None };
    api.accounts.change_password(caller, &user, current, new, origin, api.clock.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

//! `POST /v1/auth/login`

use axum::{Json, extract::State};
use domain::{Email, Handle, Password};
use http_api::{
    ApiJson, Client, ClientAgent, FieldErrors, Problem,
    body::present,
    openapi::{BodyProblems, CommonProblems, RateProblems, TokenProblems},
    responses::Shown as _,
};
use serde::Deserialize;
use service::accounts::{LoginName, LoginOrigin};
use utoipa::ToSchema;

use super::responses::SessionResponse;
use crate::state::ApiState;

/// Credentials: a password and either an e-mail address or a handle.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoginRequest {
    #[serde(default, deserialize_with = "present")]
    email: Option<String>,
    #[serde(default, deserialize_with = "present")]
    handle: Option<String>,
    password: String,
}

/// The two forms of [`LoginRequest`], for the OpenAPI document. They are decoded as one shape so that an error names
/// the field.
#[derive(ToSchema)]
#[schema(as = LoginRequest)]
#[serde(untagged)]
#[expect(dead_code, reason = "only described")]
enum LoginForms {
    ByEmail(LoginByEmail),
    ByHandle(LoginByHandle),
}

/// Credentials with an e-mail address.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only described")]
struct LoginByEmail {
    /// The account's e-mail address.
    #[schema(max_length = 254, pattern = "^[!-?A-~]+@[!-?A-~]+$", example = "alice@example.org")]
    email: String,
    /// The password.
    #[schema(min_length = 8, max_length = 128, example = "correct horse battery staple")]
    password: String,
}

/// Credentials with a handle.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only described")]
struct LoginByHandle {
    /// The account's handle.
    #[schema(min_length = 3, max_length = 30, pattern = "^[A-Za-z0-9_]{3,30}$", example = "alice")]
    handle: String,
    /// The password.
    #[schema(min_length = 8, max_length = 128, example = "correct horse battery staple")]
    password: String,
}

impl LoginRequest {
    fn validate(&self) -> Result<(LoginName, Password), Problem> {
        let mut errors = FieldErrors::new();
        let name = match (&self.email, &self.handle) {
            (Some(email), None) => errors.take("email", Email::parse(email)).map(LoginName::Email),
            (None, Some(handle)) => errors.take("handle", Handle::parse(handle)).map(LoginName::Handle),
            (None, None) => {
                errors.add("email", "is required, or handle");
                None
            }
            (Some(_), Some(_)) => {
                errors.add("handle", "must be absent if email is given");
                None
            }
        };
        let password = errors.take("password", Password::parse(&self.password));
        errors.finish(name.zip(password))
    }
}

/// Log in
///
/// Begins a session; if the account then has more than 100, the oldest ends. A 401 does not say which credential was
/// wrong. After 10 failed logins to an account from one network, or 60 failed uses of any password, that network must
/// wait for the next minute, even with the right password.
#[utoipa::path(
    post,
    path = "/v1/auth/login",
    tag = "accounts",
    request_body = LoginForms,
    responses(
        (status = 200, description = "The account and new tokens", body = SessionResponse),
        TokenProblems, BodyProblems, RateProblems, CommonProblems,
    ),
)]
pub async fn login(
    State(api): State<ApiState>,
    Client(network): Client,
    ClientAgent(agent): ClientAgent,
    ApiJson(request): ApiJson<LoginRequest>,
) -> Result<Json<SessionResponse>, Problem> {
    let (name, password) = request.validate()?;
    let origin = LoginOrigin { network, user_agent: agent.as_ref() };
    let logged_in = api.accounts.login(&name, password, origin, api.clock.now()).await?;
    Ok(Json(SessionResponse::shown(logged_in, &api.media_urls)))
}

//! `POST /v1/auth/register`

use axum::{Json, extract::State};
use domain::{DisplayName, Email, Handle, Password};
use http::StatusCode;
use http_api::{
    ApiJson, Client, ClientAgent, FieldErrors, Problem,
    body::present,
    openapi::{BodyProblems, CommonProblems, RateProblems},
    problem::ProblemBody,
    responses::Shown as _,
    texts,
};
use serde::Deserialize;
use service::accounts::{LoginOrigin, Registration};
use utoipa::ToSchema;

use super::responses::SessionResponse;
use crate::state::ApiState;

/// The details of a new account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterRequest {
    /// The unique handle, converted to lower case.
    #[schema(min_length = 3, max_length = 30, pattern = "^[A-Za-z0-9_]{3,30}$", example = "alice")]
    handle: String,
    /// The unique e-mail address.
    #[schema(max_length = 254, pattern = "^[!-?A-~]+@[!-?A-~]+$", example = "alice@example.org")]
    email: String,
    /// The password.
    #[schema(min_length = 8, max_length = 128, example = "correct horse battery staple")]
    password: String,
    /// The display name; defaults to the handle.
    #[serde(default, deserialize_with = "present")]
    #[schema(schema_with = texts::display_name, required = false)]
    display_name: Option<String>,
}

impl RegisterRequest {
    fn validate(&self) -> Result<Registration, Problem> {
        let mut errors = FieldErrors::new();
        let handle = errors.take("handle", Handle::parse(&self.handle));
        let email = errors.take("email", Email::parse(&self.email));
        let password = errors.take("password", Password::parse(&self.password));
        let display_name =
            errors.take("display_name", self.display_name.as_deref().map(DisplayName::parse).transpose());
        let registration = (|| {
            Some(Registration { handle: handle?, email: email?, password: password?, display_name: display_name? })
        })();
        errors.finish(registration)
    }
}

/// Register an account
///
/// Creates an account and begins a session. Limited to five attempts a minute per network, successful or not. An
/// attempt with a taken handle or address also counts as a failed use of a password, of which a network has 60 a
/// minute.
#[utoipa::path(
    post,
    path = "/v1/auth/register",
    tag = "accounts",
    request_body = RegisterRequest,
    responses(
        (status = 201, description = "The account and its first tokens", body = SessionResponse),
        (status = 409, description = "The handle, the e-mail address or both are taken; `errors` names them",
            body = ProblemBody, content_type = "application/problem+json"),
        BodyProblems, RateProblems, CommonProblems,
    ),
)]
pub async fn register(
    State(api): State<ApiState>,
    Client(network): Client,
    ClientAgent(agent): ClientAgent,
    ApiJson(request): ApiJson<RegisterRequest>,
) -> Result<(StatusCode, Json<SessionResponse>), Problem> {
    let origin = LoginOrigin { network, user_agent: agent.as_ref() };
    let logged_in = api.accounts.register(request.validate(), origin, api.clock.now()).await?;
    Ok((StatusCode::CREATED, Json(SessionResponse::shown(logged_in, &api.media_urls))))
}

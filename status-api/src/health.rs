//! `GET /healthz`

use axum::{Json, extract::State};
use http_api::{Problem, openapi::CommonProblems};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    probe::{RETRY_AFTER, Verdict},
    state::ApiState,
};

/// The health of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealthStatus {
    /// All is well.
    Ok,
    /// Requests are served, but background work is late.
    Degraded,
}

/// A reason for the status `degraded`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealthReason {
    /// The oldest change has waited more than a minute: counts and notifications are late.
    ChangesLate,
}

/// The state of a service that serves requests.
#[derive(Debug, Serialize, ToSchema)]
pub struct HealthResponse {
    /// The health of the service.
    status: HealthStatus,
    /// The reasons why the status is `degraded`; absent otherwise.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    reasons: Vec<HealthReason>,
}

/// Check the service's health
///
/// Reads every table and, where the process itself makes writes durable (the one-process mode), waits for a small write
/// to become durable. Runs at most every 2 s, regardless of the number of requests. `degraded` is a 200 as well:
/// requests are served, and a restart would not help.
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "operations",
    responses(
        (status = 200, description = "The stores answer", body = HealthResponse),
        CommonProblems,
    ),
)]
pub async fn health(State(api): State<ApiState>) -> Result<Json<HealthResponse>, Problem> {
    match api.health().verdict().await {
        Verdict::Good => Ok(Json(HealthResponse { status: HealthStatus::Ok, reasons: Vec::new() })),
        Verdict::ChangesLate => {
            let reasons = vec![HealthReason::ChangesLate];
            Ok(Json(HealthResponse { status: HealthStatus::Degraded, reasons }))
        }
        Verdict::Bad => Err(Problem::Unavailable { retry_after: RETRY_AFTER, cause: None }),
    }
}

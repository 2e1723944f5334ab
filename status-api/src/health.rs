//! `GET /healthz`

use axum::{Json, extract::State};
use http_api::{Problem, openapi::CommonProblems};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    probe::{RETRY_AFTER, Verdict},
    state::ApiState,
};

/// Whether all is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealthStatus {
    /// It is.
    Ok,
    /// Requests are served; something behind them is late.
    Degraded,
}

/// Why the status is `degraded`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealthReason {
    /// The oldest change has waited for more than a minute: counts and notifications are late.
    ChangesLate,
}

/// The service works.
#[derive(Debug, Serialize, ToSchema)]
pub struct HealthResponse {
    /// Whether all is well.
    status: HealthStatus,
    /// With `degraded`: why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    reasons: Vec<HealthReason>,
}

/// Ask whether the service works
///
/// Every table is read; where the process itself makes writes durable (the one-process mode) a small write is made and
/// waited for. At most every 2 s, however many ask. `degraded` is a 200 too: requests are served, and a restart would
/// not help.
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

//! `GET /healthz`

use std::{sync::Arc, time::Duration};

use axum::{Json, extract::State};
use domain::{Clock, limits};
use http_api::{Problem, openapi::CommonProblems};
use ports::{
    changes::ChangeLog,
    store::{Store, StoreError},
};
use serde::Serialize;
use telemetry::chain;
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};
use utoipa::ToSchema;

use crate::state::ApiState;

/// For how long an answer of the stores holds.
const PROBE_INTERVAL: Duration = Duration::from_secs(2);
/// How long the stores have to answer.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
/// When to ask again.
const RETRY_AFTER: Duration = PROBE_INTERVAL;

/// Whether the stores answered lately. However many ask, one probe runs at a time and at most every 2 s.
#[derive(Debug)]
pub struct Health {
    store: Arc<dyn Store>,
    changes: Option<Arc<dyn ChangeLog>>,
    clock: Clock,
    /// When the last probe ended and what it found. Held during a probe, so that others wait for its answer.
    last: Mutex<Option<(Instant, Verdict)>>,
}

/// What a probe found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Good,
    Degraded(HealthReason),
    Bad,
}

impl Health {
    pub(crate) fn new(store: Arc<dyn Store>, changes: Option<Arc<dyn ChangeLog>>, clock: Clock) -> Self {
        Self { store, changes, clock, last: Mutex::new(None) }
    }

    async fn verdict(&self) -> Verdict {
        let mut last = self.last.lock().await;
        match *last {
            Some((at, verdict)) if at.elapsed() < PROBE_INTERVAL => verdict,
            _ => {
                let verdict = self.probe().await;
                *last = Some((Instant::now(), verdict));
                verdict
            }
        }
    }

    async fn probe(&self) -> Verdict {
        match timeout(PROBE_TIMEOUT, self.look()).await {
            Ok(Ok(verdict)) => verdict,
            Ok(Err(error)) => {
                tracing::warn!(error = chain(&error), "The stores failed a probe; health checks answer 503");
                Verdict::Bad
            }
            Err(_) => {
                tracing::warn!("The stores did not answer a probe in time; health checks answer 503");
                Verdict::Bad
            }
        }
    }

    async fn look(&self) -> Result<Verdict, StoreError> {
        self.store.probe().await?;
        let Some(changes) = &self.changes else { return Ok(Verdict::Good) };
        let age = changes.backlog().await?.age(self.clock.now());
        Ok(if age > limits::MAX_CHANGES_AGE { Verdict::Degraded(HealthReason::ChangesLate) } else { Verdict::Good })
    }
}

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
        Verdict::Degraded(reason) => Ok(Json(HealthResponse { status: HealthStatus::Degraded, reasons: vec![reason] })),
        Verdict::Bad => Err(Problem::Unavailable { retry_after: RETRY_AFTER, cause: None }),
    }
}

//! `GET /healthz`

use std::{sync::Arc, time::Duration};

use axum::{Json, extract::State};
use serde::Serialize;
use shared::{
    http::{Problem, openapi::CommonProblems},
    store::Store,
};
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
    /// When the last probe ended and whether it went well. Held during a probe, so that others wait for its answer.
    last: Mutex<Option<(Instant, bool)>>,
}

impl Health {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, last: Mutex::new(None) }
    }

    async fn is_good(&self) -> bool {
        let mut last = self.last.lock().await;
        match *last {
            Some((at, good)) if at.elapsed() < PROBE_INTERVAL => good,
            _ => {
                let good = self.probe().await;
                *last = Some((Instant::now(), good));
                good
            }
        }
    }

    async fn probe(&self) -> bool {
        match timeout(PROBE_TIMEOUT, self.store.probe()).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "The stores failed a probe");
                false
            }
            Err(_) => {
                tracing::warn!("The stores did not answer a probe in time");
                false
            }
        }
    }
}

/// All is well.
#[derive(Debug, Serialize, ToSchema)]
pub struct HealthResponse {
    /// `ok`.
    #[schema(pattern = "^ok$", example = "ok")]
    status: &'static str,
}

/// Ask whether the service works
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
    if api.health().is_good().await {
        Ok(Json(HealthResponse { status: "ok" }))
    } else {
        Err(Problem::Unavailable { retry_after: RETRY_AFTER, cause: None })
    }
}

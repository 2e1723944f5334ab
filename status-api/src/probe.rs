//! The probe of the stores that `GET /healthz` reports.

use std::{sync::Arc, time::Duration};

use domain::{Clock, limits};
use ports::{
    changes::ChangeLog,
    store::{Store, StoreError},
};
use telemetry::chain;
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

/// How long the outcome of a probe is reused.
const PROBE_INTERVAL: Duration = Duration::from_secs(2);
/// How long the stores have to answer.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
/// The `Retry-After` of a failed health check.
pub(crate) const RETRY_AFTER: Duration = PROBE_INTERVAL;

/// Whether the stores answered recently. One probe runs at a time, at most every 2 s, regardless of the number of
/// callers.
#[derive(Debug)]
pub(crate) struct Health {
    store: Arc<dyn Store>,
    changes: Option<Arc<dyn ChangeLog>>,
    clock: Clock,
    /// The end and the outcome of the last probe. Locked during a probe, so that other callers wait for its outcome.
    last: Mutex<Option<(Instant, Verdict)>>,
}

/// The outcome of a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Good,
    /// The oldest change has waited longer than [`limits::MAX_CHANGES_AGE`].
    ChangesLate,
    Bad,
}

impl Health {
    pub(crate) fn new(store: Arc<dyn Store>, changes: Option<Arc<dyn ChangeLog>>, clock: Clock) -> Self {
        Self { store, changes, clock, last: Mutex::new(None) }
    }

    /// The outcome of the last probe, or of a new one if the last is older than [`PROBE_INTERVAL`].
    pub(crate) async fn verdict(&self) -> Verdict {
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
                tracing::warn!(error = chain(&error), "Could not probe the stores; health checks will answer 503");
                Verdict::Bad
            }
            Err(_) => {
                tracing::warn!("Could not probe the stores in time; health checks will answer 503");
                Verdict::Bad
            }
        }
    }

    async fn look(&self) -> Result<Verdict, StoreError> {
        self.store.probe().await?;
        let Some(changes) = &self.changes else { return Ok(Verdict::Good) };
        let age = changes.backlog().await?.age(self.clock.now());
        Ok(if age > limits::MAX_CHANGES_AGE { Verdict::ChangesLate } else { Verdict::Good })
    }
}

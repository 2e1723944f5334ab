//! Retries after conflicts: each round reads the state again.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::time::Instant;

use domain::limits;
use ports::store::StoreError;

/// The retry rounds of one call, with growing, jittered pauses between them.
#[derive(Debug)]
pub(super) struct ConflictRetry {
    pauses: ExponentialBackoff,
    began: Instant,
}

impl ConflictRetry {
    /// Starts the first round.
    pub(super) fn new() -> Self {
        let pauses = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(5))
            .with_max_delay(Duration::from_millis(320))
            .with_max_times(12)
            .with_jitter();
        Self { pauses: pauses.build(), began: Instant::now() }
    }

    /// Waits before the next round.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] after 13 rounds, or when [`limits::RETRY_BUDGET`] is spent.
    pub(super) async fn pause(&mut self) -> Result<(), StoreError> {
        let pause = self.pauses.next().filter(|_| self.began.elapsed() < limits::RETRY_BUDGET);
        tokio::time::sleep(pause.ok_or(StoreError::Conflict)?).await;
        Ok(())
    }
}

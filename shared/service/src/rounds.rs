//! Trying again what someone else was in the way of: each round reads anew.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::time::Instant;

use domain::limits;
use ports::store::StoreError;

/// Rounds of one call, with growing and jittered pauses between them.
#[derive(Debug)]
pub(super) struct Rounds {
    pauses: ExponentialBackoff,
    began: Instant,
}

impl Rounds {
    /// The first round begins.
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
    /// [`StoreError::Conflict`] when there were 13 rounds, or [`limits::RETRY_BUDGET`] is spent.
    pub(super) async fn pause(&mut self) -> Result<(), StoreError> {
        let pause = self.pauses.next().filter(|_| self.began.elapsed() < limits::RETRY_BUDGET);
        tokio::time::sleep(pause.ok_or(StoreError::Conflict)?).await;
        Ok(())
    }
}

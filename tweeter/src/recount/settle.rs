//! Decides when a difference counts: counts lag by the changes that are not applied yet.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use ports::{changes::ChangeLog, store::StoreError};

/// Decides whether a check can be trusted, and how long to wait before the next one.
#[async_trait]
pub trait Settle: Send + Sync + std::fmt::Debug + 'static {
    /// Whether no change is known to be pending.
    async fn is_settled(&self) -> Result<bool, StoreError>;

    /// Waits between two rounds of checks.
    async fn pause(&self);

    /// The maximum of rounds for numbers that keep changing.
    fn rounds(&self) -> usize;
}

/// The embedded store: its change log tells exactly whether changes are pending.
#[derive(Debug, Clone)]
pub struct ByLog(pub Arc<dyn ChangeLog>);

impl ByLog {
    /// With [`Self::PAUSE`] between rounds, twice as long as counts may lag.
    const ROUNDS: usize = 50;
    /// Pause between two rounds.
    const PAUSE: Duration = Duration::from_millis(200);
}

#[async_trait]
impl Settle for ByLog {
    async fn is_settled(&self) -> Result<bool, StoreError> {
        self.0.is_empty().await
    }

    async fn pause(&self) {
        tokio::time::sleep(Self::PAUSE).await;
    }

    fn rounds(&self) -> usize {
        Self::ROUNDS
    }
}

/// DynamoDB: no API tells how far Lambda has read the stream. If neither an edge nor the count changed for this long,
/// earlier changes have been applied, provided that the stream's lag is shorter.
#[derive(Debug, Clone, Copy)]
pub struct ByTime(pub Duration);

impl ByTime {
    /// Numbers written between checks in more than this many consecutive rounds stay undecided.
    const ROUNDS: usize = 5;
}

#[async_trait]
impl Settle for ByTime {
    async fn is_settled(&self) -> Result<bool, StoreError> {
        Ok(true)
    }

    async fn pause(&self) {
        tokio::time::sleep(self.0).await;
    }

    fn rounds(&self) -> usize {
        Self::ROUNDS
    }
}

//! When a difference counts as one: counts lag behind by the changes that are not applied yet.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use ports::{changes::ChangeLog, store::StoreError};

/// Decides whether a look can be trusted, and how long to wait before the next one.
#[async_trait]
pub trait Settle: Send + Sync + std::fmt::Debug + 'static {
    /// Whether no change is known to be on its way now.
    async fn is_settled(&self) -> Result<bool, StoreError>;

    /// Waits between two rounds of looks.
    async fn pause(&self);

    /// How often what moves is looked at again.
    fn rounds(&self) -> usize;
}

/// The embedded store: its log says exactly whether a change waits.
#[derive(Debug, Clone)]
pub struct ByLog(pub Arc<dyn ChangeLog>);

impl ByLog {
    /// With [`Self::PAUSE`] between them as long as counts may lag, twice.
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

/// `DynamoDB`: nothing says how far Lambda has read the stream. What neither an edge nor a count has changed for this
/// long was applied before, as long as the stream's lag is shorter.
#[derive(Debug, Clone, Copy)]
pub struct ByTime(pub Duration);

impl ByTime {
    /// What is written more often than this many times in a row between two looks stays undecided.
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

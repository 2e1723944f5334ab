//! Applying changes, as a trait so that a test can make one fail.

use std::fmt;

use async_trait::async_trait;
use domain::Timestamp;
use ports::changes::Change;
use service::changes::{Applied, ChangeService};

/// Applies changes: [`ChangeService`], or a test double that fails.
#[async_trait]
pub trait Apply: Send + Sync + fmt::Debug + 'static {
    /// Applies changes. Returns the outcome of each, in their order.
    async fn apply(&self, changes: &[Change], now: Timestamp) -> Vec<Applied>;
}

#[async_trait]
impl Apply for ChangeService {
    async fn apply(&self, changes: &[Change], now: Timestamp) -> Vec<Applied> {
        Self::apply(self, changes, now).await
    }
}

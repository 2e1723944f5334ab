//! Applying changes, as a trait: a test has one fail.

use std::fmt;

use async_trait::async_trait;
use domain::Timestamp;
use ports::changes::Change;
use service::changes::{Applied, ChangeService};

/// What applies changes: [`ChangeService`], or what a test puts in its place to have one fail.
#[async_trait]
pub trait Apply: Send + Sync + fmt::Debug + 'static {
    /// Applies changes; answers what became of each, in their order.
    async fn apply(&self, changes: &[Change], now: Timestamp) -> Vec<Applied>;
}

#[async_trait]
impl Apply for ChangeService {
    async fn apply(&self, changes: &[Change], now: Timestamp) -> Vec<Applied> {
        Self::apply(self, changes, now).await
    }
}

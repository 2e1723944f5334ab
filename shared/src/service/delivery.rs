//! From JobQ into feeds.

use std::sync::Arc;

use super::ServiceError;
use crate::{dao::Feeds, domain::Clock, messages::FeedJob, store::Store, telemetry::names};

/// Delivers posts into feeds.
#[derive(Debug, Clone)]
pub struct DeliveryService {
    feeds: Feeds,
    clock: Clock,
}

impl DeliveryService {
    /// Deliveries into `store`.
    pub fn new(store: Arc<dyn Store>, clock: Clock) -> Self {
        Self { feeds: Feeds::new(store), clock }
    }

    /// Writes the job's entries in one batch. Twice is the same as once.
    ///
    /// Whether a reader still follows the author is decided when the feed is read, not here: it may change between
    /// now and then.
    pub async fn deliver(&self, job: &FeedJob) -> Result<(), ServiceError> {
        self.feeds.put_for_readers(job.post_id, &job.followers).await?;
        metrics::counter!(names::ENTRIES_WRITTEN).increment(job.followers.len() as u64);
        metrics::histogram!(names::FAN_OUT_SECONDS).record(self.clock.now().since(job.post_id.created_at()));
        Ok(())
    }
}

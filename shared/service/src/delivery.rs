//! Delivers posts from JobQ into feeds.

use super::{ServiceError, live::LiveService};
use data::{Db, Feeds, messages::FeedJob};
use domain::Clock;
use telemetry::names;

/// Delivers posts into feeds.
#[derive(Debug, Clone)]
pub struct DeliveryService {
    feeds: Feeds,
    clock: Clock,
    live: Option<LiveService>,
}

impl DeliveryService {
    /// Deliveries into `store`.
    pub fn new(db: impl Into<Db>, clock: Clock) -> Self {
        Self { feeds: Feeds::new(db), clock, live: None }
    }

    /// The same, sending live events to connected readers.
    #[must_use]
    pub fn announced_by(self, live: Option<LiveService>) -> Self {
        Self { live, ..self }
    }

    /// Writes the job's entries in one batch; idempotent.
    ///
    /// Whether a reader still follows the author is decided when the feed is read, because it may change in between.
    /// Connected readers are notified, again if the job is redelivered.
    pub async fn deliver(&self, job: &FeedJob) -> Result<(), ServiceError> {
        self.feeds.put_for_readers(job.post_id, &job.followers, self.clock.now()).await?;
        metrics::counter!(names::ENTRIES_WRITTEN).increment(job.followers.len() as u64);
        metrics::histogram!(names::FAN_OUT_SECONDS).record(self.clock.now().since(job.post_id.created_at()));
        if let Some(live) = &self.live {
            live.feed_entries(job.post_id, job.author_id, &job.followers).await;
        }
        Ok(())
    }
}

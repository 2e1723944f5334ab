//! Delivers posts from JobQ into feeds.

use super::{ServiceError, live::LiveService, safe_time::SafeTime};
use data::{Db, Feeds, messages::FeedJob};
use domain::{Clock, limits};
use telemetry::names;

/// Delivers posts into feeds.
#[derive(Debug, Clone)]
pub struct DeliveryService {
    feeds: Feeds,
    clock: Clock,
    safe_time: SafeTime,
    live: Option<LiveService>,
}

impl DeliveryService {
    /// Deliveries into `store`.
    pub fn new(db: impl Into<Db>, clock: Clock) -> Self {
        Self { feeds: Feeds::new(db), safe_time: SafeTime::new(clock.clone()), clock, live: None }
    }

    /// The same, taking the age of posts from this time: a clock that jumps forward must not age them.
    #[must_use]
    pub fn aging_by(self, safe_time: SafeTime) -> Self {
        Self { safe_time, ..self }
    }

    /// The same, sending live events to connected readers.
    #[must_use]
    pub fn with_live_events(self, live: Option<LiveService>) -> Self {
        Self { live, ..self }
    }

    /// Writes the job's entries in one batch; idempotent.
    ///
    /// Whether a reader still follows the author is decided when the feed is read, because it may change in between.
    /// Connected readers are notified, again if the job is redelivered. The entries of a post that is older than
    /// [`limits::FEED_ENTRY_TTL`] would have expired, so none are written: the feed ends later than the post.
    pub async fn deliver(&self, job: &FeedJob) -> Result<(), ServiceError> {
        if self.safe_time.now().since(job.post_id.created_at()) >= limits::FEED_ENTRY_TTL {
            return Ok(());
        }
        self.feeds.put_for_readers(job.post_id, &job.followers, self.clock.now()).await?;
        metrics::counter!(names::ENTRIES_WRITTEN).increment(job.followers.len() as u64);
        metrics::histogram!(names::FAN_OUT_SECONDS).record(self.clock.now().since(job.post_id.created_at()));
        if let Some(live) = &self.live {
            live.feed_entries(job.post_id, job.author_id, &job.followers).await;
        }
        Ok(())
    }
}

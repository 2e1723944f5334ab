//! The reads of a recount: strongly consistent, with long retries, and rate-limited as the operator allows.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use backon::{ExponentialBuilder, Retryable as _};
use data::{Audit, Audited, AuditedEntry, Counted, CountedEdge, Counter, Db, EdgeCursor, StoredCount};
use domain::{InboxEntry, NotificationId, Page, UserId};
use parking_lot::Mutex;
use ports::store::StoreError;
use tokio::time::Instant;

/// How long a read is retried before the recount fails: throttling passes, and an hour's scan should not have to be
/// repeated.
const PATIENCE: Duration = Duration::from_mins(2);

/// Paces reads to an average number of read units per second.
#[derive(Debug)]
pub struct Pace {
    rate: Option<NonZeroU32>,
    free_at: Mutex<Instant>,
}

impl Pace {
    /// At most `rate` read units per second; `None` for no limit.
    pub fn of(rate: Option<NonZeroU32>) -> Self {
        Self { rate, free_at: Mutex::new(Instant::now()) }
    }

    /// Waits until the units just read are within the rate, which concurrent readers share.
    pub async fn spend(&self, units: f64) {
        let Some(rate) = self.rate else { return };
        let until = {
            let mut free_at = self.free_at.lock();
            *free_at = (*free_at).max(Instant::now()) + Duration::from_secs_f64(units / f64::from(rate.get()));
            *free_at
        };
        tokio::time::sleep_until(until).await;
    }
}

/// Reads Social.
#[derive(Debug, Clone)]
pub struct Reads {
    audit: Audit,
    pace: Arc<Pace>,
}

impl Reads {
    /// Reads of `db` at this pace.
    pub fn new(db: Db, pace: Arc<Pace>) -> Self {
        Self { audit: Audit::new(db), pace }
    }

    /// The pace.
    pub fn pace(&self) -> &Pace {
        &self.pace
    }

    /// Whether the user or post exists.
    pub async fn exists(&self, of: Counted) -> Result<bool, StoreError> {
        Ok(self.paid(patiently(|| self.audit.exists(of)).await?).await)
    }

    /// One stored count.
    pub async fn stored(&self, of: Counted, counter: Counter) -> Result<StoredCount, StoreError> {
        Ok(self.paid(patiently(|| self.audit.stored(of, counter)).await?).await)
    }

    /// A page of the edges of a count.
    pub async fn edges(
        &self,
        of: Counted,
        counter: Counter,
        from: &EdgeCursor,
    ) -> Result<Page<CountedEdge, EdgeCursor>, StoreError> {
        Ok(self.paid(patiently(|| self.audit.edges(of, counter, from.clone())).await?).await)
    }

    /// A page of a user's notifications, oldest first.
    pub async fn inbox_page(
        &self,
        user: UserId,
        after: Option<NotificationId>,
        limit: u32,
    ) -> Result<Page<AuditedEntry, NotificationId>, StoreError> {
        Ok(self.paid(patiently(|| self.audit.inbox_page(user, after, limit)).await?).await)
    }

    /// The correct form of these entries.
    pub async fn as_they_should_be(&self, entries: &[InboxEntry]) -> Result<Vec<InboxEntry>, StoreError> {
        Ok(self.paid(patiently(|| self.audit.as_they_should_be(entries)).await?).await)
    }

    async fn paid<T>(&self, read: Audited<T>) -> T {
        self.pace.spend(read.units).await;
        read.found
    }
}

/// Retries transient errors for up to [`PATIENCE`]. Only for reads.
pub async fn patiently<T, F>(call: impl FnMut() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let started = Instant::now();
    let pauses = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(20))
        .with_max_delay(Duration::from_secs(1))
        .without_max_times()
        .with_jitter();
    call.retry(pauses).when(|error| error.is_transient() && started.elapsed() < PATIENCE).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn concurrent_reads_share_the_rate() {
        let (pace, started) = (Pace::of(NonZeroU32::new(100)), Instant::now());
        tokio::join!(pace.spend(150.0), pace.spend(50.0), pace.spend(100.0));
        assert_eq!(started.elapsed().as_millis(), 3_000);
        Pace::of(None).spend(1e9).await;
        assert_eq!(started.elapsed().as_millis(), 3_000);
    }
}

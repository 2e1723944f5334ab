//! Resumes work left unfinished by a lost message or a crash (fan-outs in the outbox, backfills of follows), and erases
//! what is due.

use std::{collections::HashSet, sync::Arc};

use tokio::time::Instant;
use tracing::{info, warn};

use super::{
    ServiceError, backfill::BackfillService, erasure::ErasureService, media::files::PictureFiles, posts::send_fan_out,
    safe_time::SafeTime,
};
use data::{
    Db, Outbox, OutboxEntry,
    messages::{FanOutMessage, FanOutTag, V1},
};
use domain::{PostId, Timestamp, limits};
use ports::queue::Queue;
use telemetry::{chain, names};

/// Later than every lease's end.
const END_OF_TIME: Timestamp = Timestamp::from_millis(u64::MAX);

/// Puts stalled fan-outs back on PostQ, finishes backfills, and runs due erasures.
#[derive(Debug, Clone)]
pub struct SweepService {
    outbox: Outbox,
    backfill: BackfillService,
    erasure: ErasureService,
    queue: Arc<dyn Queue>,
    safe: Option<SafeTime>,
}

/// The work that a sweep did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// Fan-outs put back on PostQ.
    pub fan_outs: u64,
    /// Backfills finished.
    pub backfills: u64,
    /// Posts erased, plus passes over deleted accounts completed.
    pub erasures: u64,
}

impl SweepService {
    /// Sweeps `store`, announcing fan-outs on `queue`.
    pub fn new(db: impl Into<Db>, queue: Arc<dyn Queue>) -> Self {
        let db = db.into();
        Self {
            outbox: Outbox::new(db.clone()),
            backfill: BackfillService::new(db.clone()),
            erasure: ErasureService::new(db),
            queue,
            safe: None,
        }
    }

    /// The same with the files of pictures: see [`ErasureService::with_files`].
    #[must_use]
    pub fn with_files(self, files: PictureFiles) -> Self {
        let erasure = self.erasure.with_files(files, Arc::clone(&self.queue));
        Self { erasure, ..self }
    }

    /// The same, but erasing what is due by this time instead of the sweep's own.
    #[must_use]
    pub fn erasing_by(self, safe: SafeTime) -> Self {
        Self { safe: Some(safe), ..self }
    }

    /// Takes every expired fan-out lease once, finishes backfills for at most [`limits::SWEEP_BACKFILL_BUDGET`], then
    /// runs due erasures for at most [`limits::SWEEP_ERASURE_BUDGET`].
    ///
    /// Failures are logged and do not hold up the rest; the lease stays expired or expires again.
    ///
    /// # Errors
    /// When a shard of the outbox, the backfills or the erasures cannot be read; the other shards were still swept.
    pub async fn sweep(&self, now: Timestamp) -> Result<Swept, ServiceError> {
        // Fan-outs first: they only send a message, and followers wait for them.
        let fan_outs = self.put_back_where(now, now, |_| true).await;
        let until = Instant::now() + limits::SWEEP_BACKFILL_BUDGET;
        let backfills = self.backfill.finish_expired(now, Some(until)).await;
        let due_by = self.safe.as_ref().map_or(now, SafeTime::now);
        let erased = self.erasure.run_due(due_by, Instant::now() + limits::SWEEP_ERASURE_BUDGET).await;
        Ok(Swept { fan_outs: fan_outs?, backfills: backfills?, erasures: erased?.ended })
    }

    /// Takes all unfinished work even under a running lease: for a starting process that is alone on its store, so that
    /// a crash delays a fan-out by a restart and not by a lease. Leaves out fan-outs whose message is among
    /// `announced`: that message must be the one received, because its receive count sends a message that kills the
    /// process to the dead letters.
    ///
    /// # Errors
    /// When a shard of the outbox or the backfills cannot be read; the other shards were still swept.
    pub async fn reclaim(&self, now: Timestamp, announced: &HashSet<PostId>) -> Result<Swept, ServiceError> {
        let fan_outs = self.put_back_where(END_OF_TIME, now, |entry| !announced.contains(&entry.post_id)).await;
        let backfills = self.backfill.finish_expired(END_OF_TIME, None).await;
        // Erasing would delay the start, and it is not urgent.
        Ok(Swept { fan_outs: fan_outs?, backfills: backfills?, erasures: 0 })
    }

    async fn put_back_where(
        &self,
        leased_until: Timestamp,
        now: Timestamp,
        is_due: impl Fn(&OutboxEntry) -> bool,
    ) -> Result<u64, ServiceError> {
        let (mut put_back, mut failed) = (0, None);
        for shard in 0..limits::OUTBOX_SHARDS {
            let mut after = None;
            loop {
                match self.outbox.page_of_expired(shard, leased_until, after).await {
                    Ok((mut entries, next)) => {
                        entries.retain(&is_due);
                        put_back += self.put_all_back(&entries, now).await;
                        after = next;
                    }
                    Err(error) => {
                        failed = Some(error);
                        break;
                    }
                }
                if after.is_none() {
                    break;
                }
            }
        }
        metrics::counter!(names::SWEPT).increment(put_back);
        failed.map_or(Ok(put_back), |error| Err(error.into()))
    }

    async fn put_all_back(&self, entries: &[OutboxEntry], now: Timestamp) -> u64 {
        let mut put_back = 0;
        for entry in entries {
            match self.put_back(entry, now).await {
                Ok(true) => put_back += 1,
                Ok(false) => {}
                Err(error) => {
                    warn!(post.id = %entry.post_id, error = %chain(&error), "Could not put the fan-out of {} back on PostQ; will retry once its lease expires", entry.post_id);
                }
            }
        }
        put_back
    }

    /// Takes the lease, then sends. A crash between the two delays the post by one more lease, but does not lose it.
    async fn put_back(&self, entry: &OutboxEntry, now: Timestamp) -> Result<bool, ServiceError> {
        let Some(taken) = self.outbox.take(entry, now).await? else {
            return Ok(false);
        };
        let message = FanOutMessage {
            tag: FanOutTag::FanOut,
            v: V1,
            post_id: taken.post_id,
            author_id: taken.author_id,
            generation: taken.generation,
            hop: 0,
        };
        send_fan_out(self.queue.as_ref(), &message).await?;
        info!(post.id = %taken.post_id, generation = taken.generation, "Put the fan-out of {} back on PostQ", taken.post_id);
        Ok(true)
    }
}

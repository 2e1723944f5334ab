//! Drops expired feed entries when fjall rewrites them.
//!
//! A row of the expiry index per entry would double the writes of every fan-out, and its removal would add two more.
//! Compaction reads each entry anyway, several times on its way to the last level, and again as later entries of the
//! same readers are merged: so the table shrinks as it is written to. Until then an expired entry takes up space, and is
//! left out by its reader, like one that DynamoDB has not removed yet.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use fjall::compaction::filter::{CompactionFilter, CompactionFilterResult, Context, Factory, ItemAccessor, Verdict};

use super::super::codec;
use domain::Timestamp;
use ports::store::EXPIRES_AT;

/// The time up to which entries are expired, in seconds. It is that of the last sweep, which never runs ahead of elapsed
/// time; zero before the first one.
#[derive(Debug, Clone, Default)]
pub struct ExpiredEntries(Arc<AtomicU64>);

impl ExpiredEntries {
    /// Lets compactions drop the entries that are expired at `now`.
    pub fn expire(&self, now: Timestamp) {
        self.0.store(now.as_secs(), Ordering::Relaxed);
    }
}

impl Factory for ExpiredEntries {
    fn name(&self) -> &'static str {
        "expired feed entries"
    }

    fn make_filter(&self, _: &Context) -> Box<dyn CompactionFilter> {
        Box::new(DropExpired { now: self.0.load(Ordering::Relaxed) })
    }
}

struct DropExpired {
    now: u64,
}

impl CompactionFilter for DropExpired {
    /// Leaves a tombstone instead of an expired entry, which hides its older versions in lower levels. An unreadable
    /// entry is kept, for its reader to report.
    fn filter_item(&mut self, item: ItemAccessor<'_>, _: &Context) -> CompactionFilterResult {
        let expires_at = codec::find_number(&item.value()?, EXPIRES_AT).ok().flatten();
        let is_expired = expires_at.and_then(|seconds| u64::try_from(seconds).ok()).is_some_and(|it| it <= self.now);
        Ok(if is_expired { Verdict::Remove } else { Verdict::Keep })
    }
}

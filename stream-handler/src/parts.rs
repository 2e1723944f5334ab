//! Parts of a batch: how many changes are applied at once, for how long, and with which outcome.
//!
//! A part that panics or times out is halved, down to a single change. The size is remembered, so that the next batch
//! does not begin with a size that has just failed, and doubles with each part that passes.

use std::{
    fmt,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use domain::{Timestamp, limits};
use ports::changes::Change;
use service::changes::Applied;
use tokio::{task::JoinSet, time::Instant};
use tracing::Instrument as _;

use crate::apply::Apply;

/// Time limits for applying changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Limit for several changes at once. A part that exceeds it is halved.
    pub several: Duration,
    /// Limit for one change. A change that exceeds it goes to ChangeDLQ.
    pub single: Duration,
    /// Limit for a whole batch. Must exceed [`Self::single`], so that at least the first change is handled. The
    /// remaining changes are retried.
    pub batch: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { several: limits::CHANGES_TIMEOUT, single: limits::CHANGE_TIMEOUT, batch: limits::CHANGES_BATCH_BUDGET }
    }
}

/// Why a part's changes have no outcomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PartError {
    Panicked,
    TimedOut(Duration),
}

impl fmt::Display for PartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panicked => f.write_str("the handler panicked"),
            Self::TimedOut(limit) => write!(f, "it took longer than {} s", limit.as_secs_f64()),
        }
    }
}

impl std::error::Error for PartError {}

/// Consecutive changes of a batch that are applied together.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    batch: Arc<[Change]>,
    places: Range<usize>,
    limit: Duration,
}

impl Part {
    pub(crate) fn changes(&self) -> &[Change] {
        &self.batch[self.places.clone()]
    }

    /// Applies the part in a separate task, so that a panic or a call that blocks its thread ends only the part. The
    /// task is aborted on timeout and when this future is dropped.
    pub(crate) async fn apply(&self, by: &Arc<dyn Apply>, now: Timestamp) -> Result<Vec<Applied>, PartError> {
        let (part, by) = (self.clone(), Arc::clone(by));
        let mut task = JoinSet::new();
        task.spawn(async move { by.apply(part.changes(), now).await }.in_current_span());
        match tokio::time::timeout(self.limit, task.join_next()).await {
            Ok(Some(Ok(applied))) => Ok(applied),
            Ok(_) => Err(PartError::Panicked),
            Err(_) => Err(PartError::TimedOut(self.limit)),
        }
    }
}

/// The size of the next part. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct PartSize(Arc<AtomicUsize>);

impl Default for PartSize {
    fn default() -> Self {
        Self(Arc::new(AtomicUsize::new(limits::MAX_CHANGES)))
    }
}

impl PartSize {
    /// The part of `batch` that begins at `from`; `None` if no time is left.
    ///
    /// Several changes are applied at once only while enough time remains to retry the first of them alone. So a batch
    /// advances by at least one change even if the size was forgotten, for example after a restart.
    pub(crate) fn next_part(
        &self,
        batch: &Arc<[Change]>,
        from: usize,
        patience: Patience,
        deadline: Instant,
    ) -> Option<Part> {
        let left = deadline.saturating_duration_since(Instant::now());
        let size = self.0.load(Ordering::Relaxed).min(batch.len() - from);
        let (size, limit) = if size > 1 && left >= patience.several + patience.single {
            (size, patience.several)
        } else {
            (1, patience.single)
        };
        (left >= limit).then(|| Part { batch: Arc::clone(batch), places: from..from + size, limit })
    }

    /// Records that a part of several changes failed as a whole.
    pub(crate) fn halve(&self, failed: usize) {
        self.0.store((failed / 2).max(1), Ordering::Relaxed);
    }

    /// Records that a part passed.
    pub(crate) fn grow(&self, passed: usize) {
        if passed >= self.0.load(Ordering::Relaxed) {
            self.0.store((passed * 2).min(limits::MAX_CHANGES), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size_of(size: &PartSize) -> usize {
        size.0.load(Ordering::Relaxed)
    }

    #[test]
    fn sizes_halve_to_one_and_double_back() {
        let size = PartSize::default();
        let mut halved = Vec::new();
        while size_of(&size) > 1 {
            size.halve(size_of(&size));
            halved.push(size_of(&size));
        }
        assert_eq!(halved, [50, 25, 12, 6, 3, 1]);
        while size_of(&size) < limits::MAX_CHANGES {
            size.grow(size_of(&size));
        }
        assert_eq!(size_of(&size), limits::MAX_CHANGES);
    }

    #[test]
    fn batches_have_time_to_halve_and_advance() {
        let Patience { several, single, batch } = Patience::default();
        assert!(batch >= several + single, "otherwise no part would hold several changes");
        assert!(several > limits::RETRY_BUDGET + limits::CALL_TIMEOUT, "otherwise throttling would halve a part");
    }

    #[test]
    fn a_small_part_that_passes_grows_nothing() {
        let size = PartSize::default();
        size.halve(20);
        size.grow(3);
        assert_eq!(size_of(&size), 10);
    }
}

//! The steps that both erasers take: time limits, and the writes of one page.

use tokio::time::Instant;
use tracing::error;

use data::{Db, Transaction, Writes};
use domain::{Erasable, limits};
use ports::{blobs::BlobError, queue::QueueError, store::StoreError};

/// Targets erased per transaction. Each has two to four items, which keeps the transaction below
/// [`limits::MAX_TRANSACT`] and small enough to retry quickly after a conflict.
const THINGS_PER_TRANSACTION: usize = 24;
/// Entries of a list read per query.
pub(super) const ENTRIES_PER_PAGE: u32 = 96;

/// The deadline of a run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    pub(super) deadline: Instant,
}

/// The reason why a pass stopped early.
#[derive(Debug, thiserror::Error)]
pub(super) enum Stopped {
    #[error("out of time")]
    OutOfTime,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Blobs(#[from] BlobError),
    #[error(transparent)]
    Queue(#[from] QueueError),
}

impl Budget {
    /// Stops when the time has run out. Called between steps that can be repeated.
    pub(super) fn spend(self) -> Result<(), Stopped> {
        if Instant::now() < self.deadline { Ok(()) } else { Err(Stopped::OutOfTime) }
    }

    /// The part of the budget that one row may use.
    pub(super) fn slice(self) -> Self {
        Self { deadline: self.deadline.min(Instant::now() + limits::ERASURE_SLICE) }
    }
}

/// Applies unconditional writes, the writes of one target in one transaction. An item named twice is written once.
pub(super) async fn erase_all(db: &Db, things: Vec<Writes>) -> Result<(), StoreError> {
    let mut things = things.into_iter().peekable();
    while things.peek().is_some() {
        let mut transaction = Transaction::new();
        things.by_ref().take(THINGS_PER_TRANSACTION).for_each(|thing| transaction.add_absent(thing));
        // Unconditional, hence never refused.
        let _applied = transaction.commit(db).await?;
    }
    Ok(())
}

/// Logs that an erasure's target is not marked deleted; such a target must not be touched.
pub(super) fn refuse(of: Erasable) {
    error!(erasure = ?of, "Refusing to erase: the target is not marked deleted");
}

//! The change log on the embedded engine: the port for readers, and the part that writers use.
//!
//! ```text
//! changes  1 · sequence (8)  ->  version · when (8) · length · key · before · after
//! changes  0                 ->  version · the store's id (16) · the sequence passed (8)
//! changes  2                 ->  nothing: the row that a probe of the write path writes
//! ```
//!
//! Numbers are big-endian, `when` is in milliseconds. An image is a varint of its length plus one and the item's stored
//! value; if there is no item, it is the varint 0 alone.
//!
//! **Rows and changes are one batch**, so they are atomic. A write of a streamed item reads its old image while it
//! holds the stripes of its keys, which excludes any other write of them.
//!
//! **Sequences are dense and in commit order**: numbering and commit are one step, under one mutex. So a reader that
//! sees a sequence also sees all earlier ones, and no change can arrive before a position already passed. Commits are
//! serialised by the journal anyway. A sequence is never reused: the newest is that of the last row, or the one passed.
//! Both are in the journal, so a power loss that undoes a sequence also undoes everything done because of it.
//!
//! **Passing** removes the rows and advances the mark, in one batch after the writes of the handler of the changes.
//! Reading starts at the mark, so it never walks over removed rows.

pub(super) mod rows;

use std::{fmt, pin::pin, time::Duration};

use async_trait::async_trait;
use tokio::time::Instant;

use self::rows::ChangeRows;
use super::{database::Database, engine::Engine, worker_pools::Lane};
use ports::{
    changes::{Backlog, Change, ChangeLog},
    store::StoreError,
};

/// The change port on one fjall database, for one reader at a time. No row is kept in memory.
#[derive(Clone)]
pub struct EmbeddedChanges {
    engine: Engine,
}

impl EmbeddedChanges {
    /// The log of writes through the engine.
    pub fn new(engine: Engine) -> Self {
        Self { engine }
    }

    fn rows(&self) -> &ChangeRows {
        &self.engine.database().changes
    }
}

#[async_trait]
impl ChangeLog for EmbeddedChanges {
    async fn read(&self, max: usize, wait: Duration) -> Result<Vec<Change>, StoreError> {
        let until = Instant::now() + wait;
        let max = max.max(1);
        loop {
            // Registered before the read: a commit after the read wakes it.
            let mut arrived = pin!(self.rows().arrived.notified());
            arrived.as_mut().enable();
            if self.rows().waiting() > 0 {
                let changes = self
                    .engine
                    .run(Lane::Query, move |database| database.changes.read(&database.snapshot(), max))
                    .await?;
                if !changes.is_empty() {
                    return Ok(changes);
                }
            } else if tokio::time::timeout_at(until, arrived).await.is_err() {
                return Ok(Vec::new());
            }
        }
    }

    async fn pass(&self, last: &Change) -> Result<(), StoreError> {
        let last = self.rows().sequence_in(&last.id)?;
        let pass =
            move |database: &Database| database.changes.pass(database.batch(), last, |batch| database.commit(batch));
        Ok(self.engine.run(Lane::Write, pass).await?)
    }

    async fn is_empty(&self) -> Result<bool, StoreError> {
        Ok(self.rows().waiting() == 0)
    }

    async fn backlog(&self) -> Result<Backlog, StoreError> {
        let changes = self.rows().waiting();
        if changes == 0 {
            return Ok(Backlog::default());
        }
        let oldest = self.engine.run(Lane::Get, |database| database.changes.oldest(&database.snapshot())).await?;
        Ok(Backlog { changes, oldest })
    }
}

impl fmt::Debug for EmbeddedChanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedChanges").field("engine", &self.engine).finish_non_exhaustive()
    }
}

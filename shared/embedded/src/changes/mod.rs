//! The change log on the embedded engine: the port to changes, and what writes for it.
//!
//! ```text
//! changes  1 · sequence (8)  ->  version · when (8) · length · key · before · after
//! changes  0                 ->  version · the store's id (16) · the sequence passed (8)
//! changes  2                 ->  nothing: the row that a probe of the write path writes
//! ```
//!
//! Numbers are big-endian, `when` is in milliseconds. An image is a varint of its length plus one and the item's value
//! as it lies in its table; where there is no item it is the varint 0 alone.
//!
//! **Rows and changes are one batch**, so they live or die together. Who writes a streamed item reads its old image
//! under the stripes of its keys, in which no other write of them can come.
//!
//! **Sequences are dense and in the order of commits**: numbering and commit are one step, under one mutex. So a reader
//! that sees a sequence sees all before it, and nothing that it passes over can still arrive. Commits take turns at the
//! journal anyway. A sequence is never given twice: the newest is that of the last row, or the one passed. Both are in
//! the journal, so a loss of power takes a sequence back only with everything that was done because of it.
//!
//! **Passing** removes the rows and moves the mark on, in one batch behind the writes of whoever handled the changes.
//! Reading starts at the mark, so it never walks over removed rows.

pub(super) mod rows;

use std::{fmt, pin::pin, time::Duration};

use async_trait::async_trait;
use tokio::time::Instant;

use self::rows::ChangeRows;
use super::{database::Database, engine::Engine, worker_pools::Pool};
use ports::{
    changes::{Backlog, Change, ChangeLog},
    store::StoreError,
};

/// The port to changes on one fjall database, for one reader at a time. No row is kept in memory.
#[derive(Clone)]
pub struct EmbeddedChanges {
    engine: Engine,
}

impl EmbeddedChanges {
    /// The log of what is written through the engine.
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
            // Registered before looking: what is committed after the look wakes it.
            let mut arrived = pin!(self.rows().arrived.notified());
            arrived.as_mut().enable();
            if self.rows().waiting() > 0 {
                let changes = self
                    .engine
                    .run(Pool::Read, move |database| database.changes.read(&database.snapshot(), max))
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
        Ok(self.engine.run(Pool::Write, pass).await?)
    }

    async fn is_empty(&self) -> Result<bool, StoreError> {
        Ok(self.rows().waiting() == 0)
    }

    async fn backlog(&self) -> Result<Backlog, StoreError> {
        let changes = self.rows().waiting();
        if changes == 0 {
            return Ok(Backlog::default());
        }
        let oldest = self.engine.run(Pool::Read, |database| database.changes.oldest(&database.snapshot())).await?;
        Ok(Backlog { changes, oldest })
    }
}

impl fmt::Debug for EmbeddedChanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedChanges").field("engine", &self.engine).finish_non_exhaustive()
    }
}

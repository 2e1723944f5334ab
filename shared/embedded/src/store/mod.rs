//! The storage port on the embedded engine: one keyspace per table.
//!
//! - `read`: get, batch get, query, whole-table scan.
//! - `condition`: evaluates conditions and applies changes.
//! - `write`: batches, conditional writes, transactions.
//! - `expiry`: the index of expiring items. `expired_entries`: feed entries expire without it.

mod condition;
pub(super) mod expired_entries;
mod expiry;
pub(super) mod expiry_mark;
mod filling;
mod read;
mod sweep;
mod write;

use async_trait::async_trait;

use super::{engine::Engine, worker_pools::Lane};
use domain::Timestamp;
use ports::store::{
    BatchGot, BatchWrite, Consistency, Item, Key, Outcome, Query, QueryPage, ScanPage, Segment, Store, StoreError,
    Table, TableScan, Write,
};

/// The storage port on one fjall database. Every read is strongly consistent, and batches are always processed
/// completely.
#[derive(Debug, Clone)]
pub struct EmbeddedStore {
    engine: Engine,
}

impl EmbeddedStore {
    /// A store on the engine's tables. Any number may share one engine.
    pub fn new(engine: Engine) -> Self {
        Self { engine }
    }

    /// Removes the items whose [`ports::store::EXPIRES_AT`] has passed at `now`, and returns their number. Expired feed
    /// entries are not among them: compactions drop those, from now on.
    ///
    /// # Errors
    /// `Unavailable` if the engine fails; items removed by then stay removed.
    pub async fn sweep_expired(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.engine.database().expired_entries.expire(now);
        let mut removed = 0;
        loop {
            let swept = self.engine.run(Lane::BatchWrite, move |database| sweep::sweep_some(database, now)).await?;
            removed += swept.removed;
            if swept.is_last {
                return Ok(removed);
            }
        }
    }

    /// Rewrites a whole table, without what compaction drops. For tests and measurements.
    ///
    /// # Errors
    /// `Unavailable` if the engine fails.
    pub async fn compact(&self, table: Table) -> Result<(), StoreError> {
        Ok(self.engine.run(Lane::BatchWrite, move |database| database.compact(table)).await?)
    }

    /// Returns up to `limit` items of a table in key order, starting after `after` if given. Not part of the port, as
    /// no request reads a whole table. For tests and operator commands.
    ///
    /// # Errors
    /// `Unavailable` if the engine fails, `Malformed` if an item cannot be decoded.
    pub async fn scan(&self, table: Table, after: Option<Key>, limit: usize) -> Result<Vec<Item>, StoreError> {
        Ok(self.engine.run(Lane::Query, move |database| read::scan(database, table, after.as_ref(), limit)).await?)
    }
}

/// A single segment: only one process reads the engine.
#[async_trait]
impl TableScan for EmbeddedStore {
    async fn scan_segment(
        &self,
        table: Table,
        segment: Segment,
        after: Option<Key>,
        limit: u32,
    ) -> Result<ScanPage, StoreError> {
        if segment.total != 1 {
            return Err(StoreError::Rejected("the embedded store has a single segment to scan".into()));
        }
        let items = self.scan(table, after, usize::try_from(limit).unwrap_or(usize::MAX)).await?;
        let next = items.last().map(|item| item.key.clone());
        Ok(ScanPage { items, next, read_units: 0.0 })
    }
}

#[async_trait]
impl Store for EmbeddedStore {
    async fn get(&self, table: Table, key: &Key, _: Consistency) -> Result<Option<Item>, StoreError> {
        let key = key.clone();
        Ok(self.engine.run(Lane::Get, move |database| read::get(database, table, key)).await?)
    }

    async fn batch_get(&self, table: Table, keys: &[Key], _: Consistency) -> Result<BatchGot, StoreError> {
        let keys = keys.to_vec();
        let items = self.engine.run(Lane::BatchGet, move |database| read::batch_get(database, table, keys)).await?;
        Ok(BatchGot { items, unprocessed: Vec::new() })
    }

    async fn query(&self, query: &Query) -> Result<QueryPage, StoreError> {
        let query = query.clone();
        Ok(self.engine.run(Lane::Query, move |database| read::query(database, &query)).await?)
    }

    async fn batch_write(&self, table: Table, writes: &[BatchWrite]) -> Result<Vec<BatchWrite>, StoreError> {
        let batch = write::EncodedBatch::of(table, writes)?;
        self.engine.run(Lane::BatchWrite, move |database| batch.commit(database)).await?;
        Ok(Vec::new())
    }

    async fn write(&self, table: Table, write: Write) -> Result<Outcome, StoreError> {
        Ok(self.engine.run(Lane::Write, move |database| write::write(database, table, write)).await?)
    }

    async fn transact(&self, writes: Vec<(Table, Write)>) -> Result<Outcome, StoreError> {
        Ok(self.engine.run(Lane::Write, move |database| write::transact(database, writes)).await?)
    }

    async fn durable(&self) -> Result<(), StoreError> {
        Ok(self.engine.durable().await?)
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.engine.run(Lane::Get, read::probe).await?;
        self.engine.run(Lane::Write, write::probe).await?;
        Ok(self.engine.durable().await?)
    }
}

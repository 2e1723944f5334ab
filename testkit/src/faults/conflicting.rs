//! A store whose writes get into each other's way.

use std::sync::Arc;

use async_trait::async_trait;
use ports::store::{
    BatchGot, BatchWrite, Consistency, Item, Key, Outcome, Query, QueryPage, Store, StoreError, Table, Write,
};

use super::dice::{Dice, FaultSwitch};

/// A store that turns some transactions away as `DynamoDB` does when another one holds one of their items: nothing of
/// them happens, and nothing is said of their conditions.
#[derive(Debug)]
pub struct ConflictingStore {
    inner: Arc<dyn Store>,
    probability: f64,
    dice: Dice,
}

impl ConflictingStore {
    /// A store in which a transaction is turned away with this probability.
    pub fn new(inner: Arc<dyn Store>, probability: f64, seed: u64) -> Self {
        Self { inner, probability, dice: Dice::new(seed) }
    }

    /// What turns the conflicts off.
    pub fn switch(&self) -> FaultSwitch {
        self.dice.switch()
    }
}

#[async_trait]
impl Store for ConflictingStore {
    async fn get(&self, table: Table, key: &Key, consistency: Consistency) -> Result<Option<Item>, StoreError> {
        self.inner.get(table, key, consistency).await
    }

    async fn batch_get(&self, table: Table, keys: &[Key], consistency: Consistency) -> Result<BatchGot, StoreError> {
        self.inner.batch_get(table, keys, consistency).await
    }

    async fn query(&self, query: &Query) -> Result<QueryPage, StoreError> {
        self.inner.query(query).await
    }

    async fn batch_write(&self, table: Table, writes: &[BatchWrite]) -> Result<Vec<BatchWrite>, StoreError> {
        self.inner.batch_write(table, writes).await
    }

    async fn write(&self, table: Table, write: Write) -> Result<Outcome, StoreError> {
        self.inner.write(table, write).await
    }

    async fn transact(&self, writes: Vec<(Table, Write)>) -> Result<Outcome, StoreError> {
        if self.dice.happens(self.probability) {
            return Err(StoreError::Conflict);
        }
        self.inner.transact(writes).await
    }

    async fn durable(&self) -> Result<(), StoreError> {
        self.inner.durable().await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.inner.probe().await
    }
}

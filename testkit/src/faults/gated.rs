//! A store whose single writes wait at a gate.

use std::sync::Arc;

use async_trait::async_trait;
use ports::store::{
    BatchGot, BatchWrite, Consistency, Item, Key, Outcome, Query, QueryPage, Store, StoreError, Table, Write,
};
use tokio::sync::Semaphore;

/// A store that makes each single write when the gate lets it through. Everything else passes.
#[derive(Debug)]
pub struct GatedStore {
    inner: Arc<dyn Store>,
    gate: Semaphore,
}

impl GatedStore {
    /// A store whose gate is shut.
    pub fn new(inner: Arc<dyn Store>) -> Self {
        Self { inner, gate: Semaphore::new(0) }
    }

    /// Lets so many writes through, in the order in which they came.
    pub fn let_through(&self, writes: usize) {
        self.gate.add_permits(writes);
    }
}

#[async_trait]
impl Store for GatedStore {
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
        self.gate.acquire().await.expect("the gate is never closed for good").forget();
        self.inner.write(table, write).await
    }

    async fn transact(&self, writes: Vec<(Table, Write)>) -> Result<Outcome, StoreError> {
        self.inner.transact(writes).await
    }

    async fn durable(&self) -> Result<(), StoreError> {
        self.inner.durable().await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.inner.probe().await
    }
}

//! A store whose calls take their time.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use ports::store::{
    BatchGot, BatchWrite, Consistency, Item, Key, Outcome, Query, QueryPage, Store, StoreError, Table, Write,
};

/// A store each of whose calls takes this long on tokio's clock, which tests pause: so a budget is used up after a known
/// number of calls, however fast the machine is.
#[derive(Debug)]
pub struct SlowStore {
    inner: Arc<dyn Store>,
    pause: Duration,
}

impl SlowStore {
    /// A store whose calls take `pause`.
    pub fn new(inner: Arc<dyn Store>, pause: Duration) -> Self {
        Self { inner, pause }
    }
}

#[async_trait]
impl Store for SlowStore {
    async fn get(&self, table: Table, key: &Key, consistency: Consistency) -> Result<Option<Item>, StoreError> {
        tokio::time::sleep(self.pause).await;
        self.inner.get(table, key, consistency).await
    }

    async fn batch_get(&self, table: Table, keys: &[Key], consistency: Consistency) -> Result<BatchGot, StoreError> {
        tokio::time::sleep(self.pause).await;
        self.inner.batch_get(table, keys, consistency).await
    }

    async fn query(&self, query: &Query) -> Result<QueryPage, StoreError> {
        tokio::time::sleep(self.pause).await;
        self.inner.query(query).await
    }

    async fn batch_write(&self, table: Table, writes: &[BatchWrite]) -> Result<Vec<BatchWrite>, StoreError> {
        tokio::time::sleep(self.pause).await;
        self.inner.batch_write(table, writes).await
    }

    async fn write(&self, table: Table, write: Write) -> Result<Outcome, StoreError> {
        tokio::time::sleep(self.pause).await;
        self.inner.write(table, write).await
    }

    async fn transact(&self, writes: Vec<(Table, Write)>) -> Result<Outcome, StoreError> {
        tokio::time::sleep(self.pause).await;
        self.inner.transact(writes).await
    }

    async fn durable(&self) -> Result<(), StoreError> {
        self.inner.durable().await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.inner.probe().await
    }
}

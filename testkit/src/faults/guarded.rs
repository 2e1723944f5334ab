//! A store that asks before it writes a batch.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use futures::future::BoxFuture;
use ports::store::{
    BatchGot, BatchWrite, Consistency, Item, Key, Outcome, Query, QueryPage, Store, StoreError, Table, Write,
};

type Guard = dyn Fn(Table, &[BatchWrite]) -> BoxFuture<'static, Result<(), StoreError>> + Send + Sync;

/// A store of which each `batch_write` passes a guard first, which may hold it up, fail it, panic, or end the process:
/// for what is to befall certain writes and no others. All other calls pass.
pub struct GuardedStore {
    inner: Arc<dyn Store>,
    guard: Box<Guard>,
}

impl GuardedStore {
    /// A store behind this guard. A batch that it fails is not written.
    pub fn new<F>(inner: Arc<dyn Store>, guard: impl Fn(Table, &[BatchWrite]) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), StoreError>> + Send + 'static,
    {
        Self { inner, guard: Box::new(move |table, writes| Box::pin(guard(table, writes))) }
    }
}

impl fmt::Debug for GuardedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardedStore").field("inner", &self.inner).finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for GuardedStore {
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
        (self.guard)(table, writes).await?;
        self.inner.batch_write(table, writes).await
    }

    async fn write(&self, table: Table, write: Write) -> Result<Outcome, StoreError> {
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

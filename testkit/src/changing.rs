//! A store that notes its changes, as a table with a stream does: a change stream for tests, on any store.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use parking_lot::Mutex;
use ports::{
    changes::{Change, is_streamed},
    store::{
        Attributes, BatchGot, BatchWrite, Consistency, Item, Key, Outcome, Query, QueryPage, Store, StoreError, Table,
        Write, batch_get_all,
    },
};

/// What stands under some keys.
type Images = BTreeMap<Key, Attributes>;

/// A store that notes every change of a streamed item. Writes go one after another, so that images are exact.
#[derive(Debug)]
pub struct ChangingStore {
    inner: Arc<dyn Store>,
    changes: Mutex<Vec<Change>>,
    one_at_a_time: tokio::sync::Mutex<()>,
}

impl ChangingStore {
    /// Notes what is written from now on through this value.
    pub fn new(inner: Arc<dyn Store>) -> Self {
        Self { inner, changes: Mutex::default(), one_at_a_time: tokio::sync::Mutex::default() }
    }

    /// The changes that were noted since this was last called, in the order in which they happened.
    pub fn take_changes(&self) -> Vec<Change> {
        std::mem::take(&mut *self.changes.lock())
    }

    async fn images(&self, keys: &[Key]) -> Result<Images, StoreError> {
        let items = batch_get_all(&*self.inner, Table::Social, keys, Consistency::Strong).await?;
        Ok(items.into_iter().map(|item| (item.key, item.attributes)).collect())
    }

    async fn note<T: Send>(
        &self,
        keys: Vec<(Table, Key)>,
        write: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let _turn = self.one_at_a_time.lock().await;
        let streamed = keys.into_iter().filter(|(table, key)| is_streamed(*table, &key.partition));
        let keys: Vec<Key> = streamed.map(|(_, key)| key).collect();
        let mut before = self.images(&keys).await?;
        let written = write.await;
        let mut after = self.images(&keys).await?;
        let mut changes = self.changes.lock();
        for key in keys {
            let (before, after) = (before.remove(&key), after.remove(&key));
            if before != after {
                changes.push(Change { id: domain::random::uuid().to_string(), key, before, after });
            }
        }
        written
    }
}

#[async_trait]
impl Store for ChangingStore {
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
        let keys = writes.iter().map(|write| (table, write.key().clone())).collect();
        self.note(keys, self.inner.batch_write(table, writes)).await
    }

    async fn write(&self, table: Table, write: Write) -> Result<Outcome, StoreError> {
        let keys = vec![(table, write.key().clone())];
        self.note(keys, self.inner.write(table, write)).await
    }

    async fn transact(&self, writes: Vec<(Table, Write)>) -> Result<Outcome, StoreError> {
        let keys = writes.iter().map(|(table, write)| (*table, write.key().clone())).collect();
        self.note(keys, self.inner.transact(writes)).await
    }

    async fn durable(&self) -> Result<(), StoreError> {
        self.inner.durable().await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.inner.probe().await
    }
}

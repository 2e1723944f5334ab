//! A store that records its changes, like a table with a stream: a change stream for tests, on any store.

use std::{collections::BTreeMap, ops::Deref, sync::Arc};

use async_trait::async_trait;
use parking_lot::Mutex;
use ports::{
    changes::{Change, is_streamed},
    store::{
        Attributes, BatchGot, BatchWrite, Consistency, Item, Key, Outcome, Query, QueryPage, Store, StoreError, Table,
        Write, batch_get_all,
    },
};

use crate::faults::{HookedStore, StoreCall, StoreHook};

/// The attributes under some keys.
type Images = BTreeMap<Key, Attributes>;

/// A store that records every change of a streamed item. Writes are serialised, so that images are exact. A write is
/// recorded even if its caller is dropped meanwhile, as a killed process is while the store still answers it.
#[derive(Debug)]
pub struct ChangingStore(Arc<HookedStore<Notes>>);

/// The recorded changes.
#[derive(Debug)]
pub struct Notes {
    inner: Arc<dyn Store>,
    changes: Mutex<Vec<Change>>,
    one_at_a_time: tokio::sync::Mutex<()>,
}

impl ChangingStore {
    /// Wraps a store and records the writes made through this value.
    pub fn new(inner: Arc<dyn Store>) -> Self {
        let notes = Notes {
            inner: Arc::clone(&inner),
            changes: Mutex::default(),
            one_at_a_time: tokio::sync::Mutex::default(),
        };
        Self(Arc::new(HookedStore::with(inner, notes)))
    }
}

impl Deref for ChangingStore {
    type Target = Notes;

    fn deref(&self) -> &Notes {
        &self.0
    }
}

/// The outcome of a write that runs to its end, whether or not its caller still waits.
async fn to_the_end<T: Send + 'static>(
    write: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::spawn(write).await.expect("the write does not panic")
}

#[async_trait]
impl Store for ChangingStore {
    async fn get(&self, table: Table, key: &Key, consistency: Consistency) -> Result<Option<Item>, StoreError> {
        self.0.get(table, key, consistency).await
    }

    async fn batch_get(&self, table: Table, keys: &[Key], consistency: Consistency) -> Result<BatchGot, StoreError> {
        self.0.batch_get(table, keys, consistency).await
    }

    async fn query(&self, query: &Query) -> Result<QueryPage, StoreError> {
        self.0.query(query).await
    }

    async fn batch_write(&self, table: Table, writes: &[BatchWrite]) -> Result<Vec<BatchWrite>, StoreError> {
        let (store, writes) = (Arc::clone(&self.0), writes.to_vec());
        to_the_end(async move { store.batch_write(table, &writes).await }).await
    }

    async fn write(&self, table: Table, write: Write) -> Result<Outcome, StoreError> {
        let store = Arc::clone(&self.0);
        to_the_end(async move { store.write(table, write).await }).await
    }

    async fn transact(&self, writes: Vec<(Table, Write)>) -> Result<Outcome, StoreError> {
        let store = Arc::clone(&self.0);
        to_the_end(async move { store.transact(writes).await }).await
    }

    async fn durable(&self) -> Result<(), StoreError> {
        self.0.durable().await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.0.probe().await
    }
}

impl Notes {
    /// Takes the changes recorded since the last call, in order.
    pub fn take_changes(&self) -> Vec<Change> {
        std::mem::take(&mut *self.changes.lock())
    }

    async fn images(&self, keys: &[Key]) -> Result<Images, StoreError> {
        let items = batch_get_all(&*self.inner, Table::Social, keys, Consistency::Strong).await?;
        Ok(items.into_iter().map(|item| (item.key, item.attributes)).collect())
    }
}

impl StoreHook for Notes {
    async fn around<T: Send>(
        &self,
        call: StoreCall<'_>,
        make: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let written = call.written();
        if written.is_empty() {
            return make.await;
        }
        let _turn = self.one_at_a_time.lock().await;
        let streamed = written.into_iter().filter(|(table, key)| is_streamed(*table, &key.partition));
        let keys: Vec<Key> = streamed.map(|(_, key)| key).collect();
        let mut before = self.images(&keys).await?;
        let made = make.await;
        let mut after = self.images(&keys).await?;
        let mut changes = self.changes.lock();
        for key in keys {
            let (before, after) = (before.remove(&key), after.remove(&key));
            if before != after {
                changes.push(Change { id: domain::random::uuid().to_string(), key, before, after });
            }
        }
        made
    }
}

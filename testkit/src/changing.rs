//! A store that records its changes, like a table with a stream: a change stream for tests, on any store.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;
use ports::{
    changes::{Change, is_streamed},
    store::{Attributes, Consistency, Key, Store, StoreError, Table, batch_get_all},
};

use crate::faults::{HookedStore, StoreCall, StoreHook};

/// The attributes under some keys.
type Images = BTreeMap<Key, Attributes>;

/// A store that records every change of a streamed item. Writes are serialised, so that images are exact.
pub type ChangingStore = HookedStore<Notes>;

/// The recorded changes.
#[derive(Debug)]
pub struct Notes {
    inner: Arc<dyn Store>,
    changes: Mutex<Vec<Change>>,
    one_at_a_time: tokio::sync::Mutex<()>,
}

impl HookedStore<Notes> {
    /// Wraps a store and records the writes made through this value.
    pub fn new(inner: Arc<dyn Store>) -> Self {
        let notes = Notes {
            inner: Arc::clone(&inner),
            changes: Mutex::default(),
            one_at_a_time: tokio::sync::Mutex::default(),
        };
        Self::with(inner, notes)
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

//! The ledger of applied changes: what makes a change that is delivered twice count once.

use std::{collections::HashSet, sync::Arc};

use crate::keys;
use domain::{Timestamp, limits};
use ports::store::{Consistency, EXPIRES_AT, Item, Key, Store, StoreError, Table, Write, batch_get_all};

/// Ledger rows, in Social.
#[derive(Debug, Clone)]
pub struct Ledger {
    store: Arc<dyn Store>,
}

impl Ledger {
    /// The ledger in `store`.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// Which of these changes are applied. Read consistently, which only saves work: [`Self::entry`] is what keeps a
    /// change from being applied twice.
    pub async fn applied<'a>(
        &self,
        changes: impl Iterator<Item = &'a str> + Send,
    ) -> Result<HashSet<String>, StoreError> {
        // A batch may hold one change twice.
        let of_key: std::collections::HashMap<Key, &str> =
            changes.map(|change| (keys::applied_change(change), change)).collect();
        let keys: Vec<Key> = of_key.keys().cloned().collect();
        let items = batch_get_all(self.store.as_ref(), Table::Social, &keys, Consistency::Strong).await?;
        Ok(items.iter().filter_map(|item| of_key.get(&item.key).map(|change| (*change).to_owned())).collect())
    }

    /// The write that notes a change as applied, refused when it is: for the transaction that applies it. Forgotten
    /// after [`limits::LEDGER_TTL`].
    pub fn entry(change: &str, now: Timestamp) -> (Table, Write) {
        let expires_at = now.plus(limits::LEDGER_TTL).as_secs().cast_signed();
        (Table::Social, Write::create(Item::new(keys::applied_change(change)).with(EXPIRES_AT, expires_at)))
    }
}

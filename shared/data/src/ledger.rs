//! The ledger of applied changes, which makes a redelivered change count once.

use std::collections::HashSet;

use crate::{Db, Writes, keys};
use domain::{Timestamp, limits};
use ports::store::{Consistency, EXPIRES_AT, Item, Key, Retrying, StoreError, Table, Write};

/// Ledger rows, in Social.
#[derive(Debug, Clone)]
pub struct Ledger {
    store: Retrying,
}

impl Ledger {
    /// The ledger in `store`.
    pub fn new(db: impl Into<Db>) -> Self {
        Self { store: db.into().0 }
    }

    /// The changes among these that are applied. Read consistently, but only to save work: [`Self::entry`] is what
    /// prevents applying a change twice.
    pub async fn applied<'a>(
        &self,
        changes: impl Iterator<Item = &'a str> + Send,
    ) -> Result<HashSet<String>, StoreError> {
        // A batch may contain a change twice.
        let of_key: std::collections::HashMap<Key, &str> =
            changes.map(|change| (keys::applied_change(change), change)).collect();
        let keys: Vec<Key> = of_key.keys().cloned().collect();
        let items = self.store.get_all(Table::Social, &keys, Consistency::Strong).await?;
        Ok(items.iter().filter_map(|item| of_key.get(&item.key).map(|change| (*change).to_owned())).collect())
    }

    /// The write that records a change as applied, refused if it already is: for the transaction that applies it. The
    /// entry expires after [`limits::LEDGER_TTL`].
    pub fn entry(change: &str, now: Timestamp) -> Writes {
        let expires_at = now.plus(limits::LEDGER_TTL).as_secs().cast_signed();
        let item = Item::new(keys::applied_change(change)).with(EXPIRES_AT, expires_at);
        Writes::to(Table::Social, [Write::create(item)])
    }
}

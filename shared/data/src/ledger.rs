//! The ledger of applied changes: what makes a change that is delivered twice count once.

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
        let items = self.store.get_all(Table::Social, &keys, Consistency::Strong).await?;
        Ok(items.iter().filter_map(|item| of_key.get(&item.key).map(|change| (*change).to_owned())).collect())
    }

    /// The write that notes a change as applied, refused when it is: for the transaction that applies it. Forgotten
    /// after [`limits::LEDGER_TTL`].
    pub fn entry(change: &str, now: Timestamp) -> Writes {
        let expires_at = now.plus(limits::LEDGER_TTL).as_secs().cast_signed();
        let item = Item::new(keys::applied_change(change)).with(EXPIRES_AT, expires_at);
        Writes::to(Table::Social, [Write::create(item)])
    }
}

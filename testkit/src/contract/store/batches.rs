//! Batch get and batch write.

use std::collections::BTreeSet;

use domain::limits::{MAX_BATCH_GET, MAX_BATCH_WRITE};
use ports::store::{BatchWrite, Consistency, Item, Key, Outcome, Store, StoreError, batch_get_all, batch_write_all};

use super::{StoreHarness, TABLE, get, item, key, put};
use crate::contract::assert_rejected;

fn numbered(count: usize) -> Vec<Item> {
    (0..count).map(|n| item(&format!("p{}", n % 7), &format!("{n:04}")).with("n", n.cast_signed() as i64)).collect()
}

async fn write_all(store: &dyn Store, items: &[Item]) {
    for chunk in items.chunks(MAX_BATCH_WRITE) {
        let writes = chunk.iter().cloned().map(BatchWrite::Put).collect();
        assert_eq!(batch_write_all(store, TABLE, writes).await.unwrap(), []);
    }
}

async fn read_all(store: &dyn Store, keys: &[Key]) -> BTreeSet<Key> {
    let items = batch_get_all(store, TABLE, keys, Consistency::Strong).await.unwrap();
    items.into_iter().map(|item| item.key).collect()
}

/// Items are returned whole, in any order; keys without an item are left out, not unprocessed.
pub async fn batch_get_returns_exactly_the_existing_items(h: StoreHarness) {
    let mut stored = numbered(9);
    write_all(&*h.store, &stored).await;
    let keys: Vec<_> = stored.iter().map(|item| item.key.clone()).chain([key("p0", "none")]).collect();
    let mut found = batch_get_all(&*h.store, TABLE, &keys, Consistency::Strong).await.unwrap();
    found.sort_by(|a, b| a.key.cmp(&b.key));
    stored.sort_by(|a, b| a.key.cmp(&b.key));
    assert_eq!(found, stored);
}

/// The limit of one call.
pub async fn batch_get_takes_at_most_100_keys(h: StoreHarness) {
    let keys: Vec<_> = numbered(MAX_BATCH_GET + 1).into_iter().map(|item| item.key).collect();
    h.store.batch_get(TABLE, &keys[..MAX_BATCH_GET], Consistency::Strong).await.unwrap();
    assert_rejected!(StoreError, h.store.batch_get(TABLE, &keys, Consistency::Strong).await);
}

/// Keys are distinct.
pub async fn batch_get_rejects_a_key_named_twice(h: StoreHarness) {
    let keys = [key("p", "a"), key("p", "b"), key("p", "a")];
    assert_rejected!(StoreError, h.store.batch_get(TABLE, &keys, Consistency::Strong).await);
}

/// One batch may put and delete; deleting an absent item is no error.
pub async fn batch_write_puts_and_deletes(h: StoreHarness) {
    write_all(&*h.store, &[item("p", "old"), item("p", "other")]).await;
    let writes = vec![
        BatchWrite::Put(item("p", "new").with("n", 1)),
        BatchWrite::Delete(key("p", "old")),
        BatchWrite::Delete(key("p", "never was")),
    ];
    assert_eq!(batch_write_all(&*h.store, TABLE, writes).await.unwrap(), []);
    let asked = [key("p", "new"), key("p", "old"), key("p", "never was"), key("p", "other")];
    assert_eq!(read_all(&*h.store, &asked).await, [key("p", "new"), key("p", "other")].into());
}

/// A put replaces the whole item.
pub async fn batch_write_replaces_items_whole(h: StoreHarness) {
    put(&*h.store, item("p", "s").with("old", "x").with("n", 1)).await;
    write_all(&*h.store, &[item("p", "s").with("n", 2)]).await;
    assert_eq!(get(&*h.store, &key("p", "s")).await, Some(item("p", "s").with("n", 2)));
}

/// The limit of one call.
pub async fn batch_write_takes_at_most_25_writes(h: StoreHarness) {
    let writes: Vec<_> = numbered(MAX_BATCH_WRITE + 1).into_iter().map(BatchWrite::Put).collect();
    h.store.batch_write(TABLE, &writes[..MAX_BATCH_WRITE]).await.unwrap();
    assert_rejected!(StoreError, h.store.batch_write(TABLE, &writes).await);
}

/// Keys are distinct, even between a put and a delete.
pub async fn batch_write_rejects_duplicate_keys(h: StoreHarness) {
    let writes =
        vec![BatchWrite::Put(item("p", "other")), BatchWrite::Put(item("p", "s")), BatchWrite::Delete(key("p", "s"))];
    assert_rejected!(StoreError, h.store.batch_write(TABLE, &writes).await);
    assert_eq!(read_all(&*h.store, &[key("p", "s"), key("p", "other")]).await, BTreeSet::new());
}

/// An empty batch is valid.
pub async fn batches_of_nothing_do_nothing(h: StoreHarness) {
    let got = h.store.batch_get(TABLE, &[], Consistency::Strong).await.unwrap();
    assert_eq!((got.items, got.unprocessed), (vec![], vec![]));
    assert_eq!(h.store.batch_write(TABLE, &[]).await.unwrap(), []);
}

/// The same for transactions.
pub async fn a_transaction_of_nothing_is_applied(h: StoreHarness) {
    assert_eq!(h.store.transact(vec![]).await.unwrap(), Outcome::Applied);
}

//! Single items.

use ports::store::{Consistency, Table, Write};

use super::{StoreHarness, TABLE, attributes, get, item, key, put, values};

/// Every kind of read finds an item absent until it is put.
pub async fn a_missing_item_is_none(h: StoreHarness) {
    for consistency in [Consistency::Strong, Consistency::Eventual] {
        assert_eq!(h.store.get(TABLE, &key("p", "s"), consistency).await.unwrap(), None);
    }
}

/// Strings, numbers, booleans and bytes round-trip unchanged.
pub async fn every_kind_of_value_round_trips(h: StoreHarness) {
    let mut stored = item("pärtition#1", "sört 🦀");
    stored.attributes = attributes(values());
    put(&*h.store, stored.clone()).await;
    assert_eq!(get(&*h.store, &stored.key).await, Some(stored));
}

/// An item may consist of its key alone.
pub async fn an_item_without_attributes_is_there(h: StoreHarness) {
    put(&*h.store, item("p", "s")).await;
    assert_eq!(get(&*h.store, &key("p", "s")).await, Some(item("p", "s")));
}

/// DynamoDB allows items of 400 KB; 300 KiB is enough for this project.
pub async fn a_large_item_reads_back(h: StoreHarness) {
    let stored = item("p", "s").with("text", "x".repeat(300 * 1024));
    put(&*h.store, stored.clone()).await;
    assert_eq!(get(&*h.store, &stored.key).await, Some(stored));
}

/// The same key names a different item in each table.
pub async fn tables_share_no_items(h: StoreHarness) {
    for table in Table::ALL {
        let outcome = h.store.write(table, Write::create(item("p", "s").with("table", table.name()))).await;
        assert!(outcome.unwrap().is_applied());
    }
    for table in Table::ALL {
        let stored = h.store.get(table, &key("p", "s"), Consistency::Strong).await.unwrap().unwrap();
        assert_eq!(stored.text("table").unwrap(), table.name());
    }
}

/// Both succeed on an empty store.
pub async fn durable_and_probe_succeed(h: StoreHarness) {
    h.store.probe().await.unwrap();
    h.store.durable().await.unwrap();
    put(&*h.store, item("p", "s")).await;
    h.store.durable().await.unwrap();
}

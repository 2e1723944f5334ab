//! Single writes without conditions.

use ports::store::{BatchWrite, Changes, Condition, Key, Outcome, Store, StoreError, Value, Write};

use super::{StoreHarness, TABLE, attributes, get, item, key, put, values};
use crate::contract::assert_rejected;

async fn update(store: &dyn Store, key: Key, changes: Changes) -> Result<Outcome, StoreError> {
    store.write(TABLE, Write::Update { key, changes, condition: Condition::Always }).await
}

/// Nothing remains of the previous item.
pub async fn a_put_replaces_the_whole_item(h: StoreHarness) {
    put(&*h.store, item("p", "s").with("old", "x").with("n", 1)).await;
    put(&*h.store, item("p", "s").with("n", 2)).await;
    assert_eq!(get(&*h.store, &key("p", "s")).await, Some(item("p", "s").with("n", 2)));
}

/// Deleting an absent item is no error.
pub async fn a_delete_removes_and_may_be_repeated(h: StoreHarness) {
    put(&*h.store, item("p", "s")).await;
    for _ in 0..2 {
        assert_eq!(h.store.write(TABLE, Write::delete(key("p", "s"))).await.unwrap(), Outcome::Applied);
        assert_eq!(get(&*h.store, &key("p", "s")).await, None);
    }
}

/// A check is valid only within a transaction.
pub async fn a_check_alone_is_rejected(h: StoreHarness) {
    let check = Write::Check { key: key("p", "s"), condition: Condition::Absent };
    assert_rejected!(StoreError, h.store.write(TABLE, check).await);
}

/// DynamoDB's size limit of an item.
pub async fn an_item_above_400_kib_is_rejected(h: StoreHarness) {
    let large = item("p", "s").with("text", "x".repeat(400 * 1024));
    assert_rejected!(StoreError, h.store.write(TABLE, Write::put(large.clone())).await);
    assert_rejected!(StoreError, h.store.transact(vec![(TABLE, Write::put(large.clone()))]).await);
    assert_rejected!(StoreError, h.store.batch_write(TABLE, &[BatchWrite::Put(large)]).await);
    assert_eq!(get(&*h.store, &key("p", "s")).await, None);
}

/// One write may set, remove and add.
pub async fn an_update_keeps_all_other_attributes(h: StoreHarness) {
    let before = item("p", "s").with("kept", "k").with("changed", "old").with("removed", true).with("count", 40);
    put(&*h.store, before).await;
    let changes = Changes {
        set: attributes([("changed", Value::N(9)), ("new", Value::from(""))]),
        remove: vec!["removed", "never there"],
        add: vec![("count", 2)],
    };
    assert_eq!(update(&*h.store, key("p", "s"), changes).await.unwrap(), Outcome::Applied);
    let after = item("p", "s").with("kept", "k").with("changed", 9).with("count", 42).with("new", "");
    assert_eq!(get(&*h.store, &key("p", "s")).await, Some(after));
}

/// The created item has the values set, of every kind.
pub async fn an_update_makes_a_missing_item(h: StoreHarness) {
    let changes = Changes { set: attributes(values()), add: vec![("count", 1)], ..Changes::default() };
    assert_eq!(update(&*h.store, key("p", "s"), changes).await.unwrap(), Outcome::Applied);
    let mut expected = item("p", "s").with("count", 1);
    expected.attributes.extend(attributes(values()));
    assert_eq!(get(&*h.store, &key("p", "s")).await, Some(expected));
}

/// On an absent item, on an item without the attribute, and with a negative number.
pub async fn adding_counts_a_missing_attribute_as_zero(h: StoreHarness) {
    for expected in [-3, -6] {
        let changes = Changes { add: vec![("count", -3)], ..Changes::default() };
        assert!(update(&*h.store, key("p", "s"), changes).await.unwrap().is_applied());
        assert_eq!(get(&*h.store, &key("p", "s")).await, Some(item("p", "s").with("count", expected)));
    }
    put(&*h.store, item("p", "s").with("other", "x")).await;
    let changes = Changes { add: vec![("count", 5), ("second", 6)], ..Changes::default() };
    assert!(update(&*h.store, key("p", "s"), changes).await.unwrap().is_applied());
    let expected = item("p", "s").with("other", "x").with("count", 5).with("second", 6);
    assert_eq!(get(&*h.store, &key("p", "s")).await, Some(expected));
}

/// A rejected add changes nothing.
pub async fn adding_to_a_non_number_is_rejected(h: StoreHarness) {
    let before = item("p", "s").with("count", "seven");
    put(&*h.store, before.clone()).await;
    let changes = Changes { set: attributes([("x", Value::N(1))]), add: vec![("count", 1)], ..Changes::default() };
    assert_rejected!(StoreError, update(&*h.store, key("p", "s"), changes).await);
    assert_eq!(get(&*h.store, &key("p", "s")).await, Some(before));
}

/// DynamoDB reserves some 570 words that an expression must not name directly.
pub async fn attributes_may_have_reserved_names(h: StoreHarness) {
    put(&*h.store, item("p", "s").with("name", "n").with("ttl", 1).with("size", 1)).await;
    let changes =
        Changes { set: attributes([("status", Value::from("x"))]), remove: vec!["ttl"], add: vec![("size", 1)] };
    let condition = Condition::Where(vec![ports::store::Test::Equals("name", Value::from("n"))]);
    let write = Write::Update { key: key("p", "s"), changes, condition };
    assert_eq!(h.store.write(TABLE, write).await.unwrap(), Outcome::Applied);
    let expected = item("p", "s").with("name", "n").with("size", 2).with("status", "x");
    assert_eq!(get(&*h.store, &key("p", "s")).await, Some(expected));
}

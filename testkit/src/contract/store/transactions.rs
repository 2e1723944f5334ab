//! Transactions: all or nothing.

use domain::limits::MAX_TRANSACT;
use ports::store::{Changes, Condition, Consistency, Outcome, StoreError, Table, Test, Value, Write};

use super::{StoreHarness, TABLE, get, item, key, put};
use crate::contract::assert_rejected;

fn add(sort: &str, by: i64, condition: Condition) -> Write {
    Write::Update { key: key("p", sort), changes: Changes { add: vec![("n", by)], ..Changes::default() }, condition }
}

/// One transaction may put, update, delete and check.
pub async fn a_transaction_writes_to_several_tables_at_once(h: StoreHarness) {
    for sort in ["updated", "deleted", "checked"] {
        put(&*h.store, item("p", sort).with("n", 1)).await;
    }
    let writes = vec![
        (Table::Feed, Write::create(item("p", "made"))),
        (Table::Auth, Write::put(item("p", "made").with("n", 1))),
        (TABLE, add("updated", 1, Condition::Present)),
        (TABLE, Write::delete(key("p", "deleted"))),
        (TABLE, Write::Check { key: key("p", "checked"), condition: Condition::Present }),
        (TABLE, Write::Check { key: key("p", "never there"), condition: Condition::Always }),
    ];
    assert_eq!(h.store.transact(writes).await.unwrap(), Outcome::Applied);
    let made_key = key("p", "made");
    let made = |table| h.store.get(table, &made_key, Consistency::Strong);
    assert_eq!(made(Table::Feed).await.unwrap(), Some(item("p", "made")));
    assert_eq!(made(Table::Auth).await.unwrap(), Some(item("p", "made").with("n", 1)));
    assert_eq!(get(&*h.store, &key("p", "updated")).await, Some(item("p", "updated").with("n", 2)));
    assert_eq!(get(&*h.store, &key("p", "deleted")).await, None);
    assert_eq!(get(&*h.store, &key("p", "checked")).await, Some(item("p", "checked").with("n", 1)));
}

/// Names every index whose condition did not hold, and no other.
pub async fn a_refused_transaction_names_the_failed_conditions(h: StoreHarness) {
    put(&*h.store, item("p", "there").with("n", 1)).await;
    let writes = vec![
        (TABLE, Write::put(item("p", "a"))),
        (TABLE, Write::create(item("p", "there"))),
        (Table::Feed, Write::create(item("p", "there"))),
        (TABLE, Write::Check { key: key("p", "b"), condition: Condition::Present }),
        (TABLE, add("c", 1, Condition::Where(vec![Test::Equals("n", Value::N(0))]))),
    ];
    assert_eq!(h.store.transact(writes).await.unwrap(), Outcome::Refused(vec![1, 3, 4]));
    assert_eq!(get(&*h.store, &key("p", "there")).await, Some(item("p", "there").with("n", 1)));
    for (table, sort) in [(TABLE, "a"), (Table::Feed, "there"), (TABLE, "b"), (TABLE, "c")] {
        assert_eq!(h.store.get(table, &key("p", sort), Consistency::Strong).await.unwrap(), None, "{sort}");
    }
}

/// The limit of one call.
pub async fn a_transaction_holds_at_most_100_writes(h: StoreHarness) {
    let writes: Vec<_> = (0..=MAX_TRANSACT).map(|n| (TABLE, Write::create(item("p", &n.to_string())))).collect();
    assert_rejected!(StoreError, h.store.transact(writes.clone()).await);
    assert_eq!(get(&*h.store, &key("p", "0")).await, None);
    assert_eq!(h.store.transact(writes[..MAX_TRANSACT].to_vec()).await.unwrap(), Outcome::Applied);
    assert!(get(&*h.store, &key("p", "99")).await.is_some());
}

/// Holds even if one of the two is a check.
pub async fn a_transaction_rejects_a_key_named_twice(h: StoreHarness) {
    let check = Write::Check { key: key("p", "s"), condition: Condition::Absent };
    for second in [Write::delete(key("p", "s")), check] {
        let writes = vec![(TABLE, Write::put(item("p", "s"))), (TABLE, second)];
        assert_rejected!(StoreError, h.store.transact(writes).await);
        assert_eq!(get(&*h.store, &key("p", "s")).await, None);
    }
}

/// Keys are distinct within a table.
pub async fn a_transaction_may_repeat_a_key_across_tables(h: StoreHarness) {
    let writes = Table::ALL.into_iter().map(|table| (table, Write::create(item("p", "s")))).collect();
    assert_eq!(h.store.transact(writes).await.unwrap(), Outcome::Applied);
}

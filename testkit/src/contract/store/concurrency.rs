//! Concurrent writes: conditions are evaluated one after another in every interleaving.

use std::sync::Arc;

use futures::future::join_all;
use ports::store::{Changes, Condition, Outcome, Retrying, Store, Table, Test, Value, Write};

use super::{StoreHarness, TABLE, attributes, get, item, key, put};

/// The number of competing tasks.
const TASKS: i64 = 16;

/// Runs one write per task, all at once, and counts the applied ones. A conflict changes nothing, so it is retried.
async fn applied(store: &Arc<dyn Store>, writes: impl Fn(i64) -> Vec<(Table, Write)>) -> usize {
    let tasks = (0..TASKS).map(|task| {
        let (store, writes) = (Retrying::new(Arc::clone(store)), writes(task));
        tokio::spawn(async move { perform(&store, writes).await.expect("a write passes") })
    });
    join_all(tasks).await.into_iter().filter(|outcome| outcome.as_ref().expect("no panic").is_applied()).count()
}

/// Applies one write alone, or several as a transaction.
async fn perform(store: &Retrying, mut writes: Vec<(Table, Write)>) -> Result<Outcome, ports::store::StoreError> {
    if let [_] = writes.as_slice() {
        let (table, write) = writes.remove(0);
        return store.write(table, write).await;
    }
    store.transact(writes).await
}

fn add(sort: &str) -> (Table, Write) {
    let changes = Changes { add: vec![("n", 1)], ..Changes::default() };
    (TABLE, Write::Update { key: key("p", sort), changes, condition: Condition::Always })
}

/// All tasks write the same key.
pub async fn concurrent_creates_have_one_winner(h: StoreHarness) {
    let create = |task| vec![(TABLE, Write::create(item("p", "s").with("by", task)))];
    assert_eq!(applied(&h.store, create).await, 1);
}

/// All tasks read generation 1 and try to write generation 2.
pub async fn concurrent_swaps_have_one_winner(h: StoreHarness) {
    put(&*h.store, item("p", "s").with("generation", 1)).await;
    let swap = |task| {
        let changes =
            Changes { set: attributes([("generation", Value::N(2)), ("by", Value::N(task))]), ..Changes::default() };
        let condition = Condition::Where(vec![Test::Equals("generation", Value::N(1))]);
        vec![(TABLE, Write::Update { key: key("p", "s"), changes, condition })]
    };
    assert_eq!(applied(&h.store, swap).await, 1);
}

/// Each task writes a private item and a contended one: the losers leave nothing.
pub async fn concurrent_transactions_have_one_winner(h: StoreHarness) {
    let claim = |task: i64| {
        let own = Write::put(item("own", &task.to_string()));
        vec![(TABLE, own), (TABLE, Write::create(item("p", "s").with("by", task)))]
    };
    assert_eq!(applied(&h.store, claim).await, 1);
    let winner = get(&*h.store, &key("p", "s")).await.unwrap().number("by").unwrap();
    for task in 0..TASKS {
        assert_eq!(get(&*h.store, &key("own", &task.to_string())).await.is_some(), task == winner);
    }
}

/// No add is lost.
pub async fn concurrent_adds_are_exact(h: StoreHarness) {
    assert_eq!(applied(&h.store, |_| vec![add("s")]).await, 16);
    assert_eq!(get(&*h.store, &key("p", "s")).await, Some(item("p", "s").with("n", TASKS)));
}

/// No add is lost in a transaction either, in any order of its keys.
pub async fn concurrent_adds_in_transactions_are_exact(h: StoreHarness) {
    let both = |task: i64| if task % 2 == 0 { vec![add("a"), add("b")] } else { vec![add("b"), add("a")] };
    assert_eq!(applied(&h.store, both).await, 16);
    for sort in ["a", "b"] {
        assert_eq!(get(&*h.store, &key("p", sort)).await, Some(item("p", sort).with("n", TASKS)));
    }
}

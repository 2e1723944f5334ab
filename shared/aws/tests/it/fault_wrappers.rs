//! The fault wrappers inject the configured faults, and the retries above the ports handle them.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use ports::{
    queue::{OutgoingMessage, Queue, QueueError, QueueName, delete_all, send_all},
    store::{
        BatchWrite, Consistency, Item, Key, Order, Projection, Query, QueryPage, Retrying, SortRange, Store,
        StoreError, Table, Write, batch_get_all, batch_write_all,
    },
};
use testkit::{
    contract::queue::settings,
    engines,
    faults::{CountingQueue, CountingStore, FaultyQueue, FaultyStore, QueueFaults, StaleStore, StoreFaults},
};

const TABLE: Table = Table::Social;

async fn store() -> Arc<dyn Store> {
    Arc::new(engines::dynamo().await.store())
}

async fn queue() -> Arc<dyn Queue> {
    Arc::new(engines::sqs(settings).await.queue())
}

fn key(sort: &str) -> Key {
    Key { partition: "p".to_owned(), sort: sort.to_owned() }
}

fn item(sort: &str, n: i64) -> Item {
    Item::new(key(sort)).with("n", n)
}

async fn put(store: &dyn Store, item: Item) {
    assert!(store.write(TABLE, Write::put(item)).await.unwrap().is_applied());
}

async fn get(store: &dyn Store, sort: &str, consistency: Consistency) -> Option<i64> {
    let item = store.get(TABLE, &key(sort), consistency).await.unwrap();
    item.map(|item| item.number("n").unwrap())
}

fn message(body: &str) -> OutgoingMessage {
    OutgoingMessage { body: body.to_owned(), group: "group".to_owned(), delay: Duration::ZERO }
}

fn query(order: Order, start_after: Option<&str>, limit: Option<u32>) -> Query {
    Query {
        table: TABLE,
        partition: "p".to_owned(),
        range: SortRange::All,
        order,
        start_after: start_after.map(str::to_owned),
        limit,
        consistency: Consistency::Eventual,
        projection: Projection::All,
    }
}

/// The outcomes of a series of writes, one letter each.
async fn fates(seed: u64) -> String {
    let faulty = FaultyStore::new(store().await, StoreFaults::all(0.2), seed);
    let mut fates = String::new();
    for n in 0..60 {
        fates.push(match faulty.write(TABLE, Write::put(item("a", n))).await {
            Ok(_) => '.',
            Err(StoreError::Throttled) => 't',
            Err(StoreError::Unavailable(cause)) if cause.to_string().contains("lost") => 'a',
            Err(StoreError::Unavailable(_)) => 'b',
            Err(error) => panic!("{error:?}"),
        });
    }
    fates
}

#[tokio::test]
async fn one_seed_repeats_its_faults() {
    let first = fates(1).await;
    assert_eq!(fates(1).await, first);
    assert_ne!(fates(2).await, first);
    assert!("tab.".chars().all(|fate| first.contains(fate)), "{first}");
}

#[tokio::test]
async fn only_failures_after_a_write_keep_it() {
    let inner = store().await;
    let always = |faults| FaultyStore::new(Arc::clone(&inner), faults, 0);
    let before = always(StoreFaults { unavailable_before: 1.0, ..StoreFaults::default() });
    assert!(matches!(before.write(TABLE, Write::put(item("a", 1))).await, Err(StoreError::Unavailable(_))));
    assert_eq!(get(&*inner, "a", Consistency::Strong).await, None);
    let after = always(StoreFaults { unavailable_after: 1.0, ..StoreFaults::default() });
    assert!(matches!(after.write(TABLE, Write::put(item("a", 1))).await, Err(StoreError::Unavailable(_))));
    assert_eq!(get(&*inner, "a", Consistency::Strong).await, Some(1));
    after.switch().turn_off();
    put(&after, item("a", 2)).await;
}

#[tokio::test]
async fn retries_bring_everything_through_a_faulty_store() {
    let faulty = FaultyStore::new(store().await, StoreFaults::all(0.1), 7);
    let items: Vec<_> = (0..25).map(|n| item(&format!("{n:02}"), n)).collect();
    let mut left: Vec<_> = items.iter().cloned().map(BatchWrite::Put).collect();
    while !left.is_empty() {
        left = batch_write_all(&faulty, TABLE, left).await.unwrap();
    }
    let keys: Vec<_> = items.iter().map(|item| item.key.clone()).collect();
    let mut found = batch_get_all(&faulty, TABLE, &keys, Consistency::Strong).await.unwrap();
    found.sort_by(|a, b| a.key.cmp(&b.key));
    assert_eq!(found, items);
    let page = Retrying::new(Arc::new(faulty)).query(&query(Order::Ascending, None, None)).await.unwrap();
    assert_eq!(page.items, items);
}

#[tokio::test]
async fn only_eventual_reads_miss_the_last_writes() {
    let stale = StaleStore::new(store().await, 2);
    for n in 1..=4 {
        put(&stale, item("a", n)).await;
    }
    assert_eq!(get(&stale, "a", Consistency::Eventual).await, Some(2));
    assert_eq!(get(&stale, "a", Consistency::Strong).await, Some(4));
    put(&stale, item("b", 9)).await;
    assert_eq!(
        (get(&stale, "a", Consistency::Eventual).await, get(&stale, "b", Consistency::Eventual).await),
        (Some(3), None)
    );
    let both = [key("a"), key("b")];
    let found = batch_get_all(&stale, TABLE, &both, Consistency::Eventual).await.unwrap();
    assert_eq!(found, [item("a", 3)]);
    stale.catch_up();
    assert_eq!(get(&stale, "b", Consistency::Eventual).await, Some(9));
}

#[tokio::test]
async fn an_eventual_query_pages_through_the_past() {
    let stale = StaleStore::new(store().await, 3);
    for sort in ["a", "b", "c", "d"] {
        put(&stale, item(sort, 1)).await;
    }
    stale.catch_up();
    let writes = vec![BatchWrite::Put(item("b", 2)), BatchWrite::Put(item("bb", 2))];
    assert_eq!(stale.batch_write(TABLE, &writes).await.unwrap(), []);
    put(&stale, item("e", 2)).await;
    assert!(stale.transact(vec![(TABLE, Write::delete(key("c")))]).await.unwrap().is_applied());

    let page = async |order, after, limit| stale.query(&query(order, after, limit)).await.unwrap();
    let read = |page: QueryPage| {
        let items = page.items.into_iter().map(|item| format!("{}{}", item.key.sort, item.number("n").unwrap()));
        (items.collect::<Vec<_>>().join(" "), page.next)
    };
    assert_eq!(read(page(Order::Ascending, None, None).await), ("a1 b1 c1 d1".to_owned(), None));
    assert_eq!(read(page(Order::Descending, None, Some(3)).await), ("d1 c1 b1".to_owned(), Some("b".to_owned())));
    assert_eq!(read(page(Order::Descending, Some("b"), Some(3)).await), ("a1".to_owned(), None));
    let keys = Query { projection: Projection::Keys, ..query(Order::Ascending, None, Some(2)) };
    assert_eq!(stale.query(&keys).await.unwrap().items, [Item::new(key("a")), Item::new(key("b"))]);
    let strong = Query { consistency: Consistency::Strong, ..query(Order::Ascending, None, None) };
    assert_eq!(read(stale.query(&strong).await.unwrap()).0, "a1 b2 bb2 d1 e2");
}

#[tokio::test]
async fn a_faulty_queue_delivers_all_messages() {
    let faulty = FaultyQueue::new(queue().await, QueueFaults::all(0.1), 3);
    let bodies: BTreeSet<_> = (0..60).map(|n| n.to_string()).collect();
    let messages: Vec<_> = bodies.iter().map(|body| message(body)).collect();
    while send_all(&faulty, QueueName::JobQ, messages.clone()).await.is_err() {}
    // Messages of a failed receive return after the queue's timeout of a second.
    let mut received = Vec::new();
    while received.iter().cloned().collect::<BTreeSet<String>>() != bodies {
        match faulty.receive(QueueName::JobQ, 10, Duration::from_secs(2), None).await {
            Ok(messages) => {
                let receipts = messages.iter().map(|message| message.receipt.clone()).collect();
                received.extend(messages.into_iter().map(|message| message.body));
                delete_all(&faulty, QueueName::JobQ, receipts).await.unwrap();
            }
            Err(error) => assert!(error.is_transient(), "{error:?}"),
        }
    }
    assert!(received.len() > bodies.len());
}

#[tokio::test]
async fn certain_duplication_delivers_every_message_twice() {
    let faults = QueueFaults { duplicated: 1.0, ..QueueFaults::default() };
    let faulty = FaultyQueue::new(queue().await, faults, 0);
    send_all(&faulty, QueueName::PostQ, vec![message("a"), message("b")]).await.unwrap();
    let mut received = Vec::new();
    while received.len() < 4 {
        for message in faulty.receive(QueueName::PostQ, 10, Duration::from_secs(20), None).await.unwrap() {
            delete_all(&faulty, QueueName::PostQ, vec![message.receipt]).await.unwrap();
            received.push((message.body, message.receive_count));
        }
    }
    received.sort();
    assert_eq!(received, [("a", 1), ("a", 2), ("b", 1), ("b", 2)].map(|(body, count)| (body.to_owned(), count)));
    assert_eq!(faulty.pending_duplicates(QueueName::PostQ), 0);
}

#[tokio::test]
async fn a_disabled_or_throttled_queue_reports_it() {
    let faults = QueueFaults { throttled: 1.0, ..QueueFaults::default() };
    let faulty = FaultyQueue::new(queue().await, faults, 0);
    let result = faulty.send(QueueName::PostQ, vec![message("a")]).await;
    assert!(matches!(result, Err(QueueError::Throttled)), "{result:?}");
    faulty.switch().turn_off();
    assert_eq!(faulty.send(QueueName::PostQ, vec![message("a")]).await.unwrap(), []);
}

#[tokio::test]
async fn counters_count_calls_and_entries() {
    let store = CountingStore::new(store().await);
    let writes: Vec<_> = (0..3).map(|n| BatchWrite::Put(item(&n.to_string(), n))).collect();
    assert_eq!(store.batch_write(TABLE, &writes).await.unwrap(), []);
    get(&store, "1", Consistency::Strong).await;
    get(&store, "1", Consistency::Eventual).await;
    let counts = store.take_counts();
    assert_eq!((counts.batch_write, counts.batch_entries_written), (1, 3));
    assert_eq!((counts.get, counts.strong_reads), (2, 1));
    assert_eq!(store.counts(), testkit::faults::StoreCounts::default());

    let queue = CountingQueue::new(queue().await);
    send_all(&queue, QueueName::PostQ, vec![message("a"); 12]).await.unwrap();
    assert_eq!((queue.counts(QueueName::PostQ).send, queue.counts(QueueName::PostQ).messages_sent), (2, 12));
    assert_eq!(queue.counts(QueueName::JobQ).send, 0);
}

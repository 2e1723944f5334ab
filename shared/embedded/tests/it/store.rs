use std::{sync::Arc, time::Duration};

use domain::Timestamp;
use embedded::EmbeddedStore;
use futures::future::join_all;
use ports::store::{
    BatchWrite, Changes, Condition, Consistency, EXPIRES_AT, Item, Order, Outcome, Projection, Query, QueryPage,
    Segment, SortRange, Store, StoreError, Table, TableScan, Test, Value, Write,
};

use testkit::contract::scan::{filled, scanned};

use crate::it::{engine, get, item, key, store};

fn query(partition: &str) -> Query {
    Query {
        table: Table::Social,
        partition: partition.to_owned(),
        range: SortRange::All,
        order: Order::Ascending,
        start_after: None,
        limit: None,
        consistency: Consistency::Strong,
        projection: Projection::All,
    }
}

fn sorts(page: &QueryPage) -> Vec<&str> {
    page.items.iter().map(|item| item.key.sort.as_str()).collect()
}

fn add(attribute: &'static str, by: i64, condition: Condition) -> Write {
    let changes = Changes { add: vec![(attribute, by)], ..Changes::default() };
    Write::Update { key: key("p", "s"), changes, condition }
}

async fn put_all(store: &impl Store, items: Vec<Item>) {
    for chunk in items.chunks(25) {
        let writes: Vec<_> = chunk.iter().cloned().map(BatchWrite::Put).collect();
        assert_eq!(store.batch_write(Table::Social, &writes).await.expect("written"), []);
    }
}

#[tokio::test]
async fn a_query_reads_its_range_in_either_direction() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(folder.path());
    let rows = [("a", "1"), ("p", "a1"), ("p", "a2"), ("p", "b"), ("p", "c"), ("p#", "a1"), ("q", "1")];
    put_all(&store, rows.map(|(partition, sort)| item(partition, sort)).to_vec()).await;

    let read = async |query: Query| {
        let page = store.query(&query).await.expect("a page");
        sorts(&page).join(" ")
    };
    let falling = Query { order: Order::Descending, ..query("p") };
    assert_eq!(read(query("p")).await, "a1 a2 b c");
    assert_eq!(read(falling.clone()).await, "c b a2 a1");
    assert_eq!(read(Query { range: SortRange::Prefix("a".to_owned()), ..query("p") }).await, "a1 a2");
    let between = SortRange::Between("a2".to_owned(), "b".to_owned());
    assert_eq!(read(Query { range: between.clone(), ..falling.clone() }).await, "b a2");
    assert_eq!(read(Query { start_after: Some("a15".to_owned()), ..query("p") }).await, "a2 b c");
    assert_eq!(read(Query { start_after: Some("a15".to_owned()), ..falling.clone() }).await, "a1");
    assert_eq!(read(Query { range: between.clone(), start_after: Some("b".to_owned()), ..query("p") }).await, "");
    assert_eq!(read(Query { range: between, start_after: Some("a2".to_owned()), ..falling }).await, "");
    assert_eq!(read(query("nobody")).await, "");
}

#[tokio::test]
async fn pages_end_at_the_limit_and_cover_everything() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(folder.path());
    put_all(&store, (0..7).map(|n| item("p", &n.to_string())).collect()).await;
    for order in [Order::Ascending, Order::Descending] {
        let (mut seen, mut start_after) = (Vec::new(), None);
        loop {
            let asked = Query { limit: Some(3), order, start_after, ..query("p") };
            let page = store.query(&asked).await.expect("a page");
            assert!(page.items.len() <= 3);
            seen.extend(sorts(&page).into_iter().map(str::to_owned));
            start_after = page.next;
            if start_after.is_none() {
                break;
            }
        }
        if order == Order::Descending {
            seen.reverse();
        }
        assert_eq!(seen, ["0", "1", "2", "3", "4", "5", "6"]);
    }
}

#[tokio::test]
async fn a_page_without_limit_ends_at_one_mebibyte() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(folder.path());
    put_all(&store, (0..4).map(|n| item("p", &n.to_string()).with("x", "x".repeat(390 * 1024))).collect()).await;
    let page = store.query(&query("p")).await.expect("a page");
    assert_eq!(sorts(&page), ["0", "1", "2"]);
    assert_eq!(page.next.as_deref(), Some("2"));
}

#[tokio::test]
async fn a_write_happens_if_its_condition_holds() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(folder.path());
    let stored = item("p", "s").with("state", "on").with("count", 5);
    let holds = async |condition: Condition| {
        let check = Write::Check { key: key("p", "s"), condition };
        store.transact(vec![(Table::Social, check)]).await.expect("an outcome").is_applied()
    };
    assert!(holds(Condition::Absent).await && !holds(Condition::Present).await);
    assert!(!holds(Condition::Where(vec![])).await && holds(Condition::AbsentOr(vec![Test::Missing("x")])).await);

    put_all(&store, vec![stored]).await;
    assert!(!holds(Condition::Absent).await && holds(Condition::Present).await && holds(Condition::Always).await);
    let tests = [
        (Test::Equals("state", Value::from("on")), true),
        (Test::Equals("state", Value::from("off")), false),
        (Test::Equals("gone", Value::from("on")), false),
        (Test::Missing("gone"), true),
        (Test::Missing("state"), false),
        (Test::AtMost("count", 5), true),
        (Test::AtMost("count", 4), false),
        (Test::AtMost("state", 4), false),
    ];
    for (test, expected) in tests {
        assert_eq!(holds(Condition::Where(vec![test.clone()])).await, expected, "{test:?}");
        assert_eq!(holds(Condition::AbsentOr(vec![test.clone()])).await, expected, "{test:?}");
    }
}

#[tokio::test]
async fn an_update_changes_or_creates_an_item() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(folder.path());
    assert!(store.write(Table::Social, add("count", 2, Condition::Always)).await.expect("written").is_applied());
    let changes =
        Changes { set: item("", "").with("name", "n").attributes, remove: vec!["missing"], add: vec![("count", -5)] };
    let update = Write::Update { key: key("p", "s"), changes, condition: Condition::Present };
    assert!(store.write(Table::Social, update).await.expect("written").is_applied());
    assert_eq!(get(&store, &key("p", "s")).await, Some(item("p", "s").with("name", "n").with("count", -3)));

    let error = store.write(Table::Social, add("name", 1, Condition::Always)).await.expect_err("no number");
    assert!(matches!(error, StoreError::Rejected(_)));
    let error = store.write(Table::Social, add("count", i64::MIN, Condition::Always)).await.expect_err("too small");
    assert!(matches!(error, StoreError::Rejected(_)));
}

#[tokio::test]
async fn a_transaction_is_atomic_and_reports_failed_conditions() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(folder.path());
    put_all(&store, vec![item("p", "there")]).await;
    let writes = vec![
        (Table::Social, Write::create(item("p", "new"))),
        (Table::Social, Write::create(item("p", "there"))),
        (Table::Feed, Write::create(item("p", "there"))),
        (Table::Social, Write::Check { key: key("p", "gone"), condition: Condition::Present }),
    ];
    assert_eq!(store.transact(writes.clone()).await.expect("an outcome"), Outcome::Refused(vec![1, 3]));
    assert_eq!(get(&store, &key("p", "new")).await, None);
    let good = vec![writes[0].clone(), writes[2].clone()];
    assert_eq!(store.transact(good).await.expect("an outcome"), Outcome::Applied);
    assert_eq!(get(&store, &key("p", "new")).await, Some(item("p", "new")));
}

#[tokio::test]
async fn calls_beyond_the_limits_are_rejected() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(folder.path());
    let puts = |count: usize| (0..count).map(|n| BatchWrite::Put(item("p", &n.to_string()))).collect::<Vec<_>>();
    let keys = |count: usize| (0..count).map(|n| key("p", &n.to_string())).collect::<Vec<_>>();
    let creates =
        |count: usize| (0..count).map(|n| (Table::Social, Write::create(item("t", &n.to_string())))).collect();
    let table = Table::Social;
    let rejected = |result: Result<(), StoreError>| matches!(result, Err(StoreError::Rejected(_)));

    assert_eq!(store.batch_write(table, &puts(25)).await.expect("written"), []);
    assert!(rejected(store.batch_write(table, &puts(26)).await.map(drop)));
    assert!(rejected(store.batch_write(table, &[puts(1)[0].clone(), puts(1)[0].clone()]).await.map(drop)));
    assert_eq!(store.batch_get(table, &keys(100), Consistency::Strong).await.expect("read").items.len(), 25);
    assert!(rejected(store.batch_get(table, &keys(101), Consistency::Strong).await.map(drop)));
    assert!(rejected(store.batch_get(table, &vec![key("p", "1"); 2], Consistency::Strong).await.map(drop)));
    assert!(store.transact(creates(100)).await.expect("written").is_applied());
    assert!(rejected(store.transact(creates(101)).await.map(drop)));
    let twice = vec![(table, Write::delete(key("p", "1"))), (table, Write::create(item("p", "1")))];
    assert!(rejected(store.transact(twice).await.map(drop)));
    let check = Write::Check { key: key("p", "1"), condition: Condition::Present };
    assert!(rejected(store.write(table, check).await.map(drop)));
    assert!(rejected(store.get(table, &key("a\0b", "s"), Consistency::Strong).await.map(drop)));
    let large = item("p", "s").with("x", "x".repeat(400 * 1024));
    assert!(rejected(store.write(table, Write::put(large)).await.map(drop)));
    assert!(rejected(store.query(&Query { limit: Some(0), ..query("p") }).await.map(drop)));
}

#[tokio::test(flavor = "multi_thread")]
async fn exactly_one_concurrent_creation_wins() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Arc::new(store(folder.path()));
    let racers = (0..50).map(|n| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let claim = item("p", "claim").with("by", n);
            let other = item("p", &format!("other-{n}"));
            let both = vec![(Table::Social, Write::create(claim)), (Table::Social, Write::create(other))];
            store.transact(both).await.expect("an outcome").is_applied()
        })
    });
    let winners = join_all(racers).await.into_iter().filter(|won| *won.as_ref().expect("no panic")).count();
    assert_eq!(winners, 1);
    assert_eq!(store.query(&query("p")).await.expect("a page").items.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_additions_are_exact() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Arc::new(store(folder.path()));
    let adders = (0..8).map(|_| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            for _ in 0..25 {
                let added = store.write(Table::Social, add("count", 1, Condition::Always)).await.expect("written");
                assert!(added.is_applied());
            }
        })
    });
    join_all(adders).await.into_iter().for_each(|done| done.expect("no panic"));
    let counter = get(&store, &key("p", "s")).await.expect("it is there");
    assert_eq!(counter.number("count"), Ok(200));
}

#[tokio::test]
async fn expired_items_are_removed_and_renewed_ones_stay() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(folder.path());
    let expiring = |sort: &str, seconds: i64| item("p", sort).with(EXPIRES_AT, seconds);
    put_all(&store, vec![expiring("gone", 100), expiring("renewed", 100), expiring("kept", 100), item("p", "ever")])
        .await;
    put_all(&store, vec![expiring("renewed", 300), item("p", "kept")]).await;

    let at = |seconds: u64| Timestamp::default().plus(Duration::from_secs(seconds));
    assert_eq!(store.sweep_expired(at(99)).await.expect("swept"), 0);
    assert_eq!(store.sweep_expired(at(101)).await.expect("swept"), 1);
    assert_eq!(sorts(&store.query(&query("p")).await.expect("a page")), ["ever", "kept", "renewed"]);
    assert_eq!(store.sweep_expired(at(301)).await.expect("swept"), 1);
    assert_eq!(store.sweep_expired(at(301)).await.expect("swept"), 0);
}

#[tokio::test]
async fn an_item_already_expired_at_write_is_removed() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(folder.path());
    let at = |seconds: u64| Timestamp::default().plus(Duration::from_secs(seconds));
    put_all(&store, vec![item("p", "first").with(EXPIRES_AT, 100), item("p", "later").with(EXPIRES_AT, 200)]).await;
    assert_eq!(store.sweep_expired(at(150)).await.expect("swept"), 1);
    let late = item("p", "late").with(EXPIRES_AT, 50);
    assert!(store.write(Table::Social, Write::put(late)).await.expect("written").is_applied());
    put_all(&store, vec![item("p", "batched").with(EXPIRES_AT, 60)]).await;
    assert_eq!(store.sweep_expired(at(40)).await.expect("swept"), 0, "the clock was set back");
    assert_eq!(store.sweep_expired(at(150)).await.expect("swept"), 2);
    assert_eq!(store.sweep_expired(at(200)).await.expect("swept"), 1);
}

#[tokio::test]
async fn expired_items_are_removed_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |seconds: u64| Timestamp::default().plus(Duration::from_secs(seconds));
    let first = store(folder.path());
    put_all(&first, vec![item("p", "a").with(EXPIRES_AT, 100), item("p", "b").with(EXPIRES_AT, 200)]).await;
    assert_eq!(first.sweep_expired(at(150)).await.expect("swept"), 1);
    put_all(&first, vec![item("p", "c").with(EXPIRES_AT, 50)]).await;
    drop(first);
    assert_eq!(store(folder.path()).sweep_expired(at(250)).await.expect("swept"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn sweeps_beside_writers_miss_no_expired_item() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(folder.path());
    let now = Timestamp::default().plus(Duration::from_secs(1_000));
    let writers = (0..4_i64).map(|writer| {
        let store = store.clone();
        tokio::spawn(async move {
            for n in 0..300_i64 {
                let expired = item("p", &format!("{writer}-{n}")).with(EXPIRES_AT, (n * 37 + writer) % 1_000);
                assert!(store.write(Table::Social, Write::put(expired)).await.expect("written").is_applied());
            }
        })
    });
    let writing = tokio::spawn(join_all(writers));
    let mut removed = 0;
    while !writing.is_finished() {
        removed += store.sweep_expired(now).await.expect("swept");
    }
    writing.await.expect("no panic").into_iter().for_each(|done| done.expect("no panic"));
    removed += store.sweep_expired(now).await.expect("swept");
    assert_eq!(removed, 1_200);
    assert_eq!(store.scan(Table::Social, None, 10).await.expect("scanned"), []);
}

#[tokio::test]
async fn compactions_drop_expired_feed_entries() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(folder.path());
    let put = async |sort: &str, seconds: i64| {
        let entry = item("reader", sort).with(EXPIRES_AT, seconds);
        assert_eq!(store.batch_write(Table::Feed, &[BatchWrite::Put(entry)]).await.expect("written"), []);
    };
    let left = async || {
        store.compact(Table::Feed).await.expect("compacted");
        let items = store.scan(Table::Feed, None, 10).await.expect("scanned");
        items.into_iter().map(|item| item.key.sort).collect::<Vec<_>>()
    };
    for (sort, seconds) in [("expired", 100), ("renewed", 100), ("shortened", 300), ("young", 300)] {
        put(sort, seconds).await;
    }
    assert_eq!(left().await, ["expired", "renewed", "shortened", "young"], "no sweep has told the time");
    put("renewed", 300).await;
    put("shortened", 100).await;
    assert_eq!(store.sweep_expired(Timestamp::from_millis(99_000)).await.expect("swept"), 0);
    assert_eq!(left().await, ["expired", "renewed", "shortened", "young"]);
    assert_eq!(store.sweep_expired(Timestamp::from_millis(200_000)).await.expect("swept"), 0);
    assert_eq!(left().await, ["renewed", "young"]);
}

#[tokio::test]
async fn a_feed_entry_has_no_expiry_row() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(folder.path());
    let entry = item("reader", "post").with(EXPIRES_AT, 100);
    assert_eq!(store.batch_write(Table::Feed, &[BatchWrite::Put(entry.clone())]).await.expect("written"), []);
    assert_eq!(store.sweep_expired(Timestamp::from_millis(200_000)).await.expect("swept"), 0);
    assert_eq!(store.scan(Table::Feed, None, 10).await.expect("scanned"), [entry]);
}

#[tokio::test]
async fn a_sweep_continues_until_nothing_is_due() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(folder.path());
    put_all(&store, (0..600).map(|n| item("p", &n.to_string()).with(EXPIRES_AT, 10 + n % 3)).collect()).await;
    assert_eq!(store.sweep_expired(Timestamp::from_millis(60_000)).await.expect("swept"), 600);
    assert_eq!(store.scan(Table::Social, None, 10).await.expect("scanned"), []);
}

#[tokio::test]
async fn a_scan_reads_the_whole_table_in_pages() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(folder.path());
    put_all(&store, (0..7).map(|n| item(&n.to_string(), "s")).collect()).await;
    let (mut seen, mut after) = (0, None);
    loop {
        let piece = store.scan(Table::Social, after, 3).await.expect("scanned");
        let Some(last) = piece.last() else { break };
        seen += piece.len();
        after = Some(last.key.clone());
    }
    assert_eq!(seen, 7);
    store.probe().await.expect("every table answers");
}

#[tokio::test]
async fn a_scan_has_one_segment() {
    let directory = tempfile::tempdir().unwrap();
    let engine = engine(directory.path());
    let store = EmbeddedStore::new(engine.clone());
    let keys = filled(&store).await;
    let found = scanned(&store, 1).await;
    assert_eq!(found.into_iter().map(|(key, _)| key).collect::<Vec<_>>(), keys.into_iter().collect::<Vec<_>>());
    let refused = store.scan_segment(Table::Social, Segment { index: 0, total: 2 }, None, 7).await;
    assert!(matches!(refused, Err(StoreError::Rejected(_))), "{refused:?}");
    engine.close();
}

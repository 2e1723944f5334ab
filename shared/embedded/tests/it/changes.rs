//! Guarantees of the change log beyond its contract: crashes, power losses, bounds.

use std::{sync::Arc, time::Duration};

use domain::{Clock, Timestamp, limits};
use embedded::{EmbeddedChanges, EmbeddedStore, Engine, EngineOptions};
use ports::{
    changes::{Backlog, Change, ChangeLog},
    store::{Attributes, BatchWrite, EXPIRES_AT, Item, Store, StoreError, Table, Write},
};

use crate::it::{
    durability::{after_power_loss, copy_flat, recording},
    engine, engine_by_hand, get, item, key,
};

const STREAMED: &str = "POST#p";

fn ports(engine: Engine) -> (EmbeddedStore, EmbeddedChanges) {
    (EmbeddedStore::new(engine.clone()), EmbeddedChanges::new(engine))
}

async fn put(store: &EmbeddedStore, item: Item) {
    assert!(store.write(Table::Social, Write::put(item)).await.expect("written").is_applied());
}

async fn read(log: &EmbeddedChanges, max: usize) -> Vec<Change> {
    log.read(max, Duration::ZERO).await.expect("read")
}

fn sorts(changes: &[Change]) -> Vec<&str> {
    changes.iter().map(|change| change.key.sort.as_str()).collect()
}

#[tokio::test]
async fn changes_survive_a_process_that_never_synced() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, log) = ports(engine(folder.path()));
    put(&store, item(STREAMED, "passed")).await;
    log.pass(&read(&log, 1).await[0]).await.expect("passed");
    put(&store, item(STREAMED, "left")).await;
    let before = read(&log, 10).await;
    let copy = tempfile::tempdir().expect("a folder");
    copy_flat(folder.path(), copy.path());

    let (store, log) = ports(engine(copy.path()));
    assert_eq!(read(&log, 10).await, before);
    assert_eq!(sorts(&before), ["left"]);
    assert!(get(&store, &key(STREAMED, "left")).await.is_some());
}

#[tokio::test]
async fn a_power_loss_takes_change_and_write_together() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, log) = ports(Engine::open(recording(folder.path())).expect("an engine"));
    put(&store, item(STREAMED, "answered")).await;
    store.durable().await.expect("synced");
    put(&store, item(STREAMED, "not synced")).await;
    assert_eq!(sorts(&read(&log, 10).await), ["answered", "not synced"]);

    let left = after_power_loss(folder.path());
    let (store, log) = ports(engine(left.path()));
    assert_eq!(sorts(&read(&log, 10).await), ["answered"]);
    assert_eq!(get(&store, &key(STREAMED, "not synced")).await, None);
    put(&store, item(STREAMED, "later")).await;
    assert_eq!(sorts(&read(&log, 10).await), ["answered", "later"]);
}

#[tokio::test]
async fn changes_return_when_their_work_is_lost() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, log) = ports(Engine::open(recording(folder.path())).expect("an engine"));
    put(&store, item(STREAMED, "a")).await;
    store.durable().await.expect("synced");
    let changes = read(&log, 10).await;
    put(&store, item("COUNTS#p", "COUNTS")).await;
    log.pass(&changes[0]).await.expect("passed");
    assert!(log.is_empty().await.expect("it answers"));

    let left = after_power_loss(folder.path());
    let (after, log) = ports(engine(left.path()));
    assert_eq!(get(&after, &key("COUNTS#p", "COUNTS")).await, None);
    assert_eq!(read(&log, 10).await, changes);

    store.durable().await.expect("synced");
    let left = after_power_loss(folder.path());
    let (after, log) = ports(engine(left.path()));
    assert!(get(&after, &key("COUNTS#p", "COUNTS")).await.is_some());
    assert!(log.is_empty().await.expect("it answers"));
}

#[tokio::test]
async fn an_expiry_is_a_change() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, log) = ports(engine(folder.path()));
    let expiring = item(STREAMED, "a").with(EXPIRES_AT, 100);
    put(&store, expiring.clone()).await;
    put(&store, item("STORY#a", "s").with(EXPIRES_AT, 100)).await;
    assert_eq!(store.sweep_expired(Timestamp::from_millis(101_000)).await.expect("swept"), 2);
    let images: Vec<_> = read(&log, 10).await.into_iter().map(|change| (change.before, change.after)).collect();
    assert_eq!(images, [(None, Some(expiring.attributes.clone())), (Some(expiring.attributes), None)]);
}

#[tokio::test]
async fn a_disabled_log_records_nothing_and_keeps_changes() {
    let folder = tempfile::tempdir().expect("a folder");
    put(&EmbeddedStore::new(engine(folder.path())), item(STREAMED, "on")).await;
    let off = || EngineOptions { log_changes: false, ..EngineOptions::at(folder.path()) };
    {
        let (store, log) = ports(Engine::open(off()).expect("an engine"));
        put(&store, item(STREAMED, "off")).await;
        let batch = [BatchWrite::Put(item(STREAMED, "off too"))];
        assert_eq!(store.batch_write(Table::Social, &batch).await.expect("written"), []);
        assert_eq!(sorts(&read(&log, 10).await), ["on"]);
    }
    let (store, log) = ports(engine(folder.path()));
    put(&store, item(STREAMED, "on again")).await;
    assert_eq!(sorts(&read(&log, 10).await), ["on", "on again"]);
}

#[tokio::test]
async fn changes_of_another_store_cannot_be_passed() {
    let (folder, other) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let (store, log) = ports(engine(folder.path()));
    let (other_store, other_log) = ports(engine(other.path()));
    for store in [&store, &other_store] {
        put(store, item(STREAMED, "a")).await;
    }
    let (own, foreign) = (read(&log, 1).await.remove(0), read(&other_log, 1).await.remove(0));
    assert_ne!(own.id, foreign.id);
    let to_come = Change { id: own.id.replace(".1", ".2"), ..own.clone() };
    for wrong in [&foreign, &to_come, &Change { id: "no id".to_owned(), ..own.clone() }] {
        let error = log.pass(wrong).await.expect_err("the change belongs to another log");
        assert!(matches!(error, StoreError::Rejected(_)), "{error:?}");
    }
    assert_eq!(read(&log, 1).await, [own]);
}

#[tokio::test]
async fn a_read_is_bounded_but_never_empty() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, log) = ports(engine(folder.path()));
    let large = 350 * 1024;
    for n in 0..20 {
        put(&store, item(STREAMED, &format!("{n:02}")).with("text", "x".repeat(large))).await;
    }
    let mut seen = 0;
    while seen < 20 {
        let changes = read(&log, 100).await;
        assert!(!changes.is_empty() && changes.len() <= limits::MAX_CHANGES_BYTES / large, "{}", changes.len());
        seen += changes.len();
        log.pass(changes.last().expect("there is one")).await.expect("passed");
    }
    assert!(log.is_empty().await.expect("it answers"));
}

#[tokio::test]
async fn the_backlog_reports_size_and_age() {
    let folder = tempfile::tempdir().expect("a folder");
    let (engine, clock) = engine_by_hand(folder.path());
    let (store, log) = ports(engine);
    assert_eq!(log.backlog().await.expect("a backlog"), Backlog::default());
    let mut made = Vec::new();
    for sort in ["a", "b", "c"] {
        made.push(clock.now());
        put(&store, item(STREAMED, sort)).await;
        clock.advance(Duration::from_secs(1));
    }
    assert_eq!(log.backlog().await.expect("a backlog"), Backlog { changes: 3, oldest: Some(made[0]) });
    log.pass(&read(&log, 1).await[0]).await.expect("passed");
    assert_eq!(log.backlog().await.expect("a backlog"), Backlog { changes: 2, oldest: Some(made[1]) });
}

/// A reader passes what it reads while many writers write, across several restarts.
#[tokio::test(flavor = "multi_thread")]
async fn no_change_is_missed_beside_many_writers() {
    const WRITERS: usize = 6;
    const EACH: usize = 80;
    let folder = tempfile::tempdir().expect("a folder");
    let mut seen: Vec<(String, Option<Attributes>)> = Vec::new();
    for round in 0..3 {
        let options = EngineOptions { clock: Clock::System, ..EngineOptions::at(folder.path()) };
        let (store, log) = ports(Engine::open(options).expect("an engine"));
        let store = Arc::new(store);
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let store = Arc::clone(&store);
                tokio::spawn(async move {
                    for n in 0..EACH {
                        put(&store, item(STREAMED, &format!("{round} {writer} {n}"))).await;
                        // Most commits do not concern the log.
                        let entries: Vec<_> = (0..25)
                            .map(|entry| BatchWrite::Put(item(&format!("{writer} {n}"), &entry.to_string())))
                            .collect();
                        assert_eq!(store.batch_write(Table::Feed, &entries).await.expect("written"), []);
                    }
                })
            })
            .collect();
        // Leaves the last third for the next round.
        while seen.len() < round * WRITERS * EACH + WRITERS * EACH * 2 / 3 {
            let changes = log.read(7, limits::MAX_RECEIVE_WAIT).await.expect("read");
            log.pass(changes.last().expect("there is more to come")).await.expect("passed");
            seen.extend(changes.into_iter().map(|change| (change.key.sort, change.before)));
        }
        for writer in writers {
            writer.await.expect("it wrote");
        }
    }
    let log = EmbeddedChanges::new(engine(folder.path()));
    while !log.is_empty().await.expect("it answers") {
        let changes = read(&log, 100).await;
        log.pass(changes.last().expect("there is more")).await.expect("passed");
        seen.extend(changes.into_iter().map(|change| (change.key.sort, change.before)));
    }
    assert_eq!(seen.len(), 3 * WRITERS * EACH);
    assert!(seen.iter().all(|(_, before)| before.is_none()));
    seen.sort_by(|a, b| a.0.cmp(&b.0));
    seen.dedup();
    assert_eq!(seen.len(), 3 * WRITERS * EACH);
}

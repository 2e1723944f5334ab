use std::{
    fs, io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    time::Duration,
};

use domain::{Clock, Timestamp};
use embedded::{EmbeddedStore, Engine, EngineOptions, SyncHooks, cut_to_last_sync};
use futures::{FutureExt, future::join_all};
use parking_lot::Mutex;
use ports::{
    queue::{Queue, QueueName},
    store::{Store, Table, Write},
};
use service::timekeeper::Timekeeper;

use crate::it::{bodies, get, item, key, queue_on, receive, send, store};

async fn put(store: &EmbeddedStore, sort: &str) {
    assert!(store.write(Table::Social, Write::put(item("p", sort))).await.expect("written").is_applied());
}

pub fn copy_flat(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            fs::create_dir(&target).expect("made");
            copy_flat(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copied");
        }
    }
}

/// Copies a running database as a power loss at this moment would leave it.
pub fn after_power_loss(folder: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().expect("a folder");
    copy_flat(folder, copy.path());
    cut_to_last_sync(copy.path()).expect("cut");
    copy
}

pub fn recording(path: &Path) -> EngineOptions {
    EngineOptions { record_syncs: true, ..EngineOptions::at(path) }
}

#[tokio::test]
async fn a_power_loss_keeps_acknowledged_writes() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = EmbeddedStore::new(Engine::open(recording(folder.path())).expect("an engine"));
    put(&store, "answered").await;
    store.durable().await.expect("synced");
    put(&store, "not synced").await;

    let left = after_power_loss(folder.path());
    let after = self::store(left.path());
    assert_eq!(get(&after, &key("p", "answered")).await, Some(item("p", "answered")));
    assert_eq!(get(&after, &key("p", "not synced")).await, None);
}

#[tokio::test]
async fn a_power_loss_after_restart_keeps_acknowledged_writes() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = EmbeddedStore::new(Engine::open(recording(folder.path())).expect("an engine"));
    put(&store, "first").await;
    drop(store);
    let store = EmbeddedStore::new(Engine::open(recording(folder.path())).expect("an engine"));
    let left = after_power_loss(folder.path());
    assert!(get(&self::store(left.path()), &key("p", "first")).await.is_some(), "synced when it was opened");

    put(&store, "second").await;
    store.durable().await.expect("synced");
    put(&store, "third").await;
    let left = after_power_loss(folder.path());
    let after = self::store(left.path());
    assert!(get(&after, &key("p", "first")).await.is_some());
    assert!(get(&after, &key("p", "second")).await.is_some());
    assert!(get(&after, &key("p", "third")).await.is_none());
}

#[tokio::test]
async fn deleted_messages_return_when_their_work_is_lost() {
    let folder = tempfile::tempdir().expect("a folder");
    let engine = Engine::open(recording(folder.path())).expect("an engine");
    let (store, queue) = (EmbeddedStore::new(engine.clone()), queue_on(engine));
    send(&queue, &["job"]).await;
    store.durable().await.expect("synced");
    let received = receive(&queue, 10).await;
    put(&store, "work").await;
    queue.delete(QueueName::JobQ, vec![received[0].receipt.clone()]).await.expect("deleted");

    let left = after_power_loss(folder.path());
    let engine = crate::it::engine(left.path());
    assert!(get(&EmbeddedStore::new(engine.clone()), &key("p", "work")).await.is_none());
    assert_eq!(bodies(&receive(&queue_on(engine), 10).await), ["job"]);
}

#[tokio::test]
async fn a_process_end_without_sync_loses_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(folder.path());
    put(&store, "written").await;
    let copy = tempfile::tempdir().expect("a folder");
    copy_flat(folder.path(), copy.path());
    assert!(get(&self::store(copy.path()), &key("p", "written")).await.is_some());
}

#[tokio::test]
async fn concurrent_waiters_share_a_sync() {
    let folder = tempfile::tempdir().expect("a folder");
    // The first sync blocks until all are waiting.
    let (let_go, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    let before = move || {
        // Later syncs pass, since the test has then released the channel.
        let _ = held.lock().recv_timeout(Duration::from_mins(1));
        Ok(())
    };
    let hooks = SyncHooks { before: Arc::new(before), ..SyncHooks::default() };
    let engine = Engine::open(EngineOptions { sync_hooks: hooks, ..EngineOptions::at(folder.path()) });
    let engine = engine.expect("an engine");
    let store = EmbeddedStore::new(engine.clone());

    let waiting = join_all((0..100).map(|n| {
        let store = store.clone();
        async move {
            put(&store, &n.to_string()).await;
            store.durable().await.expect("synced");
        }
    }));
    let mut waiting = std::pin::pin!(waiting);
    // Until every write is committed, and one more poll so that every waiter has taken its ticket.
    while store.scan(Table::Social, None, 200).await.expect("scanned").len() < 100 {
        assert!(waiting.as_mut().now_or_never().is_none());
    }
    assert!(waiting.as_mut().now_or_never().is_none());
    drop(let_go);
    waiting.await;
    assert!((1..=3).contains(&engine.sync_count()), "{} syncs", engine.sync_count());
}

#[tokio::test]
async fn durability_without_writes_needs_no_sync() {
    let folder = tempfile::tempdir().expect("a folder");
    let engine = crate::it::engine(folder.path());
    let store = EmbeddedStore::new(engine.clone());
    put(&store, "s").await;
    store.durable().await.expect("synced");
    store.durable().await.expect("synced already");
    assert_eq!(engine.sync_count(), 1);
}

#[tokio::test]
async fn a_failed_sync_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let fails = Arc::new(AtomicBool::new(false));
    let failures = Arc::new(AtomicU64::new(0));
    let (failing, counted) = (Arc::clone(&fails), Arc::clone(&failures));
    let hooks = SyncHooks {
        before: Arc::new(move || {
            if failing.load(Ordering::SeqCst) { Err(io::Error::other("the disk is gone")) } else { Ok(()) }
        }),
        failed: Arc::new(move |_| {
            counted.fetch_add(1, Ordering::SeqCst);
        }),
    };
    let engine = Engine::open(EngineOptions { sync_hooks: hooks, ..EngineOptions::at(folder.path()) });
    let store = EmbeddedStore::new(engine.expect("an engine"));
    put(&store, "good").await;
    store.durable().await.expect("synced");

    fails.store(true, Ordering::SeqCst);
    put(&store, "bad").await;
    assert!(store.durable().await.is_err());
    assert!(store.durable().await.is_err());
    assert_eq!(failures.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_power_loss_revokes_no_reserved_id() {
    let folder = tempfile::tempdir().expect("a folder");
    let clock = Clock::manual(Timestamp::from_millis(1_763_700_000_000));
    let store = EmbeddedStore::new(Engine::open(recording(folder.path())).expect("an engine"));
    let timekeeper = Timekeeper::alone_on(Arc::new(store.clone()), clock.clone()).await.expect("kept");
    for _ in 0..5 {
        clock.advance(Duration::from_secs(10));
        timekeeper.keep().await.expect("kept");
        let id = timekeeper.ids().next_post_id(clock.now());
        put(&store, &id.to_string()).await;
        store.durable().await.expect("synced");

        let left = after_power_loss(folder.path());
        let after = Arc::new(self::store(left.path()));
        assert!(get(&after, &key("p", &id.to_string())).await.is_some());
        let corrected = Clock::manual(clock.now().minus(Duration::from_hours(1)));
        let next = Timekeeper::alone_on(after, corrected.clone()).await.expect("kept");
        assert!(next.ids().next_post_id(corrected.now()) > id);
    }
}

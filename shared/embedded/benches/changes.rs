//! The cost of the change log to writers: a follow, a post and a like as transactions, with and without the log. With
//! the log, a reader passes the changes, as in a running process.

use std::{sync::Arc, time::Duration};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use data::{Feeds, keys};
use domain::{IdGenerator, PostId, Timestamp, UserId, limits};
use embedded::{EmbeddedChanges, EmbeddedStore, Engine, EngineOptions};
use futures::future::join_all;
use ports::{
    changes::ChangeLog,
    store::{BatchWrite, Changes, Condition, Item, Store, Table, Write},
};
use tokio::runtime::Builder;

/// Writes per sample, 16 at once.
const WRITES: usize = 64;
const AT_ONCE: usize = 16;

type Transaction = Vec<(Table, Write)>;

/// Both sides of the edge, conditional on its absence.
fn follow() -> Transaction {
    let (follower, followee) = (UserId::random(), UserId::random());
    [keys::following_edge(follower, followee), keys::follower_edge(followee, follower)]
        .map(|key| Item::new(key).with("followed_at", 1_763_700_000_000).with("shown_since", followee.to_string()))
        .map(|item| (Table::Social, Write::create(item)))
        .into()
}

/// The post, its story entry, its author's feed entry and its outbox entry.
fn post(post: PostId) -> Transaction {
    let author = UserId::random();
    let text = Item::new(keys::post(post)).with("author_id", author.to_string()).with("text", "x".repeat(140));
    let outbox = Item::new(keys::outbox_entry(post)).with("author_id", author.to_string()).with("generation", 1);
    vec![
        (Table::Social, Write::create(text)),
        (Table::Social, Write::put(Item::new(keys::story_entry(author, post)))),
        (Table::Social, Write::put(outbox)),
        (Table::Feed, Write::put(Feeds::entry(author, post))),
    ]
}

/// An update of an existing like.
fn update_of_a_like(post: PostId, user: UserId, at: i64) -> Transaction {
    let set = [("liked_at".into(), at.into())].into();
    let changes = Changes { set, ..Changes::default() };
    vec![(Table::Social, Write::Update { key: keys::liker(post, user), changes, condition: Condition::Always })]
}

struct TestDatabase {
    store: EmbeddedStore,
    engine: Engine,
    _folder: tempfile::TempDir,
}

impl Drop for TestDatabase {
    /// Stops the reader before the database's folder is removed.
    fn drop(&mut self) {
        self.engine.close();
    }
}

impl TestDatabase {
    fn open(log_changes: bool, runtime: &tokio::runtime::Runtime) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let options = EngineOptions { log_changes, ..EngineOptions::at(folder.path()) };
        let engine = Engine::open(options).expect("an engine");
        if log_changes {
            let log = EmbeddedChanges::new(engine.clone());
            runtime.spawn(async move {
                while let Ok(changes) = log.read(limits::MAX_CHANGES, Duration::from_secs(1)).await {
                    // Fails once the engine is closed.
                    if let Some(last) = changes.last()
                        && log.pass(last).await.is_err()
                    {
                        return;
                    }
                }
            });
        }
        Self { store: EmbeddedStore::new(engine.clone()), engine, _folder: folder }
    }
}

async fn write_all(store: &EmbeddedStore, transactions: Vec<Transaction>) {
    let mut left = transactions.into_iter();
    loop {
        let some: Vec<_> = left.by_ref().take(AT_ONCE).collect();
        if some.is_empty() {
            return;
        }
        let written = join_all(some.into_iter().map(|writes| store.transact(writes))).await;
        assert!(written.iter().all(Result::is_ok));
    }
}

fn changes(c: &mut Criterion) {
    let ids = Arc::new(IdGenerator::new());
    let new_post = || ids.next_post_id(Timestamp::from_millis(1));
    let runtime = Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let (liked, likers) = (new_post(), (0..WRITES).map(|_| UserId::random()).collect::<Vec<_>>());
    let at = std::sync::atomic::AtomicI64::new(0);
    let next = || at.fetch_add(1, std::sync::atomic::Ordering::Relaxed);

    let mut group = c.benchmark_group("embedded_changes");
    group.sample_size(30).throughput(Throughput::Elements(WRITES as u64));
    for (log_changes, word) in [(false, "without the log"), (true, "with it")] {
        let database = &TestDatabase::open(log_changes, &runtime);
        let mut bench = |name: &str, make: &dyn Fn() -> Vec<Transaction>| {
            group.bench_function(format!("{name}, {word}"), |b| {
                b.to_async(&runtime).iter_batched(
                    make,
                    |writes| async move { write_all(&database.store, writes).await },
                    BatchSize::SmallInput,
                );
            });
        };
        bench("follow", &|| (0..WRITES).map(|_| follow()).collect());
        bench("post", &|| (0..WRITES).map(|_| post(new_post())).collect());
        bench("update", &|| likers.iter().map(|user| update_of_a_like(liked, *user, next())).collect());
    }
    for (log_changes, word) in [(false, "without the log"), (true, "with it")] {
        let database = &TestDatabase::open(log_changes, &runtime);
        let jobs = || {
            let post = new_post();
            let entry = |_| BatchWrite::Put(Feeds::entry(UserId::random(), post));
            (0..AT_ONCE).map(|_| (0..limits::MAX_BATCH_WRITE).map(entry).collect::<Vec<_>>()).collect::<Vec<_>>()
        };
        group.throughput(Throughput::Elements((AT_ONCE * limits::MAX_BATCH_WRITE) as u64));
        group.bench_function(format!("feed entries, {word}"), |b| {
            b.to_async(&runtime).iter_batched(
                jobs,
                |jobs| async move {
                    let written = join_all(jobs.iter().map(|job| database.store.batch_write(Table::Feed, job))).await;
                    assert!(written.iter().all(Result::is_ok));
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, changes);
criterion_main!(benches);

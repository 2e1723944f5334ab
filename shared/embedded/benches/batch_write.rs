//! Feed entries in batches of 25: through the port, and as a baseline on raw fjall with one thread.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use data::keys;
use domain::{IdGenerator, PostId, Timestamp, UserId, limits};
use embedded::{EmbeddedStore, Engine, EngineOptions, codec};
use fjall::{Database, KeyspaceCreateOptions};
use futures::future::join_all;
use ports::store::{BatchWrite, Item, Store, Table};
use tokio::runtime::Builder;

/// The number of messages that the event source of `JobQ` handles concurrently.
const JOBS: u64 = 16;

fn entries(post: PostId, author: UserId) -> Vec<BatchWrite> {
    let entry = |_| Item::new(keys::feed_entry(UserId::random(), post)).with("author", author.to_string());
    (0..limits::MAX_BATCH_WRITE).map(entry).map(BatchWrite::Put).collect()
}

fn encoded(writes: Vec<BatchWrite>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let rows = writes.into_iter().filter_map(|write| match write {
        BatchWrite::Put(item) => {
            let (mut key, mut value) = (Vec::new(), Vec::new());
            codec::encode_key(&item.key.partition, &item.key.sort, &mut key).expect("a valid key");
            codec::encode_attributes(&item.attributes, &mut value);
            Some((key, value))
        }
        BatchWrite::Delete(_) => None,
    });
    rows.collect()
}

fn batch_write(c: &mut Criterion) {
    let author = UserId::random();
    let post = IdGenerator::new().next_post_id(Timestamp::from_millis(1));
    let jobs = || (0..JOBS).map(|_| entries(post, author)).collect::<Vec<_>>();
    let mut group = c.benchmark_group("embedded_batch_write");
    group.sample_size(20).throughput(Throughput::Elements(JOBS * limits::MAX_BATCH_WRITE as u64));

    let folder = tempfile::tempdir().expect("a folder");
    let database = Database::builder(folder.path()).open().expect("a database");
    let feed = database.keyspace("feed", KeyspaceCreateOptions::default).expect("a keyspace");
    group.bench_function("raw fjall", |b| {
        b.iter_batched(
            || jobs().into_iter().map(encoded).collect::<Vec<_>>(),
            |jobs| {
                for rows in jobs {
                    let mut batch = database.batch();
                    for (key, value) in rows {
                        batch.insert(&feed, key, value);
                    }
                    batch.commit().expect("committed");
                }
            },
            BatchSize::SmallInput,
        );
    });

    let runtime = Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let store = &EmbeddedStore::new(Engine::open(EngineOptions::at(folder.path())).expect("an engine"));
    group.bench_function("port, one after another", |b| {
        b.to_async(&runtime).iter_batched(
            jobs,
            |jobs| async {
                for writes in jobs {
                    store.batch_write(Table::Feed, &writes).await.expect("written");
                }
            },
            BatchSize::SmallInput,
        );
    });
    group.bench_function("port, 16 at once", |b| {
        b.to_async(&runtime).iter_batched(
            jobs,
            |jobs| async move {
                let written = join_all(jobs.iter().map(|writes| store.batch_write(Table::Feed, writes))).await;
                assert!(written.iter().all(Result::is_ok));
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group!(benches, batch_write);
criterion_main!(benches);

//! The cost of removing expired items: constant per item, however many were removed before.

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use domain::{Timestamp, limits};
use embedded::{EmbeddedStore, Engine, EngineOptions};
use futures::future::join_all;
use ports::store::{BatchWrite, EXPIRES_AT, Item, Key, Store, Table};
use tokio::{
    runtime::{Builder, Runtime},
    time::Instant,
};

/// Items that expire together: the tokens of a login storm, a week later.
const ITEMS: [u64; 3] = [10_000, 100_000, 200_000];

fn token(number: u64) -> BatchWrite {
    let key = Key { partition: format!("REFRESH#{number:064x}"), sort: "TOKEN".to_owned() };
    BatchWrite::Put(Item::new(key).with(EXPIRES_AT, (1_000 + number / 100).cast_signed()))
}

async fn fill(store: &EmbeddedStore, items: u64) {
    let numbers: Vec<u64> = (0..items).collect();
    for batches in numbers.chunks(16 * limits::MAX_BATCH_WRITE) {
        let writes: Vec<Vec<BatchWrite>> =
            batches.chunks(limits::MAX_BATCH_WRITE).map(|batch| batch.iter().map(|n| token(*n)).collect()).collect();
        for left in join_all(writes.iter().map(|writes| store.batch_write(Table::Auth, writes))).await {
            assert_eq!(left.expect("written"), []);
        }
    }
}

/// The time to remove this many items from a new database.
fn sweep(runtime: &Runtime, items: u64) -> Duration {
    let folder = tempfile::tempdir().expect("a folder");
    let engine = Engine::open(EngineOptions::at(folder.path())).expect("an engine");
    let store = EmbeddedStore::new(engine.clone());
    runtime.block_on(fill(&store, items));
    let started = Instant::now();
    let removed = runtime.block_on(store.sweep_expired(Timestamp::from_millis(u64::from(u32::MAX) * 1_000)));
    let spent = started.elapsed();
    assert_eq!(removed.expect("swept"), items);
    engine.close();
    spent
}

fn expired_items(c: &mut Criterion) {
    let runtime = Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let mut group = c.benchmark_group("embedded_expiry");
    group.sample_size(10);
    for items in ITEMS {
        group.throughput(Throughput::Elements(items));
        group.bench_function(format!("remove {items}"), |b| {
            b.iter_custom(|times| (0..times).map(|_| sweep(&runtime, items)).sum());
        });
    }
    group.finish();
}

criterion_group!(benches, expired_items);
criterion_main!(benches);

//! One round of ten messages through the embedded queue: send, receive, delete.

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use domain::limits;
use embedded::{EmbeddedQueue, Engine, EngineOptions, QueueSettingsOf};
use ports::queue::{OutgoingMessage, Queue, QueueName};
use tokio::runtime::Builder;

/// The approximate size of a job with 25 followers.
const BODY_BYTES: usize = 1_100;

async fn round(queue: &EmbeddedQueue, messages: Vec<OutgoingMessage>) {
    queue.send(QueueName::JobQ, messages).await.expect("sent");
    let received =
        queue.receive(QueueName::JobQ, limits::MAX_QUEUE_BATCH, Duration::ZERO, None).await.expect("received");
    assert_eq!(received.len(), limits::MAX_QUEUE_BATCH);
    let receipts = received.into_iter().map(|message| message.receipt).collect();
    queue.delete(QueueName::JobQ, receipts).await.expect("deleted");
}

fn send_receive_delete(c: &mut Criterion) {
    let runtime = Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let engine = Engine::open(EngineOptions::at(folder.path())).expect("an engine");
    let queue = EmbeddedQueue::open(engine, QueueSettingsOf::default()).expect("a queue");
    let message = OutgoingMessage { body: "x".repeat(BODY_BYTES), group: "author".to_owned(), delay: Duration::ZERO };
    let messages = vec![message; limits::MAX_QUEUE_BATCH];
    let mut group = c.benchmark_group("embedded_queue");
    group.sample_size(20).throughput(Throughput::Elements(limits::MAX_QUEUE_BATCH as u64));
    group.bench_function("send, receive and delete 10", |b| {
        b.to_async(&runtime).iter(|| round(&queue, messages.clone()));
    });
    group.finish();
}

criterion_group!(benches, send_receive_delete);
criterion_main!(benches);

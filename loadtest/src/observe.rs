//! Observes the service's ports: which feed entries are committed and when, traffic on JobQ, and writes of counts.
//!
//! A batch of 25 entries costs one map look-up under a read lock and two atomic additions, so observing does not slow
//! down the service.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use domain::PostId;
use parking_lot::RwLock;
use ports::{
    queue::{OutgoingMessage, Queue, QueueDepth, QueueError, QueueName, Receipt, ReceivedMessage},
    store::{BatchGot, BatchWrite, Consistency, Item, Key, Outcome, Query, QueryPage, Store, StoreError, Table, Write},
};
use tokio::sync::Notify;

/// Traffic on JobQ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobCounts {
    /// Messages accepted by the queue.
    pub sent: u64,
    /// Messages received, each receive counted.
    pub received: u64,
    /// Messages deleted.
    pub deleted: u64,
}

/// The observations so far, shared by the wrapped ports and their readers.
#[derive(Debug)]
pub struct Observer {
    origin: Instant,
    deliveries: RwLock<HashMap<PostId, Arc<Delivery>>>,
    sent: AtomicU64,
    received: AtomicU64,
    deleted: AtomicU64,
    count_writes: AtomicU64,
    entries: AtomicU64,
    requests: Arc<AtomicU64>,
}

/// The progress of one post.
#[derive(Debug, Default)]
struct Delivery {
    entries: AtomicU64,
    last_commit_nanos: AtomicU64,
    awaited: AtomicU64,
    reached: Notify,
}

impl Observer {
    /// An observer without observations.
    pub fn new() -> Self {
        let zero = AtomicU64::default;
        let deliveries = RwLock::default();
        Self {
            origin: Instant::now(),
            deliveries,
            sent: zero(),
            received: zero(),
            deleted: zero(),
            count_writes: zero(),
            entries: zero(),
            requests: Arc::default(),
        }
    }

    /// Waits until `entries` feed entries of followers are committed for `post`. One caller per post.
    pub async fn reached(&self, post: PostId, entries: u64) {
        let delivery = self.delivery(post);
        // Order matters: a commit adds first and then reads `awaited`, so one of the two sees the other.
        delivery.awaited.store(entries, Ordering::SeqCst);
        while delivery.entries.load(Ordering::SeqCst) < entries {
            delivery.reached.notified().await;
        }
    }

    /// The number of committed entries of a post, and the time of the last commit. An entry written twice, after a
    /// redelivery, counts twice; the time is then that of the later write.
    pub fn committed(&self, post: PostId) -> (u64, Option<Instant>) {
        let Some(delivery) = self.deliveries.read().get(&post).cloned() else { return (0, None) };
        let entries = delivery.entries.load(Ordering::SeqCst);
        let last = self.origin + Duration::from_nanos(delivery.last_commit_nanos.load(Ordering::SeqCst));
        (entries, (entries > 0).then_some(last))
    }

    /// Traffic on JobQ.
    pub fn jobs(&self) -> JobCounts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        JobCounts { sent: read(&self.sent), received: read(&self.received), deleted: read(&self.deleted) }
    }

    /// Attempted writes to the counts of any post or user, including refused ones: they cost the same.
    pub fn count_writes(&self) -> u64 {
        self.count_writes.load(Ordering::Relaxed)
    }

    /// Committed feed entries of all posts.
    pub fn entries(&self) -> u64 {
        self.entries.load(Ordering::Relaxed)
    }

    /// Requests that were answered as expected.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// The count of answered requests, for clients in this process.
    pub fn request_count(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.requests)
    }

    /// Forgets a post that was delivered, so that a long run needs no memory for it.
    pub fn forget(&self, post: PostId) {
        self.deliveries.write().remove(&post);
    }

    fn delivery(&self, post: PostId) -> Arc<Delivery> {
        if let Some(delivery) = self.deliveries.read().get(&post) {
            return Arc::clone(delivery);
        }
        Arc::clone(self.deliveries.write().entry(post).or_default())
    }

    fn commit(&self, post: PostId, entries: u64) {
        let nanos = u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.entries.fetch_add(entries, Ordering::Relaxed);
        let delivery = self.delivery(post);
        delivery.last_commit_nanos.fetch_max(nanos, Ordering::SeqCst);
        let before = delivery.entries.fetch_add(entries, Ordering::SeqCst);
        let awaited = delivery.awaited.load(Ordering::SeqCst);
        if before < awaited && awaited <= before + entries {
            delivery.reached.notify_one();
        }
    }
}

fn count_jobs(queue: QueueName, count: &AtomicU64, messages: usize) {
    if queue == QueueName::JobQ {
        count.fetch_add(messages as u64, Ordering::Relaxed);
    }
}

impl Default for Observer {
    fn default() -> Self {
        Self::new()
    }
}

/// The number of entries per post in a batch on Feed; a job has one post.
fn entries_by_post(writes: &[BatchWrite]) -> Vec<(PostId, u64)> {
    let puts: Vec<&Key> =
        writes.iter().filter(|write| matches!(write, BatchWrite::Put(_))).map(BatchWrite::key).collect();
    puts.chunk_by(|a, b| a.sort == b.sort)
        .filter_map(|run| Some((run.first()?.sort.parse().ok()?, run.len() as u64)))
        .collect()
}

/// Counts are written only in transactions, with the ledger's entries.
fn writes_counts(write: &Write) -> bool {
    !matches!(write, Write::Check { .. }) && write.key().partition.starts_with("COUNTS#")
}

/// A store that reports committed feed entries to an [`Observer`].
#[derive(Debug)]
pub struct ObservedStore {
    inner: Arc<dyn Store>,
    observer: Arc<Observer>,
}

impl ObservedStore {
    /// Observes `inner`.
    pub fn new(inner: Arc<dyn Store>, observer: Arc<Observer>) -> Self {
        Self { inner, observer }
    }
}

#[async_trait]
impl Store for ObservedStore {
    async fn batch_write(&self, table: Table, writes: &[BatchWrite]) -> Result<Vec<BatchWrite>, StoreError> {
        if table != Table::Feed {
            return self.inner.batch_write(table, writes).await;
        }
        let asked = entries_by_post(writes);
        let unprocessed = self.inner.batch_write(table, writes).await?;
        let undone: HashMap<PostId, u64> = entries_by_post(&unprocessed).into_iter().collect();
        for (post, entries) in asked {
            self.observer.commit(post, entries - undone.get(&post).copied().unwrap_or(0));
        }
        Ok(unprocessed)
    }

    async fn get(&self, table: Table, key: &Key, consistency: Consistency) -> Result<Option<Item>, StoreError> {
        self.inner.get(table, key, consistency).await
    }

    async fn batch_get(&self, table: Table, keys: &[Key], consistency: Consistency) -> Result<BatchGot, StoreError> {
        self.inner.batch_get(table, keys, consistency).await
    }

    async fn query(&self, query: &Query) -> Result<QueryPage, StoreError> {
        self.inner.query(query).await
    }

    async fn write(&self, table: Table, write: Write) -> Result<Outcome, StoreError> {
        self.inner.write(table, write).await
    }

    async fn transact(&self, writes: Vec<(Table, Write)>) -> Result<Outcome, StoreError> {
        let of_counts = writes.iter().filter(|(_, write)| writes_counts(write)).count();
        self.observer.count_writes.fetch_add(of_counts as u64, Ordering::Relaxed);
        self.inner.transact(writes).await
    }

    async fn durable(&self) -> Result<(), StoreError> {
        self.inner.durable().await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.inner.probe().await
    }
}

/// A queue that reports traffic on JobQ to an [`Observer`].
#[derive(Debug)]
pub struct ObservedQueue {
    inner: Arc<dyn Queue>,
    observer: Arc<Observer>,
}

impl ObservedQueue {
    /// Observes `inner`.
    pub fn new(inner: Arc<dyn Queue>, observer: Arc<Observer>) -> Self {
        Self { inner, observer }
    }
}

#[async_trait]
impl Queue for ObservedQueue {
    async fn send(&self, queue: QueueName, messages: Vec<OutgoingMessage>) -> Result<Vec<OutgoingMessage>, QueueError> {
        let asked = messages.len();
        let unsent = self.inner.send(queue, messages).await?;
        count_jobs(queue, &self.observer.sent, asked - unsent.len());
        Ok(unsent)
    }

    async fn receive(
        &self,
        queue: QueueName,
        max: usize,
        wait: Duration,
        visibility: Option<Duration>,
    ) -> Result<Vec<ReceivedMessage>, QueueError> {
        let messages = self.inner.receive(queue, max, wait, visibility).await?;
        count_jobs(queue, &self.observer.received, messages.len());
        Ok(messages)
    }

    async fn delete(&self, queue: QueueName, receipts: Vec<Receipt>) -> Result<Vec<Receipt>, QueueError> {
        let asked = receipts.len();
        let undeleted = self.inner.delete(queue, receipts).await?;
        count_jobs(queue, &self.observer.deleted, asked - undeleted.len());
        Ok(undeleted)
    }

    async fn change_visibility(
        &self,
        queue: QueueName,
        changes: Vec<(Receipt, Duration)>,
    ) -> Result<Vec<Receipt>, QueueError> {
        self.inner.change_visibility(queue, changes).await
    }

    async fn depth(&self, queue: QueueName) -> Result<QueueDepth, QueueError> {
        self.inner.depth(queue).await
    }
}

#[cfg(test)]
mod tests {
    use data::{Feeds, keys};
    use domain::{Clock, IdGenerator, UserId};

    use super::*;

    fn puts(post: PostId, entries: usize) -> Vec<BatchWrite> {
        (0..entries).map(|_| BatchWrite::Put(Feeds::entry(UserId::random(), post))).collect()
    }

    fn post_id() -> PostId {
        IdGenerator::new().next_post_id(Clock::System.now())
    }

    #[test]
    fn batches_are_counted_by_post_without_removals() {
        let (first, second) = (post_id(), post_id());
        let mut writes = puts(first, 3);
        writes.extend(puts(second, 2));
        writes.push(BatchWrite::Delete(keys::feed_entry(UserId::random(), first)));
        assert_eq!(entries_by_post(&writes), [(first, 3), (second, 2)]);
    }

    #[test]
    fn an_undelivered_post_has_no_last_commit() {
        assert_eq!(Observer::new().committed(post_id()), (0, None));
    }

    #[tokio::test]
    async fn the_last_entry_wakes_its_waiter() {
        let (observer, post) = (Arc::new(Observer::new()), post_id());
        let waiting = tokio::spawn({
            let observer = Arc::clone(&observer);
            async move { observer.reached(post, 30).await }
        });
        observer.commit(post, 25);
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        observer.commit(post, 5);
        waiting.await.unwrap();
        observer.reached(post, 30).await;
        assert_eq!(observer.committed(post).0, 30);
    }
}

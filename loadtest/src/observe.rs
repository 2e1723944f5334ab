//! Watches the ports under the service: which feed entries are committed and when, what goes over JobQ, and how often
//! counts are written.
//!
//! A batch of 25 entries costs one map look-up under a read lock and two atomic additions, so that watching does not
//! slow down what is watched.

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

/// What went over JobQ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobCounts {
    /// Messages that the queue took.
    pub sent: u64,
    /// Messages that it handed out, each time counted.
    pub received: u64,
    /// Messages that it deleted.
    pub deleted: u64,
}

/// What was seen so far. Shared by the wrapped ports and whoever asks.
#[derive(Debug)]
pub struct Observer {
    origin: Instant,
    deliveries: RwLock<HashMap<PostId, Arc<Delivery>>>,
    sent: AtomicU64,
    received: AtomicU64,
    deleted: AtomicU64,
    count_writes: AtomicU64,
}

/// How far one post has come.
#[derive(Debug, Default)]
struct Delivery {
    entries: AtomicU64,
    last_commit_nanos: AtomicU64,
    awaited: AtomicU64,
    reached: Notify,
}

impl Observer {
    /// Has seen nothing yet.
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
        }
    }

    /// Returns when `entries` feed entries of followers are committed for `post`. One caller a post.
    pub async fn reached(&self, post: PostId, entries: u64) {
        let delivery = self.delivery(post);
        // Order matters: whoever commits adds first and then looks at `awaited`, so one of the two sees the other.
        delivery.awaited.store(entries, Ordering::SeqCst);
        while delivery.entries.load(Ordering::SeqCst) < entries {
            delivery.reached.notified().await;
        }
    }

    /// How many of a post's entries were committed, and when the last of them was. An entry written twice, after a
    /// message was delivered twice, counts twice here: then the instant is that of the later write.
    pub fn committed(&self, post: PostId) -> (u64, Option<Instant>) {
        let Some(delivery) = self.deliveries.read().get(&post).cloned() else { return (0, None) };
        let entries = delivery.entries.load(Ordering::SeqCst);
        let last = self.origin + Duration::from_nanos(delivery.last_commit_nanos.load(Ordering::SeqCst));
        (entries, (entries > 0).then_some(last))
    }

    /// What went over JobQ.
    pub fn jobs(&self) -> JobCounts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        JobCounts { sent: read(&self.sent), received: read(&self.received), deleted: read(&self.deleted) }
    }

    /// Writes to the counts of any post or user that the store was asked for, those that it refused too: they cost the
    /// same.
    pub fn count_writes(&self) -> u64 {
        self.count_writes.load(Ordering::Relaxed)
    }

    fn delivery(&self, post: PostId) -> Arc<Delivery> {
        if let Some(delivery) = self.deliveries.read().get(&post) {
            return Arc::clone(delivery);
        }
        Arc::clone(self.deliveries.write().entry(post).or_default())
    }

    fn commit(&self, post: PostId, entries: u64) {
        let nanos = u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX);
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

/// How many entries of which post a batch on Feed holds: one post, as the jobs are cut.
fn entries_by_post(writes: &[BatchWrite]) -> Vec<(PostId, u64)> {
    let puts: Vec<&Key> =
        writes.iter().filter(|write| matches!(write, BatchWrite::Put(_))).map(BatchWrite::key).collect();
    puts.chunk_by(|a, b| a.sort == b.sort)
        .filter_map(|run| Some((run.first()?.sort.parse().ok()?, run.len() as u64)))
        .collect()
}

/// Counts are written in transactions alone, with the ledger's entries.
fn writes_counts(write: &Write) -> bool {
    !matches!(write, Write::Check { .. }) && write.key().partition.starts_with("COUNTS#")
}

/// A store that tells an [`Observer`] which feed entries were committed, after they were.
#[derive(Debug)]
pub struct ObservedStore {
    inner: Arc<dyn Store>,
    observer: Arc<Observer>,
}

impl ObservedStore {
    /// Watches `inner`.
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

/// A queue that tells an [`Observer`] what goes over JobQ.
#[derive(Debug)]
pub struct ObservedQueue {
    inner: Arc<dyn Queue>,
    observer: Arc<Observer>,
}

impl ObservedQueue {
    /// Watches `inner`.
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
    fn a_batch_is_counted_by_post_and_removals_are_not() {
        let (first, second) = (post_id(), post_id());
        let mut writes = puts(first, 3);
        writes.extend(puts(second, 2));
        writes.push(BatchWrite::Delete(keys::feed_entry(UserId::random(), first)));
        assert_eq!(entries_by_post(&writes), [(first, 3), (second, 2)]);
    }

    #[test]
    fn a_post_that_nobody_was_given_has_no_last_commit() {
        assert_eq!(Observer::new().committed(post_id()), (0, None));
    }

    #[tokio::test]
    async fn who_waits_for_a_post_is_woken_by_its_last_entry() {
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

//! Counts calls and their entries.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use parking_lot::Mutex;
use ports::{
    queue::{OutgoingMessage, Queue, QueueDepth, QueueError, QueueName, Receipt, ReceivedMessage},
    store::{
        Attributes, BatchGot, BatchWrite, Consistency, Item, Key, Outcome, Projection, Query, QueryPage, Store,
        StoreError, Table, Write,
    },
};

use crate::units::{item_bytes, read_halves};

/// The counts of a store. Calls count when made, regardless of their result; items count when returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StoreCounts {
    /// Calls of `get`.
    pub get: u64,
    /// Calls of `batch_get`.
    pub batch_get: u64,
    /// Keys requested by them.
    pub batch_get_keys: u64,
    /// Calls of `query`.
    pub query: u64,
    /// Items returned by them.
    pub items_queried: u64,
    /// Items returned by the largest of them.
    pub most_items_queried: u64,
    /// Calls of `batch_write`.
    pub batch_write: u64,
    /// Entries written by them.
    pub batch_entries_written: u64,
    /// Calls of `write`.
    pub write: u64,
    /// Calls of `transact`.
    pub transact: u64,
    /// Writes and checks in them.
    pub transact_entries: u64,
    /// Calls of `durable`.
    pub durable: u64,
    /// Strongly consistent reads of any kind.
    pub strong_reads: u64,
}

/// How often each kind of item was read: by operation and by prefix of the partition key, such as
/// `batch_get POST`. Feed, whose partitions are plain ids, is `feed`.
pub type ReadsByKind = BTreeMap<String, u64>;

/// A store that counts.
#[derive(Debug)]
pub struct CountingStore {
    inner: Arc<dyn Store>,
    counts: Mutex<StoreCounts>,
    reads: Mutex<ReadsByKind>,
    read_halves: Mutex<u64>,
}

impl CountingStore {
    /// Wraps a store, with all counts at zero.
    pub fn new(inner: Arc<dyn Store>) -> Self {
        Self { inner, counts: Mutex::default(), reads: Mutex::default(), read_halves: Mutex::default() }
    }

    /// The counts so far.
    pub fn counts(&self) -> StoreCounts {
        *self.counts.lock()
    }

    /// The counts so far; counts from zero again.
    pub fn take_counts(&self) -> StoreCounts {
        std::mem::take(&mut *self.counts.lock())
    }

    /// Takes the reads so far and resets them. A batch of several kinds counts for the kind of its first key.
    pub fn take_reads(&self) -> ReadsByKind {
        std::mem::take(&mut *self.reads.lock())
    }

    /// The read units of DynamoDB that the reads so far would take; counts from zero again.
    #[expect(clippy::cast_precision_loss, reason = "numbers of reads")]
    pub fn take_read_units(&self) -> f64 {
        std::mem::take(&mut *self.read_halves.lock()) as f64 / 2.0
    }

    fn count_bytes(&self, bytes: u64, consistency: Consistency) {
        *self.read_halves.lock() += read_halves(bytes, consistency);
    }

    fn count_kind(&self, operation: &str, table: Table, partition: &str) {
        let kind = partition.split_once('#').map_or(table.name(), |(kind, _)| kind);
        *self.reads.lock().entry(format!("{operation} {kind}")).or_default() += 1;
    }

    fn count(&self, count: impl FnOnce(&mut StoreCounts)) {
        count(&mut self.counts.lock());
    }

    fn count_read(&self, consistency: Consistency, count: impl FnOnce(&mut StoreCounts)) {
        self.count(|counts| {
            count(counts);
            counts.strong_reads += u64::from(consistency == Consistency::Strong);
        });
    }
}

#[async_trait]
impl Store for CountingStore {
    async fn get(&self, table: Table, key: &Key, consistency: Consistency) -> Result<Option<Item>, StoreError> {
        self.count_read(consistency, |counts| counts.get += 1);
        self.count_kind("get", table, &key.partition);
        let found = self.inner.get(table, key, consistency).await?;
        self.count_bytes(found.as_ref().map_or(0, item_bytes), consistency);
        Ok(found)
    }

    async fn batch_get(&self, table: Table, keys: &[Key], consistency: Consistency) -> Result<BatchGot, StoreError> {
        self.count_read(consistency, |counts| {
            counts.batch_get += 1;
            counts.batch_get_keys += keys.len() as u64;
        });
        self.count_kind("batch_get", table, keys.first().map_or("", |key| &key.partition));
        let got = self.inner.batch_get(table, keys, consistency).await?;
        got.items.iter().for_each(|item| self.count_bytes(item_bytes(item), consistency));
        let missing = keys.len() - got.items.len() - got.unprocessed.len();
        (0..missing).for_each(|_| self.count_bytes(0, consistency));
        Ok(got)
    }

    async fn query(&self, query: &Query) -> Result<QueryPage, StoreError> {
        self.count_read(query.consistency, |counts| counts.query += 1);
        self.count_kind("query", query.table, &query.partition);
        // Whole items are billed, whatever the projection.
        let mut page = self.inner.query(&Query { projection: Projection::All, ..query.clone() }).await?;
        self.count_bytes(page.items.iter().map(item_bytes).sum(), query.consistency);
        if query.projection == Projection::Keys {
            page.items.iter_mut().for_each(|item| item.attributes = Attributes::new());
        }
        self.count(|counts| {
            let items = page.items.len() as u64;
            counts.items_queried += items;
            counts.most_items_queried = counts.most_items_queried.max(items);
        });
        Ok(page)
    }

    async fn batch_write(&self, table: Table, writes: &[BatchWrite]) -> Result<Vec<BatchWrite>, StoreError> {
        self.count(|counts| counts.batch_write += 1);
        let asked = writes.len();
        let left = self.inner.batch_write(table, writes).await?;
        self.count(|counts| counts.batch_entries_written += (asked - left.len()) as u64);
        Ok(left)
    }

    async fn write(&self, table: Table, write: Write) -> Result<Outcome, StoreError> {
        self.count(|counts| counts.write += 1);
        self.inner.write(table, write).await
    }

    async fn transact(&self, writes: Vec<(Table, Write)>) -> Result<Outcome, StoreError> {
        self.count(|counts| {
            counts.transact += 1;
            counts.transact_entries += writes.len() as u64;
        });
        self.inner.transact(writes).await
    }

    async fn durable(&self) -> Result<(), StoreError> {
        self.count(|counts| counts.durable += 1);
        self.inner.durable().await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.inner.probe().await
    }
}

/// The counts of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueCounts {
    /// Calls of `send`.
    pub send: u64,
    /// Messages sent by them.
    pub messages_sent: u64,
    /// Calls of `receive`.
    pub receive: u64,
    /// Messages received by them.
    pub messages_received: u64,
    /// Calls of `delete`.
    pub delete: u64,
    /// Messages deleted by them.
    pub messages_deleted: u64,
    /// Calls of `change_visibility`.
    pub change_visibility: u64,
    /// Messages whose visibility they changed.
    pub visibilities_changed: u64,
}

/// Queues that count separately.
#[derive(Debug)]
pub struct CountingQueue {
    inner: Arc<dyn Queue>,
    counts: Mutex<std::collections::HashMap<QueueName, QueueCounts>>,
}

impl CountingQueue {
    /// Counts from zero.
    pub fn new(inner: Arc<dyn Queue>) -> Self {
        Self { inner, counts: Mutex::default() }
    }

    /// The counts of one queue so far.
    pub fn counts(&self, queue: QueueName) -> QueueCounts {
        self.counts.lock().get(&queue).copied().unwrap_or_default()
    }

    /// The counts of one queue so far; counts from zero again.
    pub fn take_counts(&self, queue: QueueName) -> QueueCounts {
        self.counts.lock().remove(&queue).unwrap_or_default()
    }

    fn count(&self, queue: QueueName, count: impl FnOnce(&mut QueueCounts)) {
        count(self.counts.lock().entry(queue).or_default());
    }
}

#[async_trait]
impl Queue for CountingQueue {
    async fn send(&self, queue: QueueName, messages: Vec<OutgoingMessage>) -> Result<Vec<OutgoingMessage>, QueueError> {
        self.count(queue, |counts| counts.send += 1);
        let asked = messages.len();
        let left = self.inner.send(queue, messages).await?;
        self.count(queue, |counts| counts.messages_sent += (asked - left.len()) as u64);
        Ok(left)
    }

    async fn receive(
        &self,
        queue: QueueName,
        max: usize,
        wait: Duration,
        visibility: Option<Duration>,
    ) -> Result<Vec<ReceivedMessage>, QueueError> {
        self.count(queue, |counts| counts.receive += 1);
        let received = self.inner.receive(queue, max, wait, visibility).await?;
        self.count(queue, |counts| counts.messages_received += received.len() as u64);
        Ok(received)
    }

    async fn delete(&self, queue: QueueName, receipts: Vec<Receipt>) -> Result<Vec<Receipt>, QueueError> {
        self.count(queue, |counts| counts.delete += 1);
        let asked = receipts.len();
        let left = self.inner.delete(queue, receipts).await?;
        self.count(queue, |counts| counts.messages_deleted += (asked - left.len()) as u64);
        Ok(left)
    }

    async fn change_visibility(
        &self,
        queue: QueueName,
        changes: Vec<(Receipt, Duration)>,
    ) -> Result<Vec<Receipt>, QueueError> {
        self.count(queue, |counts| counts.change_visibility += 1);
        let asked = changes.len();
        let left = self.inner.change_visibility(queue, changes).await?;
        self.count(queue, |counts| counts.visibilities_changed += (asked - left.len()) as u64);
        Ok(left)
    }

    async fn depth(&self, queue: QueueName) -> Result<QueueDepth, QueueError> {
        self.inner.depth(queue).await
    }
}

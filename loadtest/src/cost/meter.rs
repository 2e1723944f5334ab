//! Counts at the ports what DynamoDB and SQS would bill.

use std::{
    collections::BTreeMap,
    ops::Sub,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use parking_lot::Mutex;
use ports::{
    changes::{Backlog, Change, ChangeLog},
    queue::{OutgoingMessage, Queue, QueueDepth, QueueError, QueueName, Receipt, ReceivedMessage},
    store::{
        BatchGot, BatchWrite, Consistency, Item, Key, Outcome, Projection, Query, QueryPage, Store, StoreError, Table,
        Write,
    },
};

use super::{
    prices,
    units::{self, Units, attribute_bytes, item_bytes},
};

/// The prefix of the partition keys of ledger entries.
const LEDGER: &str = "LEDGER#";
/// Changes skipped in one step.
const PASSED_OVER_AT_ONCE: usize = 10_000;

/// The usage counted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Usage {
    /// DynamoDB's request units by table.
    pub tables: BTreeMap<Table, Units>,
    /// Billed storage of the items written, minus that of the items removed, in bytes.
    pub stored_bytes: i64,
    /// Requests to SQS, without empty receives: Lambda polls all the time, regardless of posts.
    pub sqs_requests: u64,
    /// Batches received, by queue: each is one invocation of its function.
    pub batches: BTreeMap<QueueName, u64>,
    /// Batches of changes read: each is one invocation of stream-handler. Reading the stream is free for Lambda.
    pub change_batches: u64,
}

impl Usage {
    /// Units of all tables.
    pub fn units(&self) -> Units {
        let mut sum = Units::default();
        self.tables.values().for_each(|units| sum += *units);
        sum
    }

    /// Batches received from a queue.
    pub fn batches_of(&self, queue: QueueName) -> u64 {
        self.batches.get(&queue).copied().unwrap_or_default()
    }
}

/// The usage since an earlier reading of the same meter.
impl Sub<&Self> for Usage {
    type Output = Self;

    fn sub(mut self, earlier: &Self) -> Self {
        for (table, before) in &earlier.tables {
            let units = self.tables.entry(*table).or_default();
            units.writes -= before.writes;
            units.read_halves -= before.read_halves;
        }
        for (queue, before) in &earlier.batches {
            *self.batches.entry(*queue).or_default() -= before;
        }
        self.change_batches -= earlier.change_batches;
        self.stored_bytes -= earlier.stored_bytes;
        self.sqs_requests -= earlier.sqs_requests;
        self
    }
}

/// Sums up the usage of metered ports.
#[derive(Debug, Default)]
pub struct Meter(Mutex<Usage>);

impl Meter {
    /// The usage so far.
    pub fn usage(&self) -> Usage {
        self.0.lock().clone()
    }

    fn charge(&self, table: Table, units: Units) {
        *self.0.lock().tables.entry(table).or_default() += units;
    }

    /// Records a change in an item's size; `None` if it does not exist. Ledger entries expire two days later and do not
    /// count as kept.
    fn store(&self, key: &Key, before: Option<u64>, after: Option<u64>) {
        if key.partition.starts_with(LEDGER) {
            return;
        }
        let billed =
            |bytes: Option<u64>| bytes.map_or(0, |it| (it + prices::DYNAMODB_STORED_ITEM_OVERHEAD).cast_signed());
        self.0.lock().stored_bytes += billed(after) - billed(before);
    }

    fn sqs(&self, bytes: usize) {
        self.0.lock().sqs_requests += units::sqs_requests(bytes as u64);
    }
}

/// A metered store. Failed calls count as well if they may have been billed.
#[derive(Debug)]
pub struct MeteredStore {
    inner: Arc<dyn Store>,
    meter: Arc<Meter>,
}

impl MeteredStore {
    /// Meters `inner`.
    pub fn new(inner: Arc<dyn Store>, meter: Arc<Meter>) -> Self {
        Self { inner, meter }
    }

    /// The stored item under a key; read besides the metered calls, as writes are billed by its size.
    async fn stored(&self, table: Table, key: &Key) -> Result<Option<Item>, StoreError> {
        self.inner.get(table, key, Consistency::Strong).await
    }

    /// The sizes of an item before and after a write, assuming that it is applied.
    async fn sizes(&self, table: Table, write: &Write) -> Result<(Option<u64>, Option<u64>), StoreError> {
        let before = self.stored(table, write.key()).await?;
        let after = match write {
            Write::Put { item, .. } => Some(item_bytes(item)),
            Write::Delete { .. } => None,
            Write::Check { .. } => before.as_ref().map(item_bytes),
            Write::Update { key, changes, .. } => {
                let mut item = before.clone().unwrap_or_else(|| Item::new(key.clone()));
                item.attributes.extend(changes.set.clone());
                changes.remove.iter().for_each(|name| drop(item.attributes.remove(*name)));
                // Adding to a number may lengthen it by a digit; another read to be exact is not worth it.
                let added = changes.add.iter().map(|(name, by)| ((*name).into(), (*by).into())).collect();
                Some(item_bytes(&item) + attribute_bytes(&added))
            }
        };
        Ok((before.as_ref().map(item_bytes), after))
    }

    fn charge_reads<'a>(
        &self,
        table: Table,
        items: impl Iterator<Item = &'a Item>,
        absent: usize,
        consistency: Consistency,
    ) {
        let mut units = Units::default();
        items.for_each(|item| units += Units::read(item_bytes(item), consistency));
        (0..absent).for_each(|_| units += Units::read(0, consistency));
        self.meter.charge(table, units);
    }
}

#[async_trait]
impl Store for MeteredStore {
    async fn get(&self, table: Table, key: &Key, consistency: Consistency) -> Result<Option<Item>, StoreError> {
        let got = self.inner.get(table, key, consistency).await?;
        self.charge_reads(table, got.iter(), usize::from(got.is_none()), consistency);
        Ok(got)
    }

    async fn batch_get(&self, table: Table, keys: &[Key], consistency: Consistency) -> Result<BatchGot, StoreError> {
        let got = self.inner.batch_get(table, keys, consistency).await?;
        let absent = keys.len() - got.items.len() - got.unprocessed.len();
        self.charge_reads(table, got.items.iter(), absent, consistency);
        Ok(got)
    }

    async fn query(&self, query: &Query) -> Result<QueryPage, StoreError> {
        // DynamoDB bills whole items, whatever the projection.
        let mut page = self.inner.query(&Query { projection: Projection::All, ..query.clone() }).await?;
        let bytes = page.items.iter().map(item_bytes).sum();
        self.meter.charge(query.table, Units::read(bytes, query.consistency));
        if query.projection == Projection::Keys {
            page.items.iter_mut().for_each(|item| item.attributes.clear());
        }
        Ok(page)
    }

    /// Items put are assumed to be new or of unchanged size.
    async fn batch_write(&self, table: Table, writes: &[BatchWrite]) -> Result<Vec<BatchWrite>, StoreError> {
        let mut sizes = Vec::with_capacity(writes.len());
        for write in writes {
            sizes.push(match write {
                BatchWrite::Put(item) => (None, Some(item_bytes(item))),
                BatchWrite::Delete(key) => (self.stored(table, key).await?.as_ref().map(item_bytes), None),
            });
        }
        let unprocessed = self.inner.batch_write(table, writes).await?;
        for (write, (before, after)) in writes.iter().zip(sizes) {
            if !unprocessed.iter().any(|left| left.key() == write.key()) {
                self.meter.charge(table, units::write(before.unwrap_or(0), after.unwrap_or(0)));
                self.meter.store(write.key(), before, after);
            }
        }
        Ok(unprocessed)
    }

    async fn write(&self, table: Table, write: Write) -> Result<Outcome, StoreError> {
        let (before, after) = self.sizes(table, &write).await?;
        let key = write.key().clone();
        let outcome = self.inner.write(table, write).await?;
        // Refused writes are billed too.
        self.meter.charge(table, units::write(before.unwrap_or(0), after.unwrap_or(0)));
        if outcome.is_applied() {
            self.meter.store(&key, before, after);
        }
        Ok(outcome)
    }

    async fn transact(&self, writes: Vec<(Table, Write)>) -> Result<Outcome, StoreError> {
        let mut sizes = Vec::with_capacity(writes.len());
        for (table, write) in &writes {
            sizes.push((*table, write.key().clone(), self.sizes(*table, write).await?));
        }
        let outcome = self.inner.transact(writes).await?;
        for (table, key, (before, after)) in sizes {
            self.meter.charge(table, units::write(before.unwrap_or(0), after.unwrap_or(0)).in_transaction());
            if outcome.is_applied() {
                self.meter.store(&key, before, after);
            }
        }
        Ok(outcome)
    }

    async fn durable(&self) -> Result<(), StoreError> {
        self.inner.durable().await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.inner.probe().await
    }
}

/// A metered queue.
#[derive(Debug)]
pub struct MeteredQueue {
    inner: Arc<dyn Queue>,
    meter: Arc<Meter>,
}

impl MeteredQueue {
    /// Meters `inner`.
    pub fn new(inner: Arc<dyn Queue>, meter: Arc<Meter>) -> Self {
        Self { inner, meter }
    }
}

#[async_trait]
impl Queue for MeteredQueue {
    async fn send(&self, queue: QueueName, messages: Vec<OutgoingMessage>) -> Result<Vec<OutgoingMessage>, QueueError> {
        self.meter.sqs(messages.iter().map(|message| message.body.len()).sum());
        self.inner.send(queue, messages).await
    }

    async fn receive(
        &self,
        queue: QueueName,
        max: usize,
        wait: Duration,
        visibility: Option<Duration>,
    ) -> Result<Vec<ReceivedMessage>, QueueError> {
        let messages = self.inner.receive(queue, max, wait, visibility).await?;
        if !messages.is_empty() {
            self.meter.sqs(messages.iter().map(|message| message.body.len()).sum());
            *self.meter.0.lock().batches.entry(queue).or_default() += 1;
        }
        Ok(messages)
    }

    async fn delete(&self, queue: QueueName, receipts: Vec<Receipt>) -> Result<Vec<Receipt>, QueueError> {
        self.meter.sqs(0);
        self.inner.delete(queue, receipts).await
    }

    async fn change_visibility(
        &self,
        queue: QueueName,
        changes: Vec<(Receipt, Duration)>,
    ) -> Result<Vec<Receipt>, QueueError> {
        self.meter.sqs(0);
        self.inner.change_visibility(queue, changes).await
    }

    async fn depth(&self, queue: QueueName) -> Result<QueueDepth, QueueError> {
        self.meter.sqs(0);
        self.inner.depth(queue).await
    }
}

/// A change log that counts the batches read. While switched off it skips all changes, such as those of seeding.
#[derive(Debug)]
pub struct MeteredChanges {
    inner: Arc<dyn ChangeLog>,
    meter: Arc<Meter>,
    is_on: Arc<AtomicBool>,
}

impl MeteredChanges {
    /// Meters the batches that `inner` returns while `is_on`.
    pub fn new(inner: Arc<dyn ChangeLog>, meter: Arc<Meter>, is_on: Arc<AtomicBool>) -> Self {
        Self { inner, meter, is_on }
    }
}

#[async_trait]
impl ChangeLog for MeteredChanges {
    async fn read(&self, max: usize, wait: Duration) -> Result<Vec<Change>, StoreError> {
        loop {
            let at_once = if self.is_on.load(Ordering::SeqCst) { max } else { PASSED_OVER_AT_ONCE };
            let mut changes = self.inner.read(at_once, wait).await?;
            let Some(last) = changes.last() else { return Ok(changes) };
            // Checked again: it may have been switched on during the wait.
            if self.is_on.load(Ordering::SeqCst) {
                changes.truncate(max);
                self.meter.0.lock().change_batches += 1;
                return Ok(changes);
            }
            self.inner.pass(last).await?;
        }
    }

    async fn pass(&self, last: &Change) -> Result<(), StoreError> {
        self.inner.pass(last).await
    }

    async fn is_empty(&self) -> Result<bool, StoreError> {
        self.inner.is_empty().await
    }

    async fn backlog(&self) -> Result<Backlog, StoreError> {
        self.inner.backlog().await
    }
}

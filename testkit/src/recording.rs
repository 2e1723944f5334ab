//! What a function asks of its ports, as IAM sees it: action, resource, partition keys. `deploy-checks` holds it against
//! the policies.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use parking_lot::Mutex;
use ports::{
    queue::{OutgoingMessage, Queue, QueueDepth, QueueError, QueueName, Receipt, ReceivedMessage},
    store::{BatchGot, BatchWrite, Consistency, Item, Key, Outcome, Query, QueryPage, Store, StoreError, Table, Write},
};

/// What is accessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    /// A table.
    Table(Table),
    /// A queue.
    Queue(QueueName),
}

/// One request for permission.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Access {
    /// What is to be done, such as `dynamodb:GetItem`.
    pub action: &'static str,
    /// To what.
    pub resource: Resource,
    /// The partition keys of the items: what `dynamodb:LeadingKeys` holds. None for a queue.
    pub leading_keys: BTreeSet<String>,
}

/// Notes what passes the ports that it wraps. Clones note into the same list.
#[derive(Debug, Clone, Default)]
pub struct Recorder(Arc<Mutex<BTreeSet<Access>>>);

impl Recorder {
    /// What was asked for so far, each once.
    pub fn accesses(&self) -> BTreeSet<Access> {
        self.0.lock().clone()
    }

    /// A store whose every call is noted before it is made, whatever comes of it. `tables` are those that the function
    /// is told of, which is whom a probe asks.
    pub fn store(&self, inner: Arc<dyn Store>, tables: impl IntoIterator<Item = Table>) -> Arc<dyn Store> {
        Arc::new(RecordingStore { inner, tables: tables.into_iter().collect(), recorder: self.clone() })
    }

    /// Queues whose every call is noted before it is made.
    pub fn queue(&self, inner: Arc<dyn Queue>) -> Arc<dyn Queue> {
        Arc::new(RecordingQueue { inner, recorder: self.clone() })
    }

    fn note<'a>(&self, action: &'static str, table: Table, partitions: impl IntoIterator<Item = &'a str>) {
        let leading_keys = partitions.into_iter().map(str::to_owned).collect();
        self.0.lock().insert(Access { action, resource: Resource::Table(table), leading_keys });
    }

    /// A transaction asks for no permission of its own but for those of its parts. Parts of one kind and table are noted
    /// as one request: AWS does not say whether it judges them one by one, and what may be done together may be done
    /// one by one.
    fn note_transaction(&self, writes: &[(Table, Write)]) {
        let kinds: BTreeSet<_> = writes.iter().map(|(table, write)| (action_of(write), *table)).collect();
        for kind in kinds {
            let of_kind = writes.iter().filter(|(table, write)| (action_of(write), *table) == kind);
            self.note(kind.0, kind.1, of_kind.map(|(_, write)| write.key().partition.as_str()));
        }
    }

    fn note_queue(&self, action: &'static str, queue: QueueName) {
        self.0.lock().insert(Access { action, resource: Resource::Queue(queue), leading_keys: BTreeSet::new() });
    }
}

const fn action_of(write: &Write) -> &'static str {
    match write {
        Write::Put { .. } => "dynamodb:PutItem",
        Write::Update { .. } => "dynamodb:UpdateItem",
        Write::Delete { .. } => "dynamodb:DeleteItem",
        Write::Check { .. } => "dynamodb:ConditionCheckItem",
    }
}

#[derive(Debug)]
struct RecordingStore {
    inner: Arc<dyn Store>,
    tables: BTreeSet<Table>,
    recorder: Recorder,
}

#[async_trait]
impl Store for RecordingStore {
    async fn get(&self, table: Table, key: &Key, consistency: Consistency) -> Result<Option<Item>, StoreError> {
        self.recorder.note("dynamodb:GetItem", table, [key.partition.as_str()]);
        self.inner.get(table, key, consistency).await
    }

    async fn batch_get(&self, table: Table, keys: &[Key], consistency: Consistency) -> Result<BatchGot, StoreError> {
        self.recorder.note("dynamodb:BatchGetItem", table, keys.iter().map(|key| key.partition.as_str()));
        self.inner.batch_get(table, keys, consistency).await
    }

    async fn query(&self, query: &Query) -> Result<QueryPage, StoreError> {
        self.recorder.note("dynamodb:Query", query.table, [query.partition.as_str()]);
        self.inner.query(query).await
    }

    async fn batch_write(&self, table: Table, writes: &[BatchWrite]) -> Result<Vec<BatchWrite>, StoreError> {
        let partitions = writes.iter().map(|write| write.key().partition.as_str());
        self.recorder.note("dynamodb:BatchWriteItem", table, partitions);
        self.inner.batch_write(table, writes).await
    }

    async fn write(&self, table: Table, write: Write) -> Result<Outcome, StoreError> {
        self.recorder.note(action_of(&write), table, [write.key().partition.as_str()]);
        self.inner.write(table, write).await
    }

    async fn transact(&self, writes: Vec<(Table, Write)>) -> Result<Outcome, StoreError> {
        self.recorder.note_transaction(&writes);
        self.inner.transact(writes).await
    }

    async fn durable(&self) -> Result<(), StoreError> {
        self.inner.durable().await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        for table in &self.tables {
            self.recorder.note("dynamodb:GetItem", *table, [Key::probe().partition.as_str()]);
        }
        self.inner.probe().await
    }
}

#[derive(Debug)]
struct RecordingQueue {
    inner: Arc<dyn Queue>,
    recorder: Recorder,
}

#[async_trait]
impl Queue for RecordingQueue {
    async fn send(&self, queue: QueueName, messages: Vec<OutgoingMessage>) -> Result<Vec<OutgoingMessage>, QueueError> {
        self.recorder.note_queue("sqs:SendMessage", queue);
        self.inner.send(queue, messages).await
    }

    async fn receive(
        &self,
        queue: QueueName,
        max: usize,
        wait: Duration,
        visibility: Option<Duration>,
    ) -> Result<Vec<ReceivedMessage>, QueueError> {
        self.recorder.note_queue("sqs:ReceiveMessage", queue);
        self.inner.receive(queue, max, wait, visibility).await
    }

    async fn delete(&self, queue: QueueName, receipts: Vec<Receipt>) -> Result<Vec<Receipt>, QueueError> {
        self.recorder.note_queue("sqs:DeleteMessage", queue);
        self.inner.delete(queue, receipts).await
    }

    async fn change_visibility(
        &self,
        queue: QueueName,
        changes: Vec<(Receipt, Duration)>,
    ) -> Result<Vec<Receipt>, QueueError> {
        self.recorder.note_queue("sqs:ChangeMessageVisibility", queue);
        self.inner.change_visibility(queue, changes).await
    }

    async fn depth(&self, queue: QueueName) -> Result<QueueDepth, QueueError> {
        self.recorder.note_queue("sqs:GetQueueAttributes", queue);
        self.inner.depth(queue).await
    }
}

//! The calls that a function makes through its ports, as IAM sees them: action, resource, partition keys.
//! `deploy-checks` compares them with the policies.

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use domain::Timestamp;
use parking_lot::Mutex;
use ports::{
    blobs::{Blob, BlobError, BlobInfo, Blobs, Bucket, Permitted, PresignedUpload},
    queue::{Queue, QueueError, QueueName},
    store::{Key, Store, StoreError, Table, Write},
};

use crate::faults::{HookedQueue, HookedStore, QueueCall, QueueHook, StoreCall, StoreHook};

/// The accessed resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    /// A table.
    Table(Table),
    /// A queue.
    Queue(QueueName),
    /// A bucket.
    Bucket(Bucket),
}

/// One request for permission.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Access {
    /// The action, such as `dynamodb:GetItem`.
    pub action: &'static str,
    /// The accessed resource.
    pub resource: Resource,
    /// The partition keys of the items: the value of `dynamodb:LeadingKeys`; the keys of the objects. Empty for a queue and
    /// for a bucket itself.
    pub leading_keys: BTreeSet<String>,
}

/// Records the calls through the ports that it wraps. Clones share one list.
#[derive(Debug, Clone, Default)]
pub struct Recorder(Arc<Mutex<BTreeSet<Access>>>);

impl Recorder {
    /// The distinct requests so far.
    pub fn accesses(&self) -> BTreeSet<Access> {
        self.0.lock().clone()
    }

    /// A store that records every call before making it, regardless of the result. `tables` are those in the function's
    /// configuration, which a probe reads.
    pub fn store(&self, inner: Arc<dyn Store>, tables: impl IntoIterator<Item = Table>) -> Arc<dyn Store> {
        Arc::new(HookedStore::with(inner, NotesStore { tables: tables.into_iter().collect(), recorder: self.clone() }))
    }

    /// Queues that record every call before making it.
    pub fn queue(&self, inner: Arc<dyn Queue>) -> Arc<dyn Queue> {
        Arc::new(HookedQueue::with(inner, NotesQueue(self.clone())))
    }

    /// Object storage that records every call before making it.
    pub fn blobs(&self, inner: Arc<dyn Blobs>) -> Arc<dyn Blobs> {
        Arc::new(NotingBlobs { inner, recorder: self.clone() })
    }

    fn note_object(&self, action: &'static str, bucket: Bucket, key: &str) {
        let leading_keys = BTreeSet::from([key.to_owned()]);
        self.0.lock().insert(Access { action, resource: Resource::Bucket(bucket), leading_keys });
    }

    /// Reading an object. S3 says that an object does not exist only with permission to list the bucket.
    fn note_read(&self, bucket: Bucket, key: &str) {
        self.note_object("s3:GetObject", bucket, key);
        let (action, resource) = ("s3:ListBucket", Resource::Bucket(bucket));
        self.0.lock().insert(Access { action, resource, leading_keys: BTreeSet::new() });
    }

    fn note<'a>(&self, action: &'static str, table: Table, partitions: impl IntoIterator<Item = &'a str>) {
        let leading_keys = partitions.into_iter().map(str::to_owned).collect();
        self.0.lock().insert(Access { action, resource: Resource::Table(table), leading_keys });
    }

    /// A transaction needs no permission itself, only those of its parts. Parts of one kind and table are recorded as
    /// one request: AWS does not document whether it evaluates them one by one, and parts that are allowed together are
    /// allowed one by one.
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

/// Records the calls of a store.
#[derive(Debug)]
struct NotesStore {
    tables: BTreeSet<Table>,
    recorder: Recorder,
}

impl NotesStore {
    fn note(&self, call: StoreCall<'_>) {
        let note = |action, table, partition: &str| self.recorder.note(action, table, [partition]);
        match call {
            StoreCall::Get(table, key) => note("dynamodb:GetItem", table, &key.partition),
            StoreCall::BatchGet(table, keys) => {
                self.recorder.note("dynamodb:BatchGetItem", table, keys.iter().map(|key| key.partition.as_str()));
            }
            StoreCall::Query(query) => note("dynamodb:Query", query.table, &query.partition),
            StoreCall::BatchWrite(table, writes) => {
                let partitions = writes.iter().map(|write| write.key().partition.as_str());
                self.recorder.note("dynamodb:BatchWriteItem", table, partitions);
            }
            StoreCall::Write(table, write) => note(action_of(write), table, &write.key().partition),
            StoreCall::Transact(writes) => self.recorder.note_transaction(writes),
            StoreCall::Durable => {}
            StoreCall::Probe => {
                for table in &self.tables {
                    note("dynamodb:GetItem", *table, &Key::probe().partition);
                }
            }
        }
    }
}

impl StoreHook for NotesStore {
    async fn around<T: Send>(
        &self,
        call: StoreCall<'_>,
        make: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        self.note(call);
        make.await
    }
}

/// Records the calls of queues.
#[derive(Debug)]
struct NotesQueue(Recorder);

impl QueueHook for NotesQueue {
    async fn around<T: Send>(
        &self,
        call: QueueCall,
        queue: QueueName,
        make: impl Future<Output = Result<T, QueueError>> + Send,
    ) -> Result<T, QueueError> {
        let action = match call {
            QueueCall::Send => "sqs:SendMessage",
            QueueCall::Receive => "sqs:ReceiveMessage",
            QueueCall::Delete => "sqs:DeleteMessage",
            QueueCall::ChangeVisibility => "sqs:ChangeMessageVisibility",
            QueueCall::Depth => "sqs:GetQueueAttributes",
        };
        self.0.note_queue(action, queue);
        make.await
    }
}

/// Records the calls of object storage.
#[derive(Debug)]
struct NotingBlobs {
    inner: Arc<dyn Blobs>,
    recorder: Recorder,
}

#[async_trait]
impl Blobs for NotingBlobs {
    async fn put(&self, bucket: Bucket, key: &str, blob: Blob) -> Result<(), BlobError> {
        self.recorder.note_object("s3:PutObject", bucket, key);
        self.inner.put(bucket, key, blob).await
    }

    async fn get(&self, bucket: Bucket, key: &str, max_bytes: u64) -> Result<Option<Blob>, BlobError> {
        self.recorder.note_read(bucket, key);
        self.inner.get(bucket, key, max_bytes).await
    }

    async fn head(&self, bucket: Bucket, key: &str) -> Result<Option<BlobInfo>, BlobError> {
        self.recorder.note_read(bucket, key);
        self.inner.head(bucket, key).await
    }

    async fn delete(&self, bucket: Bucket, keys: &[String]) -> Result<(), BlobError> {
        keys.iter().for_each(|key| self.recorder.note_object("s3:DeleteObject", bucket, key));
        self.inner.delete(bucket, keys).await
    }

    async fn copy(&self, bucket: Bucket, from: &str, to: &str) -> Result<bool, BlobError> {
        self.recorder.note_read(bucket, from);
        self.recorder.note_object("s3:PutObject", bucket, to);
        self.inner.copy(bucket, from, to).await
    }

    /// S3 permits what the signer may do.
    async fn presign_upload(&self, permitted: Permitted<'_>, now: Timestamp) -> Result<PresignedUpload, BlobError> {
        self.recorder.note_object("s3:PutObject", Bucket::Uploads, permitted.key);
        self.inner.presign_upload(permitted, now).await
    }
}

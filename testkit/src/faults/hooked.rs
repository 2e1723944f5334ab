//! A wrapper that runs a hook around the calls of a port.

use std::{fmt, ops::Deref, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::future::BoxFuture;
use ports::{
    queue::{OutgoingMessage, Queue, QueueDepth, QueueError, QueueName, Receipt, ReceivedMessage},
    store::{BatchGot, BatchWrite, Consistency, Item, Key, Outcome, Query, QueryPage, Store, StoreError, Table, Write},
};

/// A call of a store.
#[derive(Debug, Clone, Copy)]
pub enum StoreCall<'a> {
    /// `get`.
    Get(Table, &'a Key),
    /// `batch_get`.
    BatchGet(Table, &'a [Key]),
    /// `query`.
    Query(&'a Query),
    /// `batch_write`.
    BatchWrite(Table, &'a [BatchWrite]),
    /// `write`.
    Write(Table, &'a Write),
    /// `transact`.
    Transact(&'a [(Table, Write)]),
    /// `durable`.
    Durable,
    /// `probe`.
    Probe,
}

impl StoreCall<'_> {
    /// Whether the call reads or writes items: all but `durable` and `probe`.
    pub const fn is_about_items(self) -> bool {
        !matches!(self, Self::Durable | Self::Probe)
    }

    /// Whether the call reads items.
    pub const fn is_read(self) -> bool {
        matches!(self, Self::Get(..) | Self::BatchGet(..) | Self::Query(_))
    }

    /// The keys of the written or checked items, in the order of the call.
    pub fn written(self) -> Vec<(Table, Key)> {
        match self {
            Self::BatchWrite(table, writes) => writes.iter().map(|write| (table, write.key().clone())).collect(),
            Self::Write(table, write) => vec![(table, write.key().clone())],
            Self::Transact(writes) => writes.iter().map(|(table, write)| (*table, write.key().clone())).collect(),
            _ => Vec::new(),
        }
    }
}

/// A hook around the calls of a store.
pub trait StoreHook: fmt::Debug + Send + Sync + 'static {
    /// Makes the call, or fails instead; may run other code before, after or in place of it.
    fn around<T: Send>(
        &self,
        call: StoreCall<'_>,
        make: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> impl Future<Output = Result<T, StoreError>> + Send;

    /// Whether the next entry of a batch is left unprocessed.
    fn leaves_undone(&self) -> bool {
        false
    }
}

/// A store with a hook around every call. Derefs to the hook.
#[derive(Debug)]
pub struct HookedStore<H> {
    inner: Arc<dyn Store>,
    hook: H,
}

impl<H: StoreHook> HookedStore<H> {
    /// A store whose calls go through this hook.
    pub fn with(inner: Arc<dyn Store>, hook: H) -> Self {
        Self { inner, hook }
    }

    /// Splits the entries of a batch into those to send and those to leave undone.
    fn part<T: Clone>(&self, entries: &[T]) -> (Vec<T>, Vec<T>) {
        entries.iter().cloned().partition(|_| !self.hook.leaves_undone())
    }
}

impl<F> HookedStore<Before<F>>
where
    F: Fn(StoreCall<'_>) -> BoxFuture<'static, Result<(), StoreError>> + Send + Sync + 'static,
{
    /// A store that awaits `before` ahead of every call and makes the call only if that succeeds. For a hook that acts
    /// once, or only on certain calls.
    pub fn before(inner: Arc<dyn Store>, before: F) -> Self {
        Self::with(inner, Before(before))
    }
}

impl<H> Deref for HookedStore<H> {
    type Target = H;

    fn deref(&self) -> &H {
        &self.hook
    }
}

#[async_trait]
impl<H: StoreHook> Store for HookedStore<H> {
    async fn get(&self, table: Table, key: &Key, consistency: Consistency) -> Result<Option<Item>, StoreError> {
        self.hook.around(StoreCall::Get(table, key), self.inner.get(table, key, consistency)).await
    }

    async fn batch_get(&self, table: Table, keys: &[Key], consistency: Consistency) -> Result<BatchGot, StoreError> {
        let make = async {
            let (asked, left) = self.part(keys);
            let mut got = self.inner.batch_get(table, &asked, consistency).await?;
            got.unprocessed.extend(left);
            Ok(got)
        };
        self.hook.around(StoreCall::BatchGet(table, keys), make).await
    }

    async fn query(&self, query: &Query) -> Result<QueryPage, StoreError> {
        self.hook.around(StoreCall::Query(query), self.inner.query(query)).await
    }

    async fn batch_write(&self, table: Table, writes: &[BatchWrite]) -> Result<Vec<BatchWrite>, StoreError> {
        let make = async {
            let (done, left) = self.part(writes);
            let mut unprocessed = self.inner.batch_write(table, &done).await?;
            unprocessed.extend(left);
            Ok(unprocessed)
        };
        self.hook.around(StoreCall::BatchWrite(table, writes), make).await
    }

    async fn write(&self, table: Table, write: Write) -> Result<Outcome, StoreError> {
        self.hook.around(StoreCall::Write(table, &write), self.inner.write(table, write.clone())).await
    }

    async fn transact(&self, writes: Vec<(Table, Write)>) -> Result<Outcome, StoreError> {
        self.hook.around(StoreCall::Transact(&writes), self.inner.transact(writes.clone())).await
    }

    async fn durable(&self) -> Result<(), StoreError> {
        self.hook.around(StoreCall::Durable, self.inner.durable()).await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.hook.around(StoreCall::Probe, self.inner.probe()).await
    }
}

/// A call of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueCall {
    /// `send`.
    Send,
    /// `receive`.
    Receive,
    /// `delete`.
    Delete,
    /// `change_visibility`.
    ChangeVisibility,
    /// `depth`.
    Depth,
}

/// A hook around the calls of queues.
pub trait QueueHook: fmt::Debug + Send + Sync + 'static {
    /// Makes the call, or fails instead; may run other code before, after or in place of it.
    fn around<T: Send>(
        &self,
        call: QueueCall,
        queue: QueueName,
        make: impl Future<Output = Result<T, QueueError>> + Send,
    ) -> impl Future<Output = Result<T, QueueError>> + Send;

    /// The wait of a receive that was asked to wait this long.
    fn wait(&self, asked: Duration) -> Duration {
        asked
    }
}

/// Queues with a hook around every call. Derefs to the hook.
#[derive(Debug)]
pub struct HookedQueue<H> {
    inner: Arc<dyn Queue>,
    hook: H,
}

impl<H: QueueHook> HookedQueue<H> {
    /// Queues whose calls go through this hook.
    pub fn with(inner: Arc<dyn Queue>, hook: H) -> Self {
        Self { inner, hook }
    }
}

impl<H> Deref for HookedQueue<H> {
    type Target = H;

    fn deref(&self) -> &H {
        &self.hook
    }
}

#[async_trait]
impl<H: QueueHook> Queue for HookedQueue<H> {
    async fn send(&self, queue: QueueName, messages: Vec<OutgoingMessage>) -> Result<Vec<OutgoingMessage>, QueueError> {
        self.hook.around(QueueCall::Send, queue, self.inner.send(queue, messages)).await
    }

    async fn receive(
        &self,
        queue: QueueName,
        max: usize,
        wait: Duration,
        visibility: Option<Duration>,
    ) -> Result<Vec<ReceivedMessage>, QueueError> {
        let make = self.inner.receive(queue, max, self.hook.wait(wait), visibility);
        self.hook.around(QueueCall::Receive, queue, make).await
    }

    async fn delete(&self, queue: QueueName, receipts: Vec<Receipt>) -> Result<Vec<Receipt>, QueueError> {
        self.hook.around(QueueCall::Delete, queue, self.inner.delete(queue, receipts)).await
    }

    async fn change_visibility(
        &self,
        queue: QueueName,
        changes: Vec<(Receipt, Duration)>,
    ) -> Result<Vec<Receipt>, QueueError> {
        let make = self.inner.change_visibility(queue, changes);
        self.hook.around(QueueCall::ChangeVisibility, queue, make).await
    }

    async fn depth(&self, queue: QueueName) -> Result<QueueDepth, QueueError> {
        self.hook.around(QueueCall::Depth, queue, self.inner.depth(queue)).await
    }
}

/// A hook that runs a function before each call.
pub struct Before<F>(F);

impl<F> fmt::Debug for Before<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Before")
    }
}

impl<F> StoreHook for Before<F>
where
    F: Fn(StoreCall<'_>) -> BoxFuture<'static, Result<(), StoreError>> + Send + Sync + 'static,
{
    async fn around<T: Send>(
        &self,
        call: StoreCall<'_>,
        make: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        (self.0)(call).await?;
        make.await
    }
}

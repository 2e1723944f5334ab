//! Death at any call: wrappers under which a process "dies" at the n-th call to a port, before or after the call took
//! effect. The call then never returns, and what was running is dropped, as a killed process leaves it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use ports::{
    queue::{OutgoingMessage, Queue, QueueDepth, QueueError, QueueName, Receipt, ReceivedMessage},
    store::{BatchGot, BatchWrite, Consistency, Item, Key, Outcome, Query, QueryPage, Store, StoreError, Table, Write},
};
use tokio::sync::Notify;

/// Whether the deadly call still takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    /// The process dies before the call reaches the port.
    Before,
    /// The process dies after it, with the answer lost.
    After,
}

/// How many calls to all ports together a process has left.
#[derive(Debug)]
pub struct Life {
    calls_left: AtomicI64,
    death: Death,
    died: Notify,
}

impl Life {
    /// A life of `calls` calls; the one after them is deadly.
    pub fn of(calls: i64, death: Death) -> Arc<Self> {
        Arc::new(Self { calls_left: AtomicI64::new(calls), death, died: Notify::new() })
    }

    /// Runs until done or dead. `None` when dead; what ran is dropped where it was.
    pub async fn live<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.died.notified() => None,
            done = work => Some(done),
        }
    }

    async fn spend<T>(&self, call: impl Future<Output = T>) -> T {
        let left = self.calls_left.fetch_sub(1, Ordering::SeqCst);
        if left > 0 {
            return call.await;
        }
        if left == 0 && self.death == Death::After {
            call.await;
        }
        self.died.notify_one();
        std::future::pending().await
    }
}

/// A store in a process of limited life.
#[derive(Debug)]
pub struct MortalStore {
    /// The store itself.
    pub inner: Arc<dyn Store>,
    /// The life shared with the other ports.
    pub life: Arc<Life>,
}

#[async_trait]
impl Store for MortalStore {
    async fn get(&self, table: Table, key: &Key, consistency: Consistency) -> Result<Option<Item>, StoreError> {
        self.life.spend(self.inner.get(table, key, consistency)).await
    }

    async fn batch_get(&self, table: Table, keys: &[Key], consistency: Consistency) -> Result<BatchGot, StoreError> {
        self.life.spend(self.inner.batch_get(table, keys, consistency)).await
    }

    async fn query(&self, query: &Query) -> Result<QueryPage, StoreError> {
        self.life.spend(self.inner.query(query)).await
    }

    async fn batch_write(&self, table: Table, writes: &[BatchWrite]) -> Result<Vec<BatchWrite>, StoreError> {
        self.life.spend(self.inner.batch_write(table, writes)).await
    }

    async fn write(&self, table: Table, write: Write) -> Result<Outcome, StoreError> {
        self.life.spend(self.inner.write(table, write)).await
    }

    async fn transact(&self, writes: Vec<(Table, Write)>) -> Result<Outcome, StoreError> {
        self.life.spend(self.inner.transact(writes)).await
    }

    async fn durable(&self) -> Result<(), StoreError> {
        self.inner.durable().await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.inner.probe().await
    }
}

/// A queue in a process of limited life.
#[derive(Debug)]
pub struct MortalQueue {
    /// The queue itself.
    pub inner: Arc<dyn Queue>,
    /// The life shared with the other ports.
    pub life: Arc<Life>,
}

#[async_trait]
impl Queue for MortalQueue {
    async fn send(&self, queue: QueueName, messages: Vec<OutgoingMessage>) -> Result<Vec<OutgoingMessage>, QueueError> {
        self.life.spend(self.inner.send(queue, messages)).await
    }

    async fn receive(
        &self,
        queue: QueueName,
        max: usize,
        wait: Duration,
        visibility: Option<Duration>,
    ) -> Result<Vec<ReceivedMessage>, QueueError> {
        self.life.spend(self.inner.receive(queue, max, wait, visibility)).await
    }

    async fn delete(&self, queue: QueueName, receipts: Vec<Receipt>) -> Result<Vec<Receipt>, QueueError> {
        self.life.spend(self.inner.delete(queue, receipts)).await
    }

    async fn change_visibility(
        &self,
        queue: QueueName,
        changes: Vec<(Receipt, Duration)>,
    ) -> Result<Vec<Receipt>, QueueError> {
        self.life.spend(self.inner.change_visibility(queue, changes)).await
    }

    async fn depth(&self, queue: QueueName) -> Result<QueueDepth, QueueError> {
        self.inner.depth(queue).await
    }
}

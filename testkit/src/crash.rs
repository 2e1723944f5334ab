//! Crashes at any call: wrappers under which a process "dies" at the n-th call to a port, before or after the call
//! takes effect. The call then never returns, and the running future is dropped, as in a killed process.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use async_trait::async_trait;
use domain::Timestamp;
use ports::{
    blobs::{Blob, BlobError, BlobInfo, Blobs, Bucket, Permitted, PresignedUpload},
    queue::{QueueError, QueueName},
    store::StoreError,
};
use tokio::sync::Notify;

use crate::faults::{HookedQueue, HookedStore, QueueCall, QueueHook, StoreCall, StoreHook};

/// Whether the fatal call still takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    /// The process dies before the call reaches the port.
    Before,
    /// The process dies after the call, with the answer lost.
    After,
}

/// The number of calls, to all ports together, that a process has left.
#[derive(Debug)]
pub struct Life {
    calls_left: AtomicI64,
    death: Death,
    died: Notify,
}

impl Life {
    /// A life of `calls` calls; the next one is fatal.
    pub fn of(calls: i64, death: Death) -> Arc<Self> {
        Arc::new(Self { calls_left: AtomicI64::new(calls), death, died: Notify::new() })
    }

    /// Runs a future until it completes or the process dies. On death, returns `None` and drops the future.
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

/// A store in a process with a limited number of calls.
pub type MortalStore = HookedStore<Arc<Life>>;

/// Queues in a process with a limited number of calls.
pub type MortalQueue = HookedQueue<Arc<Life>>;

/// Object storage in a process with a limited number of calls.
#[derive(Debug)]
pub struct MortalBlobs {
    inner: Arc<dyn Blobs>,
    life: Arc<Life>,
}

impl MortalBlobs {
    /// Object storage whose calls use up this life.
    pub fn with(inner: Arc<dyn Blobs>, life: Arc<Life>) -> Self {
        Self { inner, life }
    }
}

#[async_trait]
impl Blobs for MortalBlobs {
    async fn put(&self, bucket: Bucket, key: &str, blob: Blob) -> Result<(), BlobError> {
        self.life.spend(self.inner.put(bucket, key, blob)).await
    }

    async fn get(&self, bucket: Bucket, key: &str, max_bytes: u64) -> Result<Option<Blob>, BlobError> {
        self.life.spend(self.inner.get(bucket, key, max_bytes)).await
    }

    async fn head(&self, bucket: Bucket, key: &str) -> Result<Option<BlobInfo>, BlobError> {
        self.life.spend(self.inner.head(bucket, key)).await
    }

    async fn delete(&self, bucket: Bucket, keys: &[String]) -> Result<(), BlobError> {
        self.life.spend(self.inner.delete(bucket, keys)).await
    }

    async fn copy(&self, bucket: Bucket, from: &str, to: &str) -> Result<bool, BlobError> {
        self.life.spend(self.inner.copy(bucket, from, to)).await
    }

    async fn presign_upload(&self, permitted: Permitted<'_>, now: Timestamp) -> Result<PresignedUpload, BlobError> {
        self.life.spend(self.inner.presign_upload(permitted, now)).await
    }
}

impl StoreHook for Arc<Life> {
    async fn around<T: Send>(
        &self,
        call: StoreCall<'_>,
        make: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        if call.is_about_items() { self.spend(make).await } else { make.await }
    }
}

impl QueueHook for Arc<Life> {
    async fn around<T: Send>(
        &self,
        call: QueueCall,
        _: QueueName,
        make: impl Future<Output = Result<T, QueueError>> + Send,
    ) -> Result<T, QueueError> {
        if call == QueueCall::Depth { make.await } else { self.spend(make).await }
    }
}

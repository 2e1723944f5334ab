//! The contract of [`Blobs`]. Each check gets separate, empty buckets.

mod objects;
mod uploads;

use std::{any::Any, fmt, sync::Arc};

use bytes::Bytes;
use futures::future::BoxFuture;
use ports::blobs::{Blob, Blobs, Bucket, PresignedUpload};

contract! {
    $
    /// Makes a test of each check of the contract of object storage. The argument is an expression of a future of a
    /// [`BlobsHarness`](crate::contract::blobs::BlobsHarness), evaluated once per test.
    blobs_contract, blobs
    objects {
        a_missing_object_is_none
        an_object_reads_back_with_its_type
        an_empty_object_is_there
        a_put_replaces_the_object
        buckets_share_no_objects
        an_object_above_the_readers_bound_is_refused
        a_delete_removes_and_may_be_repeated
        a_delete_takes_at_most_1000_keys
        a_copy_outlives_its_original
        a_copy_replaces_its_target
        a_copy_may_be_repeated
        copying_a_missing_object_changes_nothing
        a_malformed_key_is_refused
        concurrent_puts_leave_one_whole_object
    }
    uploads {
        a_permitted_upload_is_stored
        an_upload_expires_after_its_duration
        an_expired_upload_is_refused
        an_upload_of_another_size_is_refused
        an_upload_of_another_type_is_refused
        an_upload_to_another_key_is_refused
        an_altered_signature_is_refused
        a_second_upload_changes_nothing
        an_emptied_key_refuses_its_url
        concurrent_uploads_have_one_winner
    }
}

/// The answer to an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uploaded {
    /// It is stored.
    Stored,
    /// The key has an object: a 412.
    KeyInUse,
    /// The request is not permitted: a 403.
    Forbidden,
}

/// Sends an upload as a client does: this URL, these headers, this content.
pub type SendUpload = Arc<dyn Fn(PresignedUpload, Bytes) -> BoxFuture<'static, Uploaded> + Send + Sync>;

/// Object storage to check.
pub struct BlobsHarness {
    /// The storage; its buckets are empty.
    pub blobs: Arc<dyn Blobs>,
    /// Sends an upload to it. The time is the system's.
    pub upload: SendUpload,
    /// Resources that must outlive the storage, such as a temporary directory.
    keep: Vec<Box<dyn Any + Send>>,
}

impl fmt::Debug for BlobsHarness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlobsHarness").field("blobs", &self.blobs).finish_non_exhaustive()
    }
}

impl BlobsHarness {
    /// Storage without further resources.
    pub fn new(blobs: impl Blobs + 'static, upload: SendUpload) -> Self {
        Self { blobs: Arc::new(blobs), upload, keep: Vec::new() }
    }

    /// Keeps a resource alive until the check ends.
    #[must_use]
    pub fn keeping(mut self, thing: impl Any + Send) -> Self {
        self.keep.push(Box::new(thing));
        self
    }

    async fn put(&self, key: &str, blob: Blob) {
        self.blobs.put(BUCKET, key, blob).await.expect("a put passes");
    }

    async fn get(&self, key: &str) -> Option<Blob> {
        self.blobs.get(BUCKET, key, MAX_BYTES).await.expect("a get passes")
    }
}

/// The bucket of checks that work on any bucket.
const BUCKET: Bucket = Bucket::Media;
/// More than any object of a check has.
const MAX_BYTES: u64 = 1024 * 1024;

fn blob(text: &str) -> Blob {
    Blob { body: Bytes::copy_from_slice(text.as_bytes()), content_type: "text/plain".to_owned() }
}

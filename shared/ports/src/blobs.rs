//! The port to object storage, with the semantics of S3: whole objects under keys, strongly consistent; the last writer
//! of a key wins, except that a presigned upload never replaces an object.
//!
//! A key has 1 to [`MAX_KEY_BYTES`] bytes of `a-z`, `0-9`, `.`, `_`, `-` and `/`, and neither begins nor ends with `/`.
//! Every adapter passes one contract suite.

use std::{error::Error, fmt, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use domain::Timestamp;

/// The longest key in bytes. S3 permits 1,024, file names 255, and emulators of S3 add to them.
pub const MAX_KEY_BYTES: usize = 128;
/// Keys per delete; the limit of S3's `DeleteObjects`.
pub const MAX_DELETE: usize = 1_000;

/// A bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Bucket {
    /// Uploads of clients. Private; an object is removed a day after it was written.
    Uploads,
    /// The pictures that are served. Only keys that begin with [`Bucket::SERVED`] can be read from outside.
    Media,
}

impl Bucket {
    /// Every bucket.
    pub const ALL: [Self; 2] = [Self::Uploads, Self::Media];

    /// The beginning of the keys in [`Bucket::Media`] that anyone who knows a key can read.
    pub const SERVED: &str = "media/";

    /// The `Cache-Control` of its objects where they are served. The object of a served key never changes.
    pub const fn cache_control(self) -> Option<&'static str> {
        match self {
            Self::Uploads => None,
            Self::Media => Some("public, max-age=31536000, immutable"),
        }
    }

    /// The bucket's name in logs, metrics and configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Uploads => "uploads",
            Self::Media => "media",
        }
    }
}

/// An object's size and type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobInfo {
    /// Size in bytes.
    pub bytes: u64,
    /// The media type that its writer gave.
    pub content_type: String,
}

/// An object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// The content.
    pub body: Bytes,
    /// The media type that its writer gave.
    pub content_type: String,
}

/// The only upload that a presigned request permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permitted<'a> {
    /// The key of the object.
    pub key: &'a str,
    /// Its media type, to be sent as `Content-Type`.
    pub content_type: &'a str,
    /// Its exact size in bytes, to be sent as `Content-Length`.
    pub bytes: u64,
    /// How long the permission lasts, in whole seconds.
    pub lasts: Duration,
}

/// A request that a client sends by itself to upload one object, without credentials. `Debug` hides the signed URL.
#[derive(Clone, PartialEq, Eq)]
pub struct PresignedUpload {
    /// The URL, with its signature. Absolute, or a path on this service's own listener.
    pub url: String,
    /// The headers that the client must send, with exactly these values.
    pub headers: Vec<(String, String)>,
    /// The time from which the request is refused.
    pub expires_at: Timestamp,
}

impl fmt::Debug for PresignedUpload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PresignedUpload").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// Why a call to object storage failed.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// Too many calls; a later one may succeed.
    #[error("object storage is throttling")]
    Throttled,
    /// Object storage cannot be reached or is failing; a later call may succeed, and this one may have taken effect.
    #[error("object storage is unavailable")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// There is no room left for an object.
    #[error("object storage is full")]
    Full,
    /// The call can never succeed: a malformed key, or a configuration that does not permit it.
    #[error("object storage refused the call")]
    Refused(#[source] Box<dyn Error + Send + Sync>),
}

impl BlobError {
    /// Whether the same call may succeed later.
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Throttled | Self::Unavailable(_) | Self::Full => true,
            Self::Refused(_) => false,
        }
    }
}

/// A call that no adapter performs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCall {
    /// The key is malformed.
    #[error("a key of object storage has 1 to {MAX_KEY_BYTES} bytes of a-z, 0-9, '.', '_', '-' and '/'")]
    Key,
    /// Too many keys in one delete.
    #[error("a delete of objects takes at most {MAX_DELETE} keys")]
    TooManyKeys,
    /// The object is larger than the caller permits.
    #[error("the object is larger than the {max_bytes} bytes permitted")]
    TooLarge {
        /// The caller's limit in bytes.
        max_bytes: u64,
    },
}

impl From<InvalidCall> for BlobError {
    fn from(invalid: InvalidCall) -> Self {
        Self::Refused(invalid.into())
    }
}

/// Checks that a key is well-formed.
///
/// # Errors
/// [`InvalidCall::Key`].
pub fn check_key(key: &str) -> Result<(), InvalidCall> {
    let permitted = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-' | b'/');
    let is_key = (1..=MAX_KEY_BYTES).contains(&key.len())
        && key.bytes().all(permitted)
        && !key.starts_with('/')
        && !key.ends_with('/');
    if is_key { Ok(()) } else { Err(InvalidCall::Key) }
}

/// Checks the keys of a delete.
///
/// # Errors
/// [`InvalidCall::TooManyKeys`] and [`InvalidCall::Key`].
pub fn check_keys(keys: &[String]) -> Result<(), InvalidCall> {
    if keys.len() > MAX_DELETE {
        return Err(InvalidCall::TooManyKeys);
    }
    keys.iter().try_for_each(|key| check_key(key))
}

/// Object storage.
#[async_trait]
pub trait Blobs: fmt::Debug + Send + Sync {
    /// Writes an object, replacing any of the same key. It is durable when this returns.
    async fn put(&self, bucket: Bucket, key: &str, blob: Blob) -> Result<(), BlobError>;

    /// Reads an object of at most `max_bytes`; a larger one is [`BlobError::Refused`] without being read whole.
    async fn get(&self, bucket: Bucket, key: &str, max_bytes: u64) -> Result<Option<Blob>, BlobError>;

    /// Reads what is known about an object.
    async fn head(&self, bucket: Bucket, key: &str) -> Result<Option<BlobInfo>, BlobError>;

    /// Removes objects, at most 1,000; succeeds for those that do not exist. A failed call may have removed some.
    async fn delete(&self, bucket: Bucket, keys: &[String]) -> Result<(), BlobError>;

    /// Copies an object within a bucket to another key, replacing any there. Returns whether there was one to copy.
    async fn copy(&self, bucket: Bucket, from: &str, to: &str) -> Result<bool, BlobError>;

    /// Signs a request that uploads one object to [`Bucket::Uploads`], for exactly this key, type and size. It is
    /// refused while the key has an object: an upload that is no longer needed blocks a second use of its URL if it is
    /// replaced by an empty object instead of deleted. It starts at the whole second before `now`.
    async fn presign_upload(&self, permitted: Permitted<'_>, now: Timestamp) -> Result<PresignedUpload, BlobError>;
}

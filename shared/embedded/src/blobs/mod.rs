//! Object storage in files: one file per object, written aside, synced, and renamed into place.
//!
//! ```text
//! blobs/uploads/0..f/   uploads of clients; a file's name is its key with `/` as `+`
//! blobs/media/0..f/     pictures
//! blobs/unfinished/     files being written; emptied at the start
//! blobs/kept/           objects removed during a backup; emptied at the start
//! ```
//!
//! - `file`: the format of a file. `folder`: objects in it, by key.
//! - [`signature`]: signed uploads. [`upload`]: receives one.
//! - [`backup`]: copies the objects of one instant.

pub mod backup;
mod file;
mod folder;
pub mod signature;
pub mod upload;

use std::{fmt, fs::File, io, path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use domain::Timestamp;
use ports::{
    blobs::{Blob, BlobError, BlobInfo, Blobs, Bucket, InvalidCall, Permitted, PresignedUpload, check_key, check_keys},
    signing::TokenKeys,
};

use file::StoredBlob;
use folder::Folder;
use signature::UploadSigner;

/// The age at which an upload is removed, like that of the uploads bucket's lifecycle rule.
pub const UPLOADS_AGE: Duration = Duration::from_hours(24);

/// Called before bytes are written; an error counts as a failed write. For tests.
pub type BeforeWrite = Arc<dyn Fn() -> io::Result<()> + Send + Sync>;

/// Options for opening object storage.
pub struct BlobOptions {
    /// The folder; created if missing. Only one process may use it.
    pub folder: PathBuf,
    /// The secrets from which the keys of upload signatures are derived.
    pub keys: TokenKeys,
    /// For tests.
    pub before_write: BeforeWrite,
}

impl BlobOptions {
    /// Object storage in `folder`.
    pub fn at(folder: impl Into<PathBuf>, keys: TokenKeys) -> Self {
        Self { folder: folder.into(), keys, before_write: Arc::new(|| Ok(())) }
    }
}

impl fmt::Debug for BlobOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlobOptions").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// Object storage in a folder. Clones share it.
#[derive(Debug, Clone)]
pub struct EmbeddedBlobs {
    folder: Arc<Folder>,
    signer: Arc<UploadSigner>,
    public_url: Arc<str>,
}

/// A picture to serve.
#[derive(Debug)]
pub struct Served {
    /// The file, positioned at the content.
    pub file: File,
    /// The size of the content in bytes.
    pub bytes: u64,
    /// The media type that its writer gave.
    pub content_type: String,
    /// The checksum of the content, in hexadecimal.
    pub checksum: String,
}

impl EmbeddedBlobs {
    /// Opens object storage and discards unfinished writes of an earlier process. Blocks.
    ///
    /// # Errors
    /// If the folder cannot be created or read.
    pub fn open(options: BlobOptions) -> io::Result<Self> {
        let folder = Folder::open(options.folder, options.before_write)?;
        let signer = UploadSigner::new(&options.keys);
        Ok(Self { folder: Arc::new(folder), signer: Arc::new(signer), public_url: Arc::from("") })
    }

    /// The same storage, with upload URLs that begin with this scheme and authority, such as `http://127.0.0.1:8080`.
    /// Without it they are paths.
    #[must_use]
    pub fn at_url(self, public_url: &str) -> Self {
        Self { public_url: Arc::from(public_url), ..self }
    }

    /// Opens a picture by its key in [`Bucket::Media`]. `None` if there is none, or if the key is not served.
    pub async fn serve(&self, key: &str) -> Result<Option<Served>, BlobError> {
        if !key.starts_with(Bucket::SERVED) || check_key(key).is_err() {
            return Ok(None);
        }
        let key = key.to_owned();
        let stored = self.run(move |folder| folder.find(Bucket::Media, &key)).await?;
        Ok(stored.map(StoredBlob::into_served))
    }

    /// Removes uploads that were stored [`UPLOADS_AGE`] ago.
    ///
    /// # Errors
    /// If a file cannot be read or removed; those before it are removed.
    pub async fn remove_old_uploads(&self, now: Timestamp) -> Result<(), BlobError> {
        let before = now.minus(UPLOADS_AGE);
        for shard in folder::SHARDS {
            self.run(move |folder| folder.remove_older(Bucket::Uploads, shard, before)).await?;
        }
        Ok(())
    }

    /// Runs `work` on a thread that may block.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Folder) -> io::Result<T> + Send + 'static,
    ) -> Result<T, BlobError> {
        let folder = Arc::clone(&self.folder);
        let done = tokio::task::spawn_blocking(move || work(&folder)).await;
        done.map_err(|panic| BlobError::Refused(panic.into()))?.map_err(blob_error)
    }
}

/// A full disk, a damaged file, or any other failure of the disk, after which a later call may succeed.
fn blob_error(error: io::Error) -> BlobError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => BlobError::Full,
        io::ErrorKind::InvalidData => BlobError::Refused(error.into()),
        _ => BlobError::Unavailable(error.into()),
    }
}

#[async_trait]
impl Blobs for EmbeddedBlobs {
    async fn put(&self, bucket: Bucket, key: &str, blob: Blob) -> Result<(), BlobError> {
        check_key(key)?;
        let key = key.to_owned();
        self.run(move |folder| folder.put(bucket, &key, &blob)).await
    }

    async fn get(&self, bucket: Bucket, key: &str, max_bytes: u64) -> Result<Option<Blob>, BlobError> {
        check_key(key)?;
        let key = key.to_owned();
        let read = self.run(move |folder| match folder.find(bucket, &key)? {
            Some(stored) if stored.bytes > max_bytes => Ok(Err(InvalidCall::TooLarge { max_bytes })),
            Some(stored) => Ok(Ok(Some(stored.read()?))),
            None => Ok(Ok(None)),
        });
        Ok(read.await??)
    }

    async fn head(&self, bucket: Bucket, key: &str) -> Result<Option<BlobInfo>, BlobError> {
        check_key(key)?;
        let key = key.to_owned();
        let stored = self.run(move |folder| folder.find(bucket, &key)).await?;
        Ok(stored.map(|stored| BlobInfo { bytes: stored.bytes, content_type: stored.content_type }))
    }

    async fn delete(&self, bucket: Bucket, keys: &[String]) -> Result<(), BlobError> {
        check_keys(keys)?;
        let keys = keys.to_vec();
        self.run(move |folder| folder.remove(bucket, &keys)).await
    }

    async fn copy(&self, bucket: Bucket, from: &str, to: &str) -> Result<bool, BlobError> {
        check_key(from)?;
        check_key(to)?;
        let (from, to) = (from.to_owned(), to.to_owned());
        self.run(move |folder| folder.copy(bucket, &from, &to)).await
    }

    async fn presign_upload(&self, permitted: Permitted<'_>, now: Timestamp) -> Result<PresignedUpload, BlobError> {
        check_key(permitted.key)?;
        Ok(self.signer.presign(&permitted, &self.public_url, now))
    }
}

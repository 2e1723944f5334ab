//! Receives a signed upload, part by part, into a file that becomes an object when it is complete.

use bytes::Bytes;
use domain::Timestamp;
use ports::blobs::{BlobError, Bucket, check_key};

use super::{EmbeddedBlobs, file::FreshFile, folder::Folder, signature::UploadRequest};

/// Received bytes that are written together.
const BYTES_A_WRITE: usize = 256 * 1024;

/// Why an upload was not stored.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// It has no valid signature for its key, type and size, or the signature has expired.
    #[error("the upload's signature is not valid for its key, type and size, or has expired")]
    NotPermitted,
    /// The key has an object.
    #[error("the key has been uploaded")]
    KeyInUse,
    /// The content is longer or shorter than its announced size.
    #[error("the upload has another size than it announced")]
    WrongSize,
    /// It cannot be stored at the moment.
    #[error(transparent)]
    Blobs(#[from] BlobError),
}

/// An upload in progress. Dropped unfinished, it leaves nothing.
#[derive(Debug)]
pub struct Upload {
    blobs: EmbeddedBlobs,
    key: String,
    file: FreshFile,
    /// Bytes of the content still to come.
    left: u64,
    /// Received parts that are not yet written, and their size.
    parts: Vec<Bytes>,
    waiting: usize,
}

impl EmbeddedBlobs {
    /// Begins an upload to [`Bucket::Uploads`].
    ///
    /// # Errors
    /// See [`UploadError`].
    pub async fn begin_upload(&self, request: UploadRequest, now: Timestamp) -> Result<Upload, UploadError> {
        if check_key(&request.key).is_err() || !self.signer.permits(&request, now) {
            return Err(UploadError::NotPermitted);
        }
        let UploadRequest { key, content_type, bytes, .. } = request;
        let found = key.clone();
        let file = self.run(move |folder| {
            if folder.has(Bucket::Uploads, &found)? { Ok(None) } else { folder.create(&content_type, bytes).map(Some) }
        });
        let file = file.await?.ok_or(UploadError::KeyInUse)?;
        Ok(Upload { blobs: self.clone(), key, file, left: bytes, parts: Vec::new(), waiting: 0 })
    }
}

impl Upload {
    /// Appends a part of the content.
    ///
    /// # Errors
    /// See [`UploadError`].
    pub async fn append(mut self, part: Bytes) -> Result<Self, UploadError> {
        self.left = self.left.checked_sub(part.len() as u64).ok_or(UploadError::WrongSize)?;
        self.waiting += part.len();
        self.parts.push(part);
        if self.waiting < BYTES_A_WRITE { Ok(self) } else { self.write().await }
    }

    /// Makes the content an object, durably.
    ///
    /// # Errors
    /// See [`UploadError`].
    pub async fn finish(self) -> Result<(), UploadError> {
        if self.left > 0 {
            return Err(UploadError::WrongSize);
        }
        let Self { blobs, key, file, .. } = self.write().await?;
        let publish = move |folder: &Folder| folder.publish_new(file, Bucket::Uploads, &key);
        if blobs.run(publish).await? { Ok(()) } else { Err(UploadError::KeyInUse) }
    }

    async fn write(self) -> Result<Self, UploadError> {
        let Self { blobs, mut file, parts, .. } = self;
        let write = move |folder: &Folder| {
            parts.iter().try_for_each(|part| folder.append(&mut file, part))?;
            Ok(file)
        };
        let file = blobs.run(write).await?;
        Ok(Self { blobs, file, parts: Vec::new(), waiting: 0, ..self })
    }
}

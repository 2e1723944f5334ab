//! The files of pictures in object storage.
//!
//! A deleted post's pictures are *withheld*: copied to keys that are not served, then removed from those that are. A copy
//! that is withheld once stays until the picture is erased, also when it is restored: whatever a late or duplicate handler
//! does, it can remove a served file only after its copy exists.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::try_join_all;

use data::keys::blobs::{served, upload, withheld};
use domain::{MediaId, MediaToken, PictureSize};
use pictures::{Derivative, Processed};
use ports::blobs::{Blob, BlobError, Blobs, Bucket};

/// The media type of every size.
const JPEG: &str = "image/jpeg";

/// The files of pictures.
#[derive(Debug, Clone, Default)]
pub struct PictureFiles {
    blobs: Option<Arc<dyn Blobs>>,
}

/// Object storage is needed and not configured.
#[derive(Debug, thiserror::Error)]
#[error("no object storage is configured")]
struct NotConfigured;

impl PictureFiles {
    /// Files in `blobs`; without, every access is refused.
    pub fn new(blobs: Option<Arc<dyn Blobs>>) -> Self {
        Self { blobs }
    }

    /// Whether there is object storage.
    pub const fn is_configured(&self) -> bool {
        self.blobs.is_some()
    }

    fn blobs(&self) -> Result<&dyn Blobs, BlobError> {
        self.blobs.as_deref().ok_or_else(|| BlobError::Refused(Box::new(NotConfigured)))
    }

    /// The size of an upload, in bytes; `None` if it has not arrived.
    pub async fn upload_size(&self, media: MediaId) -> Result<Option<u64>, BlobError> {
        Ok(self.blobs()?.head(Bucket::Uploads, &upload(media)).await?.map(|info| info.bytes))
    }

    /// An upload of at most `max_bytes`; `None` if there is none.
    pub async fn upload(&self, media: MediaId, max_bytes: u64) -> Result<Option<Bytes>, BlobError> {
        Ok(self.blobs()?.get(Bucket::Uploads, &upload(media), max_bytes).await?.map(|blob| blob.body))
    }

    /// Removes an upload, if there is one.
    pub async fn remove_upload(&self, media: MediaId) -> Result<(), BlobError> {
        self.blobs()?.delete(Bucket::Uploads, &[upload(media)]).await
    }

    /// Writes the three sizes where they are served.
    pub async fn serve(&self, token: MediaToken, processed: Processed) -> Result<(), BlobError> {
        let Processed { original, medium, thumbnail, .. } = processed;
        let blobs = self.blobs()?;
        for (size, Derivative { jpeg, .. }) in PictureSize::ALL.into_iter().zip([original, medium, thumbnail]) {
            let blob = Blob { body: jpeg.into(), content_type: JPEG.to_owned() };
            blobs.put(Bucket::Media, &served(token, size), blob).await?;
        }
        Ok(())
    }

    /// Stops serving a picture and keeps its files.
    pub async fn withhold(&self, token: MediaToken) -> Result<(), BlobError> {
        let blobs = self.blobs()?;
        // Those that are missing are withheld already.
        try_join_all(
            PictureSize::ALL.map(|size| async move {
                blobs.copy(Bucket::Media, &served(token, size), &withheld(token, size)).await
            }),
        )
        .await?;
        blobs.delete(Bucket::Media, &PictureSize::ALL.map(|size| served(token, size))).await
    }

    /// Serves a withheld picture again. Does nothing to one that was never withheld, or is erased.
    pub async fn restore(&self, token: MediaToken) -> Result<(), BlobError> {
        let blobs = self.blobs()?;
        try_join_all(
            PictureSize::ALL.map(|size| async move {
                blobs.copy(Bucket::Media, &withheld(token, size), &served(token, size)).await
            }),
        )
        .await?;
        Ok(())
    }

    /// Removes all files of these pictures: at most 166, whose six sizes fit into one call.
    pub async fn erase(&self, pictures: &[(MediaId, MediaToken)]) -> Result<(), BlobError> {
        let blobs = self.blobs()?;
        let sizes = pictures.iter().flat_map(|(_, token)| {
            PictureSize::ALL.into_iter().flat_map(|size| [served(*token, size), withheld(*token, size)])
        });
        blobs.delete(Bucket::Media, &sizes.collect::<Vec<_>>()).await?;
        let uploads: Vec<String> = pictures.iter().map(|(media, _)| upload(*media)).collect();
        blobs.delete(Bucket::Uploads, &uploads).await
    }
}

//! From an upload to the three sizes that are served.
//!
//! Every step can be repeated. The files are written before the item says that they exist, and the upload is removed
//! last: a picture whose handler dies at any point is processed again from its upload, into the same files.

use bytes::Bytes;
use tracing::{info, warn};

use super::files::PictureFiles;
use crate::ServiceError;
use data::{Db, MediaItems, StoredMedia};
use domain::{Media, MediaId, MediaState, MediaType, Picture};
use pictures::{Announced, Format, Processed, Rejection};
use telemetry::chain;

/// Processes uploads; used by media-handler.
#[derive(Debug, Clone)]
pub struct ProcessingService {
    items: MediaItems,
    files: PictureFiles,
}

impl ProcessingService {
    /// Pictures in `store`, with their files in `files`.
    pub fn new(db: impl Into<Db>, files: PictureFiles) -> Self {
        Self { items: MediaItems::new(db), files }
    }

    /// Processes the upload of a picture with `make`, which runs [`pictures::process`] off the async threads. Does nothing
    /// while there is no upload. A picture that is done or erased only loses its upload.
    ///
    /// # Errors
    /// When a store or `make` fails; the upload is then still there.
    pub async fn process<M, F>(&self, media: MediaId, make: M) -> Result<(), ServiceError>
    where
        M: FnOnce(Bytes, Announced) -> F + Send,
        F: Future<Output = Result<Result<Processed, Rejection>, ServiceError>> + Send,
    {
        if let Some(waiting) = self.waiting(media).await? {
            let Some(size) = self.files.upload_size(media).await? else { return Ok(()) };
            let _begun_before = self.items.begin_processing(media).await?;
            match self.made(&waiting, size, make).await? {
                Some(Ok(processed)) => self.finish(&waiting, processed).await?,
                Some(Err(rejection)) => self.reject(media, &rejection).await?,
                // Another handler finished meanwhile.
                None => return Ok(()),
            }
        }
        Ok(self.files.remove_upload(media).await?)
    }

    /// The picture, if it is to be processed.
    async fn waiting(&self, media: MediaId) -> Result<Option<Media>, ServiceError> {
        let live = self.items.get(media).await?.and_then(StoredMedia::live);
        Ok(live.filter(|media| !media.state.is_final()))
    }

    /// The result for an upload of this size; `None` if the upload is gone. A file of another size is not read.
    async fn made<M, F>(
        &self,
        media: &Media,
        size: u64,
        make: M,
    ) -> Result<Option<Result<Processed, Rejection>>, ServiceError>
    where
        M: FnOnce(Bytes, Announced) -> F + Send,
        F: Future<Output = Result<Result<Processed, Rejection>, ServiceError>> + Send,
    {
        if size != media.bytes {
            return Ok(Some(Err(Rejection::OtherSize { announced: media.bytes, received: size })));
        }
        match self.files.upload(media.media_id, media.bytes).await? {
            Some(upload) => make(upload, Announced { bytes: media.bytes }).await.map(Some),
            None => Ok(None),
        }
    }

    async fn finish(&self, media: &Media, processed: Processed) -> Result<(), ServiceError> {
        let content_type = type_of(processed.uploaded);
        let picture = Picture {
            width: processed.original.width,
            height: processed.original.height,
            blurhash: processed.blurhash.clone(),
        };
        self.files.serve(media.token, processed).await?;
        if self.items.finish(media.media_id, content_type, &picture).await?.is_applied() {
            return Ok(());
        }
        let now = self.items.get(media.media_id).await?.and_then(StoredMedia::live);
        // By another handler, or by an earlier try whose answer was lost.
        if !now.is_some_and(|now| matches!(now.state, MediaState::Ready(_))) {
            self.forget(media).await;
        }
        Ok(())
    }

    /// Removes the files of a picture that was erased while they were made. If that fails, the second step of the erasure
    /// does it.
    async fn forget(&self, media: &Media) {
        let id = media.media_id;
        if let Err(error) = self.files.erase(&[(id, media.token)]).await {
            warn!(media.id = %id, error = chain(&error), "Could not remove the files of erased picture {id}; the sweeper will");
        }
    }

    async fn reject(&self, media: MediaId, rejection: &Rejection) -> Result<(), ServiceError> {
        // Refused: another handler, or an earlier try of this call, recorded the same.
        let _either_way = self.items.reject(media, &rejection.to_string()).await?;
        info!(media.id = %media, reason = %rejection, "Rejected picture {media}: {rejection}");
        Ok(())
    }
}

const fn type_of(format: Format) -> MediaType {
    match format {
        Format::Jpeg => MediaType::Jpeg,
        Format::Png => MediaType::Png,
        Format::WebP => MediaType::WebP,
    }
}

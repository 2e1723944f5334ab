//! Pictures: from their announcement to the place that shows them.
//!
//! `POST /v1/media -> upload -> MediaQ -> [media-handler] -> three sizes -> a post or a profile`
//!
//! - [`attaching`]: which pictures a post or a profile may show.
//! - [`processing`]: from the upload to the three sizes.
//! - [`files`]: the files of a picture: uploaded, served, withheld. [`urls`]: where the served ones are.
//!
//! Every picture is an item that leads to its files, and the item is written first and erased last. So a crash leaves no
//! file without an item. Pictures that nothing shows are erased by [`crate::erasure`].

pub(crate) mod attaching;
pub mod files;
pub mod processing;
pub mod urls;

use std::{sync::Arc, time::Duration};

use super::{
    ServiceError,
    posts::PostService,
    rates::{Limit, RateLimiter},
};
use data::{Db, MediaItems, StoredMedia, Transaction, keys::blobs::upload, messages::UploadMessage};
use domain::{
    Attachment, IdGenerator, Media, MediaDescription, MediaId, MediaState, MediaToken, MediaType, Timestamp, UserId,
    limits,
};
use ports::{
    blobs::{Blobs, Permitted, PresignedUpload},
    queue::{OutgoingMessage, Queue, QueueError, QueueName, send_all},
    store::StoreError,
};

/// The announcement of an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMedia {
    /// Its type, which the upload's header must have.
    pub content_type: MediaType,
    /// Its exact size: 1 to [`limits::MAX_UPLOAD_BYTES`].
    pub bytes: u64,
    /// The description.
    pub description: MediaDescription,
}

/// Announces, shows and describes pictures.
#[derive(Debug, Clone)]
pub struct MediaService {
    db: Db,
    items: MediaItems,
    posts: PostService,
    blobs: Arc<dyn Blobs>,
    ids: Arc<IdGenerator>,
    rates: RateLimiter,
}

impl MediaService {
    /// Pictures in `store`, uploaded to `blobs`, limited by `rates`; `ids` makes their ids.
    pub fn new(db: impl Into<Db>, blobs: Arc<dyn Blobs>, ids: Arc<IdGenerator>, rates: RateLimiter) -> Self {
        let db = db.into();
        Self {
            items: MediaItems::new(db.clone()),
            posts: PostService::new(db.clone(), rates.clone()),
            db,
            blobs,
            ids,
            rates,
        }
    }

    /// Announces a picture of `owner`, and permits its upload for [`limits::UPLOAD_TTL`].
    ///
    /// The token of its URLs is stored first, so that a redelivered message writes the same files.
    pub async fn announce(
        &self,
        owner: UserId,
        new: NewMedia,
        now: Timestamp,
    ) -> Result<(Media, PresignedUpload), ServiceError> {
        let _taken = self.rates.admit(Limit::Media, owner, now).await?;
        let media_id = self.ids.next_media_id(now);
        let media = Media {
            media_id,
            owner,
            token: MediaToken::random(),
            content_type: new.content_type,
            bytes: new.bytes,
            description: new.description,
            state: MediaState::AwaitingUpload,
            attached: None,
            erased_from: media_id.created_at().plus(limits::UNATTACHED_MEDIA_TTL),
        };
        let permitted = Permitted {
            key: &upload(media_id),
            content_type: media.content_type.as_str(),
            bytes: media.bytes,
            lasts: limits::UPLOAD_TTL,
        };
        let permission = self.blobs.presign_upload(permitted, now).await?;
        // Unconditional: the id is new.
        let _applied = Transaction::from(MediaItems::creation(&media)).commit(&self.db).await?;
        Ok((media, permission))
    }

    /// A picture as `reader` sees it: their own, or one of a post that is shown; otherwise not found.
    pub async fn get(&self, reader: UserId, media: impl Into<Option<MediaId>>) -> Result<Media, ServiceError> {
        let media = self.live(media.into()).await?;
        match media.attached {
            _ if media.owner == reader => Ok(media),
            Some(Attachment::Post(post)) => self.posts.live(post).await.map(|_shown| media),
            Some(Attachment::Profile) | None => Err(ServiceError::NotFound),
        }
    }

    /// Replaces the description of the caller's picture. [`ServiceError::MediaInUse`] once it is part of a post; another
    /// user's is not found, or forbidden if shown.
    pub async fn describe(
        &self,
        caller: UserId,
        media: impl Into<Option<MediaId>>,
        description: MediaDescription,
        now: Timestamp,
    ) -> Result<Media, ServiceError> {
        let read = self.get(caller, media);
        let media = self.rates.admit_beside(Limit::MediaEdits, caller, now, read).await?;
        if media.owner != caller {
            return Err(ServiceError::Forbidden);
        }
        if matches!(media.attached, Some(Attachment::Post(_))) {
            return Err(ServiceError::MediaInUse { field: "description" });
        }
        if self.items.describe(&media, &description).await?.is_applied() {
            return Ok(Media { description, ..media });
        }
        match self.live(Some(media.media_id)).await?.attached {
            Some(Attachment::Post(_)) => Err(ServiceError::MediaInUse { field: "description" }),
            _ => Err(StoreError::Conflict.into()),
        }
    }

    async fn live(&self, media: Option<MediaId>) -> Result<Media, ServiceError> {
        let stored = self.items.get(media.ok_or(ServiceError::NotFound)?).await?;
        stored.and_then(StoredMedia::live).ok_or(ServiceError::NotFound)
    }
}

/// Puts an uploaded picture on MediaQ. On AWS, S3 does so itself.
///
/// # Errors
/// When the queue fails. The sweeper looks for such uploads after [`limits::LOST_UPLOAD_AFTER`].
pub async fn announce_upload(queue: &dyn Queue, media: MediaId) -> Result<(), QueueError> {
    let body = UploadMessage::of(media).encode();
    let message = OutgoingMessage { body, group: media.to_string(), delay: Duration::ZERO };
    send_all(queue, QueueName::MediaQ, vec![message]).await
}

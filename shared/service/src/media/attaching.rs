//! Which pictures a post or a profile may show.

use std::collections::HashMap;

use crate::ServiceError;
use data::{MediaItems, StoredMedia};
use domain::{Media, MediaId, PostMedia, UserId};

/// These pictures, in this order, if `owner` may attach them. Read consistently; the transaction that attaches them checks
/// again.
///
/// [`ServiceError::Invalid`] for `field` when one is not the owner's or does not exist, which others cannot tell apart;
/// [`ServiceError::MediaNotReady`] when one is not ready; [`ServiceError::MediaInUse`] when one is shown elsewhere.
pub async fn attachable(
    items: &MediaItems,
    owner: UserId,
    ids: &[MediaId],
    field: &'static str,
) -> Result<Vec<Media>, ServiceError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut stored = items.get_all(ids).await?;
    let media: Option<Vec<Media>> = ids.iter().map(|id| owned(&mut stored, owner, *id)).collect();
    let media = media.ok_or(ServiceError::Invalid { field, message: "must be your own media" })?;
    if media.iter().any(|media| media.state.picture().is_none()) {
        return Err(ServiceError::MediaNotReady { field });
    }
    if media.iter().any(|media| media.attached.is_some()) {
        return Err(ServiceError::MediaInUse { field });
    }
    Ok(media)
}

fn owned(stored: &mut HashMap<MediaId, StoredMedia>, owner: UserId, id: MediaId) -> Option<Media> {
    stored.remove(&id).and_then(StoredMedia::live).filter(|media| media.owner == owner)
}

/// The part of ready pictures that a page shows.
pub fn shown(media: &[Media]) -> Vec<PostMedia> {
    let shown = media.iter().filter_map(|media| {
        Some(PostMedia {
            media_id: media.media_id,
            token: media.token,
            content_type: media.content_type,
            description: media.description.clone(),
            picture: media.state.picture()?.clone(),
        })
    });
    shown.collect()
}

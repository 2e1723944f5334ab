//! Erases pictures that no post and no profile shows.
//!
//! In two steps: the item becomes a mark without the owner's id, and all files are removed; an hour later the files are
//! removed once more, for what a handler in flight has written meanwhile, and then the mark.

use std::{sync::Arc, time::Duration};

use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};

use super::step::{Stopped, erase_all};
use crate::media::{announce_upload, files::PictureFiles};
use data::{Db, ErasedMedia, Erasures, MediaItems, Posts, StoredMedia, Transaction, Users};
use domain::{Attachment, Media, MediaId, MediaToken, Timestamp, UserId, limits};
use ports::queue::Queue;

/// Time after which a picture is looked at again that changed during a step.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Pictures marked concurrently.
const IN_FLIGHT: usize = 8;

/// Erases pictures.
#[derive(Debug, Clone)]
pub(super) struct MediaEraser {
    db: Db,
    items: MediaItems,
    posts: Posts,
    users: Users,
    files: PictureFiles,
    queue: Option<Arc<dyn Queue>>,
}

impl MediaEraser {
    pub fn new(db: Db) -> Self {
        Self {
            items: MediaItems::new(db.clone()),
            posts: Posts::new(db.clone()),
            users: Users::new(db.clone()),
            files: PictureFiles::default(),
            queue: None,
            db,
        }
    }

    pub fn with_files(self, files: PictureFiles, queue: Arc<dyn Queue>) -> Self {
        Self { files, queue: Some(queue), ..self }
    }

    /// Whether this process has object storage. One without leaves pictures to the others.
    pub const fn has_files(&self) -> bool {
        self.files.is_configured()
    }

    /// Takes the next step of a picture's erasure. Returns when the one after it is due; `None` when there is none, or
    /// when the picture is shown.
    pub async fn erase_due(&self, media: MediaId, now: Timestamp) -> Result<Option<Timestamp>, Stopped> {
        let media = match self.items.get(media).await? {
            None => return Ok(None),
            Some(StoredMedia::Erased(erased)) => return self.erase_again(erased, now).await,
            Some(StoredMedia::Live(media)) => media,
        };
        if self.is_shown(&media).await? {
            return Ok(None);
        }
        if media.attached.is_none() && now < media.erased_from {
            self.resume(&media).await?;
            return Ok(Some(media.erased_from));
        }
        let marked = Transaction::from(MediaItems::marking(&media, now)).commit(&self.db).await?;
        if !marked.is_applied() {
            // Attached or marked meanwhile.
            return Ok(Some(now.plus(LOOK_AGAIN)));
        }
        self.files.erase(&[(media.media_id, media.token)]).await?;
        Ok(Some(now.plus(limits::MEDIA_ERASED_AGAIN_AFTER)))
    }

    async fn erase_again(&self, erased: ErasedMedia, now: Timestamp) -> Result<Option<Timestamp>, Stopped> {
        self.files.erase(&[(erased.media_id, erased.token)]).await?;
        let again = erased.deleted_at.plus(limits::MEDIA_ERASED_AGAIN_AFTER);
        if now < again {
            return Ok(Some(again));
        }
        erase_all(&self.db, vec![MediaItems::erasure(erased.media_id)]).await?;
        Ok(None)
    }

    async fn is_shown(&self, media: &Media) -> Result<bool, Stopped> {
        Ok(match media.attached {
            None => false,
            Some(Attachment::Post(post)) => !self.posts.get_all_strongly(&[post]).await?.is_empty(),
            Some(Attachment::Profile) => {
                let avatar = self.users.get_own(media.owner).await?.and_then(|profile| profile.user.avatar);
                avatar.is_some_and(|avatar| avatar.media_id == media.media_id)
            }
        })
    }

    /// Announces an upload whose event was lost.
    async fn resume(&self, media: &Media) -> Result<(), Stopped> {
        if let Some(queue) = &self.queue
            && !media.state.is_final()
            && self.files.upload_size(media.media_id).await?.is_some()
        {
            announce_upload(queue.as_ref(), media.media_id).await?;
        }
        Ok(())
    }

    /// Takes the first step for pictures of a deleted account. The second follows by a row of its own, which names no
    /// user.
    pub async fn erase_of_deleted(&self, owner: UserId, ids: &[MediaId], now: Timestamp) -> Result<(), Stopped> {
        let stored = self.items.get_all(ids).await?;
        let files: Vec<(MediaId, MediaToken)> = stored.values().map(reference).collect();
        if !files.is_empty() {
            self.files.erase(&files).await?;
        }
        // Boxed, because otherwise the compiler cannot prove that the future is `Send`.
        let marks: Vec<_> = ids.iter().map(|id| self.mark(owner, *id, stored.get(id), now).boxed()).collect();
        stream::iter(marks).buffer_unordered(IN_FLIGHT).try_for_each(|()| std::future::ready(Ok(()))).await
    }

    async fn mark(
        &self,
        owner: UserId,
        id: MediaId,
        stored: Option<&StoredMedia>,
        now: Timestamp,
    ) -> Result<(), Stopped> {
        let Some(StoredMedia::Live(media)) = stored else {
            return Ok(erase_all(&self.db, vec![MediaItems::list_erasure(owner, id)]).await?);
        };
        let again = Erasures::schedule_media(id, now.plus(limits::MEDIA_ERASED_AGAIN_AFTER));
        let marking = Transaction::from(MediaItems::marking(media, now).and(again));
        // Refused: attached by a request in flight, or by an earlier try of this call. The next pass finds what is left.
        let _either_way = marking.commit(&self.db).await?;
        Ok(())
    }
}

fn reference(stored: &StoredMedia) -> (MediaId, MediaToken) {
    match stored {
        StoredMedia::Live(media) => (media.media_id, media.token),
        StoredMedia::Erased(erased) => (erased.media_id, erased.token),
    }
}

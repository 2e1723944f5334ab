//! The pictures of deleted and restored posts: withheld or served, by the post's current state.

use std::collections::HashMap;

use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};

use crate::{ServiceError, media::files::PictureFiles};
use data::{Db, Posts, StoredPost};
use domain::{PostId, limits};
use ports::blobs::BlobError;

/// Withholds and restores pictures.
#[derive(Debug, Clone)]
pub struct Placing {
    posts: Posts,
    files: PictureFiles,
}

impl Placing {
    /// Pictures of posts in `store`, without files.
    pub fn new(db: Db) -> Self {
        Self { posts: Posts::new(db), files: PictureFiles::default() }
    }

    /// The same with these files.
    pub fn with_files(self, files: PictureFiles) -> Self {
        Self { files, ..self }
    }

    /// Serves the pictures of the shown posts among these, and withholds those of deleted ones. An erased post's are left
    /// to its eraser.
    ///
    /// Looks at the posts again afterwards: a late or duplicate call may have acted on an older state, and then does the
    /// opposite itself.
    pub async fn place(&self, posts: Vec<PostId>) -> Result<(), ServiceError> {
        let mut left = self.posts.get_all_strongly(&posts).await?;
        while !left.is_empty() {
            // Boxed, because otherwise the compiler cannot prove that the future is `Send`.
            let moves: Vec<_> = left.values().map(|stored| self.place_one(stored).boxed()).collect();
            stream::iter(moves)
                .buffer_unordered(limits::MEDIA_MOVES_IN_FLIGHT)
                .try_for_each(|()| std::future::ready(Ok(())))
                .await?;
            let now = self.posts.get_all_strongly(&left.keys().copied().collect::<Vec<_>>()).await?;
            left = changed(&left, now);
        }
        Ok(())
    }

    async fn place_one(&self, stored: &StoredPost) -> Result<(), BlobError> {
        for media in &stored.post.media {
            if stored.live().is_some() {
                self.files.restore(media.token).await?;
            } else {
                self.files.withhold(media.token).await?;
            }
        }
        Ok(())
    }
}

/// The posts that were deleted or restored meanwhile.
fn changed(before: &HashMap<PostId, StoredPost>, now: HashMap<PostId, StoredPost>) -> HashMap<PostId, StoredPost> {
    let is_other = |post: &PostId, stored: &StoredPost| {
        before.get(post).is_none_or(|before| before.live().is_some() != stored.live().is_some())
    };
    now.into_iter().filter(|(post, stored)| is_other(post, stored)).collect()
}

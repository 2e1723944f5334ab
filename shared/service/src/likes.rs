//! Likes of posts.

use super::{
    ServiceError,
    pages::{self, Candidate},
    posts::PostService,
    rates::{Limit, RateLimiter},
};
use data::{Db, Likes, Users};
use domain::{Page, PageLimit, PostId, Timestamp, User, UserId};

/// A user who likes a post, and the time of the like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Liker {
    /// The user.
    pub user: User,
    /// The time of the like.
    pub liked_at: Timestamp,
}

/// Likes and takes likes back.
#[derive(Debug, Clone)]
pub struct LikeService {
    posts: PostService,
    likes: Likes,
    users: Users,
    rates: RateLimiter,
}

impl LikeService {
    /// Likes in `store`, limited by `rates`.
    pub fn new(db: impl Into<Db>, rates: RateLimiter) -> Self {
        let db = db.into();
        Self {
            posts: PostService::new(db.clone(), rates.clone()),
            likes: Likes::new(db.clone()),
            users: Users::new(db),
            rates,
        }
    }

    /// Makes `user` like a post. Idempotent: a repeated like keeps its first time. [`ServiceError::NotFound`] for a
    /// post that is not shown, which still counts towards the rate limit.
    ///
    /// The post is read but not locked, because a check in the transaction would serialise all likes of one post. A
    /// like written while its post is being deleted is never shown, and is erased with the post.
    pub async fn like(
        &self,
        user: UserId,
        post: impl Into<Option<PostId>>,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        let live = self.posts.live(post);
        let post = self.rates.admit_beside(Limit::Likes, user, now, live).await?;
        Ok(self.likes.create(user, post.post_id, now).await?)
    }

    /// Takes a like back; succeeds even without a like. [`ServiceError::NotFound`] for a post that is not shown.
    pub async fn unlike(
        &self,
        user: UserId,
        post: impl Into<Option<PostId>>,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        let live = self.posts.live(post);
        let post = self.rates.admit_beside(Limit::Unlikes, user, now, live).await?;
        Ok(self.likes.remove(user, post.post_id).await?)
    }

    /// The users who like a post, as `reader` sees them, without deleted accounts. The order is stable but unspecified.
    pub async fn likers(
        &self,
        reader: UserId,
        post: PostId,
        after: Option<UserId>,
        limit: PageLimit,
    ) -> Result<Page<Liker, UserId>, ServiceError> {
        let likers = pages::fill(after, limit, |after, count| async move {
            let likes = self.likes.page_of_likers(post, after, count).await?;
            let ids: Vec<UserId> = likes.items.iter().map(|like| like.user_id).collect();
            let mut profiles = self.users.get_all_for(reader, &ids).await?;
            Ok::<_, ServiceError>(likes.map(|like| Candidate {
                position: like.user_id,
                shown:
                    profiles.remove(&like.user_id).map(|profile| Liker { user: profile.user, liked_at: like.liked_at }),
            }))
        });
        let (_live, likers) = futures::try_join!(self.posts.live(post), likers)?;
        Ok(likers)
    }
}

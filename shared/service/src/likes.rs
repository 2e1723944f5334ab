//! Who likes what.

use super::{
    ServiceError,
    pages::{self, Candidate},
    posts::PostService,
    rates::{Limit, RateLimiter},
};
use data::{Db, Likes, Users};
use domain::{Page, PageLimit, PostId, Timestamp, User, UserId};

/// One person who likes a post, and since when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Liker {
    /// Who.
    pub user: User,
    /// Since when.
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
    /// Likes in `store`, as often as `rates` admit.
    pub fn new(db: impl Into<Db>, rates: RateLimiter) -> Self {
        let db = db.into();
        Self {
            posts: PostService::new(db.clone(), rates.clone()),
            likes: Likes::new(db.clone()),
            users: Users::new(db),
            rates,
        }
    }

    /// Makes `user` like a post; again is the same, and it stays liked since the first time. A post that is not shown
    /// is not found, and counts as a like all the same.
    ///
    /// The post is looked at and not locked: a check in the transaction would have all who like one post wait for one
    /// item. So a like may land on a post that is deleted at that moment; it is shown nowhere, and goes with the post.
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

    /// Takes a like back; that there was none is the same. A post that is not shown is not found.
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

    /// Who likes a post, as `reader` sees them, in an order that stays. Who is gone is not shown.
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

//! Follows.

use std::sync::Arc;

use super::{
    ServiceError,
    backfill::BackfillService,
    pages::{self, Candidate},
    rates::{Limit, RateLimiter},
    user_refs,
};
use data::{Created, Db, Edge, Follows, Users};
use domain::{IdGenerator, Page, PageLimit, Timestamp, User, UserId, UserRef, limits};

/// A user in a list of follows, and when the follow began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Follow {
    /// The user at the other end.
    pub user: User,
    /// When the follow began.
    pub followed_at: Timestamp,
}

/// Follows and unfollows.
#[derive(Debug, Clone)]
pub struct GraphService {
    users: Users,
    follows: Follows,
    backfill: BackfillService,
    ids: Arc<IdGenerator>,
    rates: RateLimiter,
}

impl GraphService {
    /// The graph in `store`, limited by `rates`. If this process also creates posts, `ids` must be the generator that
    /// makes their ids, so that follows and posts of the same millisecond are ordered.
    pub fn new(db: impl Into<Db>, ids: Arc<IdGenerator>, rates: RateLimiter) -> Self {
        let db = db.into();
        Self {
            users: Users::new(db.clone()),
            follows: Follows::new(db.clone()),
            backfill: BackfillService::new(db),
            ids,
            rates,
        }
    }

    /// Makes `follower` follow `followee`, and copies the followee's newest posts into the follower's feed; idempotent.
    /// Following oneself is invalid, an absent user is not found.
    ///
    /// # Errors
    /// Also when the follow is made but its backfill failed: a repeated call finishes it, and so does the sweeper.
    pub async fn follow(&self, follower: UserId, user: impl Into<UserRef>, now: Timestamp) -> Result<(), ServiceError> {
        let found = user_refs::named(&self.users, follower, &user.into()).await;
        // The contract's order: following oneself (422) is checked before the rate limit (429), an absent user (404)
        // after it.
        if let Ok(followee) = &found {
            require_other(follower, *followee)?;
        }
        let exists = self.existing(found);
        let followee = self.rates.admit_beside(Limit::Follows, follower, now, exists).await?;
        let (marker, lease_until) = (self.ids.next_post_id(now), now.plus(limits::BACKFILL_LEASE));
        if let Created::Now(rule) = self.follows.create(follower, followee, now, marker, lease_until).await? {
            return self.backfill.run(follower, followee, marker, rule, now).await;
        }
        // The follow exists: from an earlier or concurrent call, or from a try whose answer was lost. Its backfill may
        // be unfinished.
        let _unfinished = self.backfill.resume(follower, followee, now).await?;
        Ok(())
    }

    /// Ends the follow; succeeds even without one. An absent user is not found. The followee's posts are hidden at
    /// once, and removed from the feed after it is next read.
    pub async fn unfollow(
        &self,
        follower: UserId,
        user: impl Into<UserRef>,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        let user = user.into();
        let exists = async { self.existing(user_refs::named(&self.users, follower, &user).await).await };
        let followee = self.rates.admit_beside(Limit::Unfollows, follower, now, exists).await?;
        // Refused: there is no follow, perhaps since an earlier try whose answer was lost.
        let _either_way = self.follows.remove(follower, followee, now).await?;
        Ok(())
    }

    async fn existing(&self, found: Result<UserId, ServiceError>) -> Result<UserId, ServiceError> {
        let user = found?;
        self.users.get(user).await?.map(|_| user).ok_or(ServiceError::NotFound)
    }

    /// Whether `follower` follows `followee`.
    pub async fn follows(&self, follower: UserId, followee: UserId) -> Result<bool, ServiceError> {
        Ok(self.follows.edges_from(follower, &[followee]).await?.contains_key(&followee))
    }

    /// The followers of `user`, by id. An absent user is not found.
    pub async fn followers(
        &self,
        caller: UserId,
        user: impl Into<UserRef>,
        after: Option<UserId>,
        limit: PageLimit,
    ) -> Result<Page<Follow, UserId>, ServiceError> {
        let user = user_refs::resolve(&self.users, caller, &user.into()).await?;
        pages::fill(after, limit, |after, count| async move {
            self.with_users(self.follows.page_of_followers(user, after, count).await?).await
        })
        .await
    }

    /// The users that `user` follows, by id. An absent user is not found.
    pub async fn following(
        &self,
        caller: UserId,
        user: impl Into<UserRef>,
        after: Option<UserId>,
        limit: PageLimit,
    ) -> Result<Page<Follow, UserId>, ServiceError> {
        let user = user_refs::resolve(&self.users, caller, &user.into()).await?;
        pages::fill(after, limit, |after, count| async move {
            self.with_users(self.follows.page_of_following(user, after, count).await?).await
        })
        .await
    }

    /// The edges with the users at their ends, without deleted accounts.
    async fn with_users(
        &self,
        edges: Page<Edge, UserId>,
    ) -> Result<Page<Candidate<Follow, UserId>, UserId>, ServiceError> {
        let ids: Vec<UserId> = edges.items.iter().map(|edge| edge.user_id).collect();
        let mut profiles = self.users.get_all(&ids).await?;
        Ok(edges.map(|edge| Candidate {
            position: edge.user_id,
            shown: profiles
                .remove(&edge.user_id)
                .map(|profile| Follow { user: profile.user, followed_at: edge.followed_at }),
        }))
    }
}

/// Fails as invalid when both are the same user.
fn require_other(follower: UserId, followee: UserId) -> Result<(), ServiceError> {
    if follower == followee {
        return Err(ServiceError::Invalid { field: "user", message: "must be someone other than yourself" });
    }
    Ok(())
}

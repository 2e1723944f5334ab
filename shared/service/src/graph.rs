//! Who follows whom.

use std::sync::Arc;

use super::{
    ServiceError,
    backfill::BackfillService,
    pages::{self, Candidate},
    rates::{Limit, RateLimiter},
    user_refs,
};
use data::{Db, Edge, Follows, Users};
use domain::{IdGenerator, Page, PageLimit, Timestamp, User, UserId, UserRef, limits};

/// One person of a list, and since when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Follow {
    /// The person at the other end.
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
    /// The graph in `store`, changed as often as `rates` admit. `ids` is the generator that also makes the posts' ids in this process, if any does: then
    /// follows and posts of one millisecond are in order.
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

    /// Makes `follower` follow `followee`, and brings the followee's newest posts into the follower's feed; again is
    /// the same. Following oneself is invalid, an absent user not found.
    ///
    /// # Errors
    /// Also when the follow is made but its backfill is not finished: again finishes it, and so does the sweeper.
    pub async fn follow(&self, follower: UserId, user: impl Into<UserRef>, now: Timestamp) -> Result<(), ServiceError> {
        let found = user_refs::named(&self.users, follower, &user.into()).await;
        // The contract's order: following oneself is a 422 and comes before the 429, an absent user is a 404 after it.
        if let Ok(followee) = &found {
            require_other(follower, *followee)?;
        }
        let exists = self.existing(found);
        let followee = self.rates.admit_beside(Limit::Follows, follower, now, exists).await?;
        let (marker, lease_until) = (self.ids.next_post_id(now), now.plus(limits::BACKFILL_LEASE));
        if self.follows.create(follower, followee, now, marker, lease_until).await?.is_applied() {
            return self.backfill.run(follower, followee, marker).await;
        }
        // The follow is there already: an earlier call's, another's at the same time, or that of a try of our own whose
        // answer was lost. Whoever began its backfill may not have finished it.
        let _unfinished = self.backfill.resume(follower, followee).await?;
        Ok(())
    }

    /// Ends the follow; that there was none is the same. An absent user is not found. Its posts are hidden at once, and
    /// taken out of the feed when it is read.
    pub async fn unfollow(
        &self,
        follower: UserId,
        user: impl Into<UserRef>,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        let user = user.into();
        let exists = async { self.existing(user_refs::named(&self.users, follower, &user).await).await };
        let followee = self.rates.admit_beside(Limit::Unfollows, follower, now, exists).await?;
        Ok(self.follows.remove(follower, followee).await?)
    }

    async fn existing(&self, found: Result<UserId, ServiceError>) -> Result<UserId, ServiceError> {
        let user = found?;
        self.users.get(user).await?.map(|_| user).ok_or(ServiceError::NotFound)
    }

    /// Whether `follower` follows `followee`.
    pub async fn follows(&self, follower: UserId, followee: UserId) -> Result<bool, ServiceError> {
        Ok(self.follows.edges_from(follower, &[followee]).await?.contains_key(&followee))
    }

    /// Who follows `user`, in the order of their ids. An absent user is not found.
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

    /// Whom `user` follows, in the order of their ids. An absent user is not found.
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

    /// Each edge with the person at its end; whoever is gone is not shown.
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

/// Fails as invalid when both are the same user: nobody follows themselves.
fn require_other(follower: UserId, followee: UserId) -> Result<(), ServiceError> {
    if follower == followee {
        return Err(ServiceError::Invalid { field: "user", message: "must be someone other than yourself" });
    }
    Ok(())
}

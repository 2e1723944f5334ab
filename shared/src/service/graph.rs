//! Who follows whom.

use std::sync::Arc;

use super::ServiceError;
use crate::{
    domain::{IdGenerator, Page, PageLimit, Timestamp, User, UserId},
    store::Store,
};

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
pub struct GraphService {}

impl GraphService {
    /// The graph in `store`.
    pub fn new(_store: Arc<dyn Store>, _ids: Arc<IdGenerator>) -> Self {
        todo!()
    }

    /// Makes `follower` follow `followee`; again is the same. Following oneself is invalid, an absent user not found.
    pub async fn follow(&self, _follower: UserId, _followee: UserId, _now: Timestamp) -> Result<(), ServiceError> {
        todo!()
    }

    /// Ends the follow; that there was none is the same. An absent user is not found.
    pub async fn unfollow(&self, _follower: UserId, _followee: UserId) -> Result<(), ServiceError> {
        todo!()
    }

    /// Whether `follower` follows `followee`.
    pub async fn follows(&self, _follower: UserId, _followee: UserId) -> Result<bool, ServiceError> {
        todo!()
    }

    /// Who follows `user`, in the order of their ids. The user is known to exist.
    pub async fn followers(
        &self,
        _user: UserId,
        _after: Option<UserId>,
        _limit: PageLimit,
    ) -> Result<Page<Follow, UserId>, ServiceError> {
        todo!()
    }

    /// Whom `user` follows, in the order of their ids. The user is known to exist.
    pub async fn following(
        &self,
        _user: UserId,
        _after: Option<UserId>,
        _limit: PageLimit,
    ) -> Result<Page<Follow, UserId>, ServiceError> {
        todo!()
    }
}

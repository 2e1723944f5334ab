//! Follow edges, kept both ways.

use std::{collections::HashMap, sync::Arc};

use super::page_from;
use crate::{
    domain::{Page, PostId, Timestamp, UserId},
    keys,
    store::{
        Consistency, Item, Key, MalformedItem, Order, Outcome, Projection, Query, SortRange, Store, StoreError, Table,
        Write, batch_get_all, with_retries,
    },
};

mod attr {
    pub const FOLLOWED_AT: &str = "followed_at";
    pub const SHOWN_SINCE: &str = "shown_since";
}

/// That one user follows another, seen from either side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// The user at the other end.
    pub user_id: UserId,
    /// When the follow began.
    pub followed_at: Timestamp,
    /// The follower's feed shows the followee's posts from this id on. An id and not a time, so that a post of the
    /// same millisecond falls on the right side.
    pub shown_since: PostId,
}

/// Follow edges, in Social.
#[derive(Debug, Clone)]
pub struct Follows {
    store: Arc<dyn Store>,
}

impl Follows {
    /// Follow edges in `store`.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// Makes both sides of an edge in one transaction; one that is there stays as it is.
    pub async fn create(
        &self,
        follower: UserId,
        followee: UserId,
        followed_at: Timestamp,
        shown_since: PostId,
    ) -> Result<Outcome, StoreError> {
        let sides = Self::both_sides(follower, followee, followed_at, shown_since);
        let writes: Vec<_> = sides.into_iter().map(|side| (Table::Social, Write::create(side))).collect();
        with_retries(|| self.store.transact(writes.clone())).await
    }

    /// An edge as it is stored, from the follower's side and from the followee's. Of use by itself only to put many
    /// edges into a store that nobody reads yet.
    pub fn both_sides(follower: UserId, followee: UserId, followed_at: Timestamp, shown_since: PostId) -> [Item; 2] {
        [keys::following_edge(follower, followee), keys::follower_edge(followee, follower)].map(|key| {
            Item::new(key)
                .with(attr::FOLLOWED_AT, followed_at.as_millis().cast_signed())
                .with(attr::SHOWN_SINCE, shown_since.to_string())
        })
    }

    /// Removes both sides of an edge in one transaction, whether there is one or not.
    pub async fn remove(&self, follower: UserId, followee: UserId) -> Result<(), StoreError> {
        let writes = vec![
            (Table::Social, Write::delete(keys::following_edge(follower, followee))),
            (Table::Social, Write::delete(keys::follower_edge(followee, follower))),
        ];
        // Unconditional, hence never refused.
        let _applied: Outcome = with_retries(|| self.store.transact(writes.clone())).await?;
        Ok(())
    }

    /// The edges from `follower` to those of `followees` whom they follow now. Read consistently: an unfollow hides at
    /// once.
    pub async fn edges_from(
        &self,
        follower: UserId,
        followees: &[UserId],
    ) -> Result<HashMap<UserId, Edge>, StoreError> {
        let keys: Vec<Key> = followees.iter().map(|followee| keys::following_edge(follower, *followee)).collect();
        let items = batch_get_all(self.store.as_ref(), Table::Social, &keys, Consistency::Strong).await?;
        Ok(items.iter().map(|item| edge_from(item).map(|edge| (edge.user_id, edge))).collect::<Result<_, _>>()?)
    }

    /// Who follows `user`, by rising id. Read consistently: a user sees their own follow at once.
    pub async fn page_of_followers(
        &self,
        user: UserId,
        after: Option<UserId>,
        limit: u32,
    ) -> Result<Page<Edge, UserId>, StoreError> {
        let query = people(keys::followers_partition(user), after, Some(limit), Projection::All);
        page_from(with_retries(|| self.store.query(&query)).await?, edge_from)
    }

    /// Whom `user` follows, by rising id. Read consistently: a user sees their own follow at once.
    pub async fn page_of_following(
        &self,
        user: UserId,
        after: Option<UserId>,
        limit: u32,
    ) -> Result<Page<Edge, UserId>, StoreError> {
        let query = people(keys::following_partition(user), after, Some(limit), Projection::All);
        page_from(with_retries(|| self.store.query(&query)).await?, edge_from)
    }

    /// The ids of who follows `user`, by rising id; `limit: None` reads as many as the store gives at once. Read
    /// consistently, or a fan-out could miss a follower who was answered before the post.
    pub async fn page_of_follower_ids(
        &self,
        user: UserId,
        after: Option<UserId>,
        limit: Option<u32>,
    ) -> Result<Page<UserId, UserId>, StoreError> {
        let query = people(keys::followers_partition(user), after, limit, Projection::Keys);
        page_from(with_retries(|| self.store.query(&query)).await?, Item::parsed_sort)
    }
}

fn people(partition: String, after: Option<UserId>, limit: Option<u32>, projection: Projection) -> Query {
    Query {
        table: Table::Social,
        partition,
        range: SortRange::All,
        order: Order::Ascending,
        start_after: after.map(|user| user.to_string()),
        limit,
        consistency: Consistency::Strong,
        projection,
    }
}

fn edge_from(item: &Item) -> Result<Edge, MalformedItem> {
    Ok(Edge {
        user_id: item.parsed_sort()?,
        followed_at: Timestamp::from_millis(item.number(attr::FOLLOWED_AT)?.cast_unsigned()),
        shown_since: item.parsed(attr::SHOWN_SINCE)?,
    })
}

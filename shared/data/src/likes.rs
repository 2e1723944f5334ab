//! Likes, kept both ways.

use std::collections::HashSet;

use futures::future::try_join_all;

use super::page_from;
use crate::{Db, Writes, keys};
use domain::{Page, PostId, Timestamp, UserId, limits};
use ports::store::{Consistency, Item, Key, MalformedItem, Order, Outcome, Query, Retrying, StoreError, Table, Write};

mod attr {
    pub const LIKED_AT: &str = "liked_at";
}

/// That someone likes a post, seen from the post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Like {
    /// Who.
    pub user_id: UserId,
    /// Since when.
    pub liked_at: Timestamp,
}

/// Likes, in Social.
#[derive(Debug, Clone)]
pub struct Likes {
    store: Retrying,
}

impl Likes {
    /// Likes in `store`.
    pub fn new(db: impl Into<Db>) -> Self {
        Self { store: db.into().0 }
    }

    /// Makes both sides of a like in one transaction; one that is there stays as it is, with its time.
    pub async fn create(&self, user: UserId, post: PostId, liked_at: Timestamp) -> Result<(), StoreError> {
        let sides = Self::both_sides(user, post, liked_at);
        let writes = Writes::to(Table::Social, sides.map(Write::create));
        // Refused: the like is there already, be it by an earlier try of this call whose answer was lost.
        let _either_way: Outcome = self.store.transact(writes.0).await?;
        Ok(())
    }

    /// A like as it is stored, from the user's side and from the post's. Of use by itself only to put many likes into a
    /// store that nobody reads yet.
    pub fn both_sides(user: UserId, post: PostId, liked_at: Timestamp) -> [Item; 2] {
        [keys::like(user, post), keys::liker(post, user)]
            .map(|key| Item::new(key).with(attr::LIKED_AT, liked_at.as_millis().cast_signed()))
    }

    /// Removes both sides of a like in one transaction, whether there is one or not.
    pub async fn remove(&self, user: UserId, post: PostId) -> Result<(), StoreError> {
        let writes = Self::erasure(user, post);
        // Unconditional, hence never refused.
        let _applied: Outcome = self.store.transact(writes.0).await?;
        Ok(())
    }

    /// The writes that erase both sides of a like.
    pub fn erasure(user: UserId, post: PostId) -> Writes {
        Writes::deleting(Table::Social, [keys::like(user, post), keys::liker(post, user)])
    }

    /// What `user` likes and since when, newest post first. Read consistently.
    pub async fn page_of_user(
        &self,
        user: UserId,
        after: Option<PostId>,
        limit: u32,
    ) -> Result<Page<(PostId, Timestamp), PostId>, StoreError> {
        let query = Query {
            order: Order::Descending,
            start_after: after.map(|post| post.to_string()),
            limit: Some(limit),
            ..Query::all_of(Table::Social, keys::likes_partition(user))
        };
        let liked_at = |item: &Item| Ok(Timestamp::from_millis(item.number(attr::LIKED_AT)?.cast_unsigned()));
        let page = self.store.query(&query).await?;
        page_from(page, |item| Ok((item.parsed_sort()?, liked_at(item)?)))
    }

    /// Which of these posts `user` likes. Read consistently: users see their own likes at once. By key, so that it costs
    /// the same however many they like.
    pub async fn liked_of(&self, user: UserId, posts: &[PostId]) -> Result<HashSet<PostId>, StoreError> {
        let keys: Vec<Key> = posts.iter().map(|post| keys::like(user, *post)).collect();
        let items = self.store.get_all(Table::Social, &keys, Consistency::Strong).await?;
        Ok(items.iter().map(Item::parsed_sort).collect::<Result<_, _>>()?)
    }

    /// Who likes a post: by rising shard, in it by rising id, so that the id of the last one says where to go on. Read
    /// consistently: users see their own like at once.
    ///
    /// One query, as a post that many like fills a page out of one shard; where it does not, one more of each further
    /// shard, side by side.
    pub async fn page_of_likers(
        &self,
        post: PostId,
        after: Option<UserId>,
        limit: u32,
    ) -> Result<Page<Like, UserId>, StoreError> {
        let first = after.map_or(0, keys::liker_shard);
        let page = self.page_of_shard(post, first, after, limit).await?;
        if page.next.is_some() {
            return Ok(page);
        }
        let further = (first + 1..limits::LIKER_SHARDS).map(|shard| self.page_of_shard(post, shard, None, limit));
        Ok(one_after_another(page.items, try_join_all(further).await?, limit as usize))
    }

    async fn page_of_shard(
        &self,
        post: PostId,
        shard: u8,
        after: Option<UserId>,
        limit: u32,
    ) -> Result<Page<Like, UserId>, StoreError> {
        let query = Query {
            start_after: after.map(|user| user.to_string()),
            limit: Some(limit),
            ..Query::all_of(Table::Social, keys::likers_partition(post, shard))
        };
        page_from(self.store.query(&query).await?, like_from)
    }
}

/// A page of at most `limit` likes out of those of a shard that ended and the pages of the shards behind it.
fn one_after_another(mut items: Vec<Like>, further: Vec<Page<Like, UserId>>, limit: usize) -> Page<Like, UserId> {
    let mut next = None;
    for page in further {
        items.extend(page.items);
        next = page.next;
        if next.is_some() {
            // What follows is in this very shard: the ones behind it are not their turn yet.
            break;
        }
    }
    if items.len() > limit {
        items.truncate(limit);
        next = items.last().map(|like| like.user_id);
    }
    Page { items, next }
}

fn like_from(item: &Item) -> Result<Like, MalformedItem> {
    Ok(Like {
        user_id: item.parsed_sort()?,
        liked_at: Timestamp::from_millis(item.number(attr::LIKED_AT)?.cast_unsigned()),
    })
}

//! Likes, stored in both directions.

use std::collections::HashSet;

use futures::future::try_join_all;

use super::page_from;
use crate::{Db, Writes, keys};
use domain::{Page, PostId, Timestamp, UserId, limits};
use ports::store::{
    Consistency, Item, Key, MalformedItem, Order, Outcome, Projection, Query, Retrying, SortRange, StoreError, Table,
    Write,
};

mod attr {
    pub const LIKED_AT: &str = "liked_at";
}

/// A like of a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Like {
    /// The user.
    pub user_id: UserId,
    /// The time of the like.
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

    /// Creates both sides of a like in one transaction; an existing like keeps its time.
    pub async fn create(&self, user: UserId, post: PostId, liked_at: Timestamp) -> Result<(), StoreError> {
        let sides = Self::both_sides(user, post, liked_at);
        let writes = Writes::to(Table::Social, sides.map(Write::create));
        // Refused: the like exists, perhaps from an earlier try whose answer was lost.
        let _either_way: Outcome = self.store.transact(writes.0).await?;
        Ok(())
    }

    /// The two items of a like, the user's and the post's. For direct use only when filling a store that is not yet in
    /// use.
    pub fn both_sides(user: UserId, post: PostId, liked_at: Timestamp) -> [Item; 2] {
        [keys::like(user, post), keys::liker(post, user)]
            .map(|key| Item::new(key).with(attr::LIKED_AT, liked_at.as_millis().cast_signed()))
    }

    /// Removes both sides of a like in one transaction; succeeds even if there is none.
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

    /// The posts that `user` likes with the times of the likes, newest post first. Read consistently.
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

    /// The posts among these that `user` likes. Read consistently: users see their own likes at once. Read by key, so
    /// the cost is independent of the user's number of likes.
    pub async fn liked_of(&self, user: UserId, posts: &[PostId]) -> Result<HashSet<PostId>, StoreError> {
        let keys: Vec<Key> = posts.iter().map(|post| keys::like(user, *post)).collect();
        let items = self.store.get_all(Table::Social, &keys, Consistency::Strong).await?;
        Ok(items.iter().map(Item::parsed_sort).collect::<Result<_, _>>()?)
    }

    /// The same for the entries of one list. Their likes are next to each other if few other posts of that time are
    /// liked: one query reads them, however many the user has. Likes beyond the number of posts are read by key.
    pub async fn liked_in_list(&self, user: UserId, posts: &[PostId]) -> Result<HashSet<PostId>, StoreError> {
        let (Some(oldest), Some(newest)) = (posts.iter().min(), posts.iter().max()) else {
            return Ok(HashSet::new());
        };
        let query = Query {
            range: SortRange::Between(oldest.to_string(), newest.to_string()),
            order: Order::Descending,
            limit: Some(u32::try_from(posts.len() + 1).unwrap_or(u32::MAX)),
            projection: Projection::Keys,
            ..Query::all_of(Table::Social, keys::likes_partition(user))
        };
        let page: Page<PostId, PostId> = page_from(self.store.query(&query).await?, Item::parsed_sort)?;
        let mut liked: HashSet<PostId> = page.items.into_iter().collect();
        if let Some(read_to) = page.next {
            let beyond: Vec<PostId> = posts.iter().copied().filter(|post| *post < read_to).collect();
            liked.extend(self.liked_of(user, &beyond).await?);
        }
        Ok(liked)
    }

    /// The users who like a post, by ascending shard and then id, so that the last id is a cursor. Read consistently:
    /// users see their own likes at once.
    ///
    /// Costs one query, because a post with many likes fills a page from one shard; otherwise one more for each further
    /// shard, concurrently.
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

/// A page of at most `limit` likes from the rest of one shard and the pages of the following shards.
fn one_after_another(mut items: Vec<Like>, further: Vec<Page<Like, UserId>>, limit: usize) -> Page<Like, UserId> {
    let mut next = None;
    for page in further {
        items.extend(page.items);
        next = page.next;
        if next.is_some() {
            // This shard has more likes: the following shards must wait.
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

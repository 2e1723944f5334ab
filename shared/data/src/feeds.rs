//! Feeds: references to posts, one list per reader.
//!
//! An entry holds only the reader, the post and the expiry. The author is stored with the post, so an entry that
//! outlives its author's account reveals nothing about them.

use futures::future::try_join_all;

use super::page_from;
use crate::{Db, Writes, keys};
use domain::{Page, PostId, Timestamp, UserId, limits};
use ports::store::{BatchWrite, EXPIRES_AT, Item, Order, Projection, Query, Retrying, StoreError, Table, Write};

/// Feed entries, in Feed.
#[derive(Debug, Clone)]
pub struct Feeds {
    store: Retrying,
}

impl Feeds {
    /// Feeds in `store`.
    pub fn new(db: impl Into<Db>) -> Self {
        Self { store: db.into().0 }
    }

    /// The entry of a post that is younger than [`limits::FEED_WINDOW`]. Depends only on the reader and the post, so
    /// repeated writes by any writer are identical: it expires [`limits::FEED_ENTRY_TTL`] after the millisecond in the
    /// post's id, not after the delivery.
    pub fn entry(reader: UserId, post: PostId) -> Item {
        Self::entry_at(reader, post, Timestamp::default())
    }

    /// The entry of a post of any age, written at `now`. It lives for [`limits::FEED_ENTRY_SLACK`] at least, so that no
    /// writer shortens the life of an entry that a rebuild relies on.
    pub fn entry_at(reader: UserId, post: PostId, now: Timestamp) -> Item {
        let expires_at = post.created_at().plus(limits::FEED_ENTRY_TTL).max(now.plus(limits::FEED_ENTRY_SLACK));
        Item::new(keys::feed_entry(reader, post)).with(EXPIRES_AT, expires_at.as_secs().cast_signed())
    }

    /// A reader's entries, newest first. Read consistently, so that readers see their own posts at once.
    pub async fn page_of_reader(
        &self,
        reader: UserId,
        after: Option<PostId>,
        limit: u32,
    ) -> Result<Page<PostId, PostId>, StoreError> {
        let query = Query {
            order: Order::Descending,
            start_after: after.map(|post| post.to_string()),
            limit: Some(limit),
            projection: Projection::Keys,
            ..Query::all_of(Table::Feed, keys::feed_partition(reader))
        };
        page_from(self.store.query(&query).await?, Item::parsed_sort)
    }

    /// Adds one post to up to [`limits::MAX_BATCH_WRITE`] readers' feeds, in one batch; idempotent.
    ///
    /// # Errors
    /// [`StoreError::Throttled`] when some entries could not be written in time: retry the whole call.
    pub async fn put_for_readers(&self, post: PostId, readers: &[UserId], now: Timestamp) -> Result<(), StoreError> {
        let puts = readers.iter().map(|reader| BatchWrite::Put(Self::entry_at(*reader, post, now)));
        self.write_all(puts.collect()).await
    }

    /// Adds posts to one reader's feed, in batches of [`limits::MAX_BATCH_WRITE`]; idempotent.
    ///
    /// # Errors
    /// [`StoreError::Throttled`] when some entries could not be written in time: retry the whole call.
    pub async fn put_for_reader(&self, reader: UserId, posts: &[PostId], now: Timestamp) -> Result<(), StoreError> {
        let batches = posts.chunks(limits::MAX_BATCH_WRITE).map(|chunk| {
            let puts = chunk.iter().map(|post| BatchWrite::Put(Self::entry_at(reader, *post, now)));
            self.write_all(puts.collect())
        });
        try_join_all(batches).await?;
        Ok(())
    }

    /// Removes entries from a reader's feed unconditionally, in batches of [`limits::MAX_BATCH_WRITE`].
    ///
    /// # Errors
    /// [`StoreError::Throttled`] when some could not be removed.
    pub async fn remove_of_reader(&self, reader: UserId, posts: &[PostId]) -> Result<(), StoreError> {
        for chunk in posts.chunks(limits::MAX_BATCH_WRITE) {
            let deletes = chunk.iter().map(|post| BatchWrite::Delete(keys::feed_entry(reader, *post))).collect();
            self.write_all(deletes).await?;
        }
        Ok(())
    }

    /// The write that removes an entry from a reader's feed.
    pub fn removal(reader: UserId, post: PostId) -> Writes {
        Writes::deleting(Table::Feed, [keys::feed_entry(reader, post)])
    }

    async fn write_all(&self, writes: Vec<BatchWrite>) -> Result<(), StoreError> {
        let left = self.store.write_all(Table::Feed, writes).await?;
        if left.is_empty() { Ok(()) } else { Err(StoreError::Throttled) }
    }

    /// The write that adds a post to its author's own feed.
    pub fn own_entry(author: UserId, post: PostId) -> Writes {
        Writes::to(Table::Feed, [Write::put(Self::entry(author, post))])
    }
}

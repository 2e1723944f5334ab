//! Feeds: references to posts, one list a reader.

use std::sync::Arc;

use super::page_from;
use crate::{
    domain::{Page, PostId, UserId},
    keys,
    store::{
        BatchWrite, Consistency, Item, Order, Projection, Query, SortRange, Store, StoreError, Table, Write,
        batch_write_all, with_retries,
    },
};

mod attr {
    pub const AUTHOR_ID: &str = "author_id";
}

/// A place in a feed: which post, and whose. Small enough for one write unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FeedEntry {
    /// The post.
    pub post_id: PostId,
    /// Its author.
    pub author_id: UserId,
}

/// Feed entries, in Feed.
#[derive(Debug, Clone)]
pub struct Feeds {
    store: Arc<dyn Store>,
}

impl Feeds {
    /// Feeds in `store`.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// A reader's entries, newest first. Read consistently: the reader sees their own post at once.
    pub async fn page_of_reader(
        &self,
        reader: UserId,
        after: Option<PostId>,
        limit: u32,
    ) -> Result<Page<FeedEntry, PostId>, StoreError> {
        let query = Query {
            table: Table::Feed,
            partition: keys::feed_partition(reader),
            range: SortRange::All,
            order: Order::Descending,
            start_after: after.map(|post| post.to_string()),
            limit: Some(limit),
            consistency: Consistency::Strong,
            projection: Projection::All,
        };
        page_from(with_retries(|| self.store.query(&query)).await?, |item| {
            Ok(FeedEntry { post_id: item.parsed_sort()?, author_id: item.parsed(attr::AUTHOR_ID)? })
        })
    }

    /// Puts one entry into up to [`crate::limits::MAX_BATCH_WRITE`] readers' feeds, in one batch. Twice is the same as
    /// once.
    ///
    /// # Errors
    /// [`StoreError::Throttled`] when some entries could not be written in the time there was: do all of it again.
    pub async fn put_for_readers(&self, entry: FeedEntry, readers: &[UserId]) -> Result<(), StoreError> {
        let author_id = entry.author_id.to_string();
        let puts = readers
            .iter()
            .map(|reader| {
                let key = keys::feed_entry(*reader, entry.post_id);
                BatchWrite::Put(Item::new(key).with(attr::AUTHOR_ID, author_id.clone()))
            })
            .collect();
        self.write_all(puts).await
    }

    /// Takes entries out of a reader's feed, one batch for each [`crate::limits::MAX_BATCH_WRITE`].
    ///
    /// # Errors
    /// [`StoreError::Throttled`] when some could not be removed.
    pub async fn remove_of_reader(&self, reader: UserId, posts: &[PostId]) -> Result<(), StoreError> {
        for chunk in posts.chunks(crate::limits::MAX_BATCH_WRITE) {
            let deletes = chunk.iter().map(|post| BatchWrite::Delete(keys::feed_entry(reader, *post))).collect();
            self.write_all(deletes).await?;
        }
        Ok(())
    }

    async fn write_all(&self, writes: Vec<BatchWrite>) -> Result<(), StoreError> {
        let left = batch_write_all(self.store.as_ref(), Table::Feed, writes).await?;
        if left.is_empty() { Ok(()) } else { Err(StoreError::Throttled) }
    }

    /// The write that puts a post into its author's own feed.
    pub fn own_entry(entry: FeedEntry) -> (Table, Write) {
        let item = Item::new(keys::feed_entry(entry.author_id, entry.post_id))
            .with(attr::AUTHOR_ID, entry.author_id.to_string());
        (Table::Feed, Write::put(item))
    }
}

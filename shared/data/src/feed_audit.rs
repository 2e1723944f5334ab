//! Reads for a check of feeds: raw entries, and the stories that they must cover. Knows the items of the data model, but
//! neither how posts are delivered nor how feeds are read.

use std::collections::{HashMap, HashSet};

use super::{Readers, page_from};
use crate::{Db, keys};
use domain::{Page, PostId, UserId};
use ports::store::{
    Consistency, Item, Key, Order, Projection, Query, QueryPage, Retrying, SortRange, StoreError, Table,
};

/// The attribute of a story entry whose post is merged into feeds and not fanned out.
const PULLED: &str = "pulled";

/// Posts read from a story at once.
const STORY_PAGE: u32 = 1_000;

/// Consistent reads for a check of feeds.
#[derive(Debug, Clone)]
pub struct FeedAudit {
    store: Retrying,
}

impl FeedAudit {
    /// Reads of Social and Feed in `db`.
    pub fn new(db: impl Into<Db>) -> Self {
        Self { store: db.into().0 }
    }

    /// The pairs of reader and post among these for which the feed has an entry.
    pub async fn entries(&self, of: &[(UserId, PostId)]) -> Result<HashSet<(UserId, PostId)>, StoreError> {
        let pairs: HashMap<Key, (UserId, PostId)> =
            of.iter().map(|(reader, post)| (keys::feed_entry(*reader, *post), (*reader, *post))).collect();
        let all: Vec<Key> = pairs.keys().cloned().collect();
        let items = self.store.get_all(Table::Feed, &all, Consistency::Strong).await?;
        Ok(items.iter().filter_map(|item| pairs.get(&item.key).copied()).collect())
    }

    /// The posts among these, each with its author, that are merged into feeds when these are read.
    pub async fn pulled(&self, of: &[(UserId, PostId)]) -> Result<HashSet<PostId>, StoreError> {
        let posts: HashMap<Key, PostId> =
            of.iter().map(|(author, post)| (keys::story_entry(*author, *post), *post)).collect();
        let all: Vec<Key> = posts.keys().cloned().collect();
        let items = self.store.get_all(Table::Social, &all, Consistency::Strong).await?;
        let pulled = items.iter().filter(|item| item.attributes.contains_key(PULLED));
        Ok(pulled.filter_map(|item| posts.get(&item.key).copied()).collect())
    }

    /// An author's posts from the first to the last of these ids, deleted ones included, newest first.
    pub async fn story(
        &self,
        author: UserId,
        [first, last]: [PostId; 2],
        after: Option<PostId>,
    ) -> Result<Page<PostId, PostId>, StoreError> {
        let query = Query {
            range: SortRange::Between(first.to_string(), last.to_string()),
            order: Order::Descending,
            start_after: after.map(|post| post.to_string()),
            limit: Some(STORY_PAGE),
            projection: Projection::Keys,
            ..Query::all_of(Table::Social, keys::story_partition(author))
        };
        page_from(self.store.query(&query).await?, Item::parsed_sort)
    }

    /// Changes the answer of a query that begins to read a reader's partition, so that a page takes all of their feed as
    /// covered: see [`Readers::as_if_covered`].
    ///
    /// # Errors
    /// When the activity is malformed.
    pub fn cover(query: &Query, page: &mut QueryPage) -> Result<(), StoreError> {
        let Ok(reader) = keys::reader_of(&query.partition) else { return Ok(()) };
        if query.range != SortRange::All || query.start_after.is_some() {
            return Ok(());
        }
        let stored = page.items.iter().position(|item| item.key == keys::activity(reader));
        let stored = stored.map(|place| page.items.remove(place));
        page.items.insert(0, Readers::as_if_covered(reader, stored.as_ref())?);
        Ok(())
    }

    /// A place in a scan of Social from which the users that follow are a random sample: user ids are random, and so is
    /// their order in either store.
    pub fn random_place() -> Key {
        keys::profile(UserId::random())
    }
}

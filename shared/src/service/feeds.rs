//! A reader's feed: what was delivered, less what is not for the reader now.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use tracing::warn;

use super::{
    ServiceError,
    pages::{self, Candidate},
    posts::view,
};
use crate::{
    dao::{Edge, FeedEntry, Feeds, Follows, Posts, Users},
    domain::{Page, PageLimit, PostId, PostView, UserId},
    limits,
    store::Store,
    telemetry::chain,
};

/// Reads feeds.
#[derive(Debug, Clone)]
pub struct FeedService {
    feeds: Feeds,
    follows: Follows,
    posts: Posts,
    users: Users,
}

impl FeedService {
    /// Feeds in `store`.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self {
            feeds: Feeds::new(store.clone()),
            follows: Follows::new(store.clone()),
            posts: Posts::new(store.clone()),
            users: Users::new(store),
        }
    }

    /// The reader's own posts and those of whom they follow now, newest first.
    pub async fn page(
        &self,
        reader: UserId,
        after: Option<PostId>,
        limit: PageLimit,
    ) -> Result<Page<PostView, PostId>, ServiceError> {
        pages::fill(after, limit, |after, count| async move {
            let entries = self.feeds.page_of_reader(reader, after, count).await?;
            self.resolved(reader, entries).await
        })
        .await
    }

    /// One query's entries with what they show. Three batch gets side by side, whatever the page holds.
    async fn resolved(
        &self,
        reader: UserId,
        entries: Page<FeedEntry, PostId>,
    ) -> Result<Page<Candidate<PostView, PostId>, PostId>, ServiceError> {
        let ids: Vec<PostId> = entries.items.iter().map(|entry| entry.post_id).collect();
        let authors: HashSet<UserId> = entries.items.iter().map(|entry| entry.author_id).collect();
        let authors: Vec<UserId> = authors.into_iter().collect();
        let (posts, profiles, edges) = tokio::try_join!(
            self.posts.get_all(&ids),
            self.users.get_all(&authors),
            self.follows.edges_from(reader, &authors),
        )?;
        let is_current = |entry: &FeedEntry| entry.author_id == reader || is_shown(entry, &edges);
        let is_outdated = |entry: &&FeedEntry| !is_current(entry) && is_beyond_doubt(entry, &edges);
        self.remove_outdated(reader, entries.items.iter().filter(is_outdated)).await;
        Ok(entries.map(|entry| Candidate {
            position: entry.post_id,
            shown: is_current(&entry).then(|| view(entry.post_id, &posts, &profiles)).flatten(),
        }))
    }

    /// Takes entries out of the feed whose author the reader does not follow now.
    ///
    /// This cannot take one out that is due: an entry met here is older than any follow that begins after the edges
    /// were read, so such a follow would not show it either.
    async fn remove_outdated(&self, reader: UserId, entries: impl Iterator<Item = &FeedEntry>) {
        let posts: Vec<PostId> = entries.map(|entry| entry.post_id).collect();
        if posts.is_empty() {
            return;
        }
        if let Err(error) = self.feeds.remove_of_reader(reader, &posts).await {
            warn!(user.id = %reader, error = %chain(&error), "Outdated entries stay in the feed; the next read tries again");
        }
    }
}

/// Whether the reader follows the author now, and since before the post.
fn is_shown(entry: &FeedEntry, edges: &HashMap<UserId, Edge>) -> bool {
    edges.get(&entry.author_id).is_some_and(|edge| entry.post_id >= edge.shown_since)
}

/// Whether an entry that is not shown can go for good. Where two clocks may be the reason it is only hidden.
fn is_beyond_doubt(entry: &FeedEntry, edges: &HashMap<UserId, Edge>) -> bool {
    edges
        .get(&entry.author_id)
        .is_none_or(|edge| entry.post_id.created_at().plus(limits::MAX_CLOCK_SKEW) < edge.shown_since.created_at())
}

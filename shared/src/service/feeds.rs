//! A reader's feed: what was delivered, less what is not for the reader now.

use std::{collections::HashMap, sync::Arc};

use tracing::warn;

use super::{
    ServiceError,
    pages::{self, Candidate},
    views::{FoundPosts, PostViews},
};
use crate::{
    dao::{Edge, Feeds, Follows, Users},
    domain::{Page, PageLimit, PostId, PostView, UserId},
    limits,
    store::Store,
};

/// Reads feeds.
#[derive(Debug, Clone)]
pub struct FeedService {
    feeds: Feeds,
    follows: Follows,
    views: PostViews,
    users: Users,
}

impl FeedService {
    /// Feeds in `store`.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self {
            feeds: Feeds::new(store.clone()),
            follows: Follows::new(store.clone()),
            views: PostViews::new(store.clone()),
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

    /// One query's entries with what they show: what is stored of the posts, then who their authors are and whether the
    /// reader follows them. The same calls whatever the page holds.
    async fn resolved(
        &self,
        reader: UserId,
        entries: Page<PostId, PostId>,
    ) -> Result<Page<Candidate<PostView, PostId>, PostId>, ServiceError> {
        let found = self.views.find(reader, &entries.items).await?;
        let authors = found.authors();
        let (profiles, edges) =
            tokio::try_join!(self.users.get_all_for(reader, &authors), self.follows.edges_from(reader, &authors))?;
        let is_current = |post: PostId| match found.author_of(post) {
            Some(author) => author == reader || is_shown(post, edges.get(&author)),
            None => false,
        };
        self.remove_dead(reader, &entries.items, &found, &edges).await;
        Ok(entries.map(|post| Candidate {
            position: post,
            shown: is_current(post).then(|| found.view(post, &profiles)).flatten(),
        }))
    }

    /// Takes entries out of the feed that will never be shown again: the post is erased, or the reader does not follow
    /// its author now.
    async fn remove_dead(&self, reader: UserId, entries: &[PostId], found: &FoundPosts, edges: &HashMap<UserId, Edge>) {
        let is_dead = |post: &PostId| match found.author_of(*post) {
            None => true,
            Some(author) => author != reader && is_outdated_beyond_doubt(*post, edges.get(&author)),
        };
        let dead: Vec<PostId> = entries.iter().copied().filter(is_dead).collect();
        if dead.is_empty() {
            return;
        }
        if let Err(error) = self.feeds.remove_of_reader(reader, &dead).await {
            warn!(user.id = %reader, %error, "Outdated entries stay in the feed; the next read tries again");
        }
    }
}

/// Whether the reader follows the author now, and since before the post.
fn is_shown(post: PostId, edge: Option<&Edge>) -> bool {
    edge.is_some_and(|edge| post >= edge.shown_since)
}

/// Whether an entry that is not shown can go for good. Where two clocks may be the reason it is only hidden.
fn is_outdated_beyond_doubt(post: PostId, edge: Option<&Edge>) -> bool {
    edge.is_none_or(|edge| post.created_at().plus(limits::MAX_CLOCK_SKEW) < edge.shown_since.created_at())
}

//! Posts as one reader sees them, in batches: the number of calls is independent of the page.

use std::collections::{HashMap, HashSet};

use data::{Counts, Db, Likes, Posts, StoredPost};
use domain::{PostCounts, PostId, PostView, Profile, UserId};
use ports::store::StoreError;

/// Finds posts with their counts and whether the reader likes them.
#[derive(Debug, Clone)]
pub struct PostViews {
    posts: Posts,
    counts: Counts,
    likes: Likes,
}

impl PostViews {
    /// Posts in `store`.
    pub fn new(db: impl Into<Db>) -> Self {
        let db = db.into();
        Self { posts: Posts::new(db.clone()), counts: Counts::new(db.clone()), likes: Likes::new(db) }
    }

    /// Reads these posts for `reader`. Costs three concurrent batch gets, and one more when the reader's own posts are
    /// among them, so that authors see their own deletions at once.
    pub async fn find(&self, reader: UserId, ids: &[PostId]) -> Result<FoundPosts, StoreError> {
        let (mut posts, counts, liked) =
            futures::try_join!(self.posts.get_all(ids), self.counts.of_posts(ids), self.likes.liked_of(reader, ids),)?;
        let is_own = |stored: &&StoredPost| stored.post.author_id == reader && stored.deleted_at.is_none();
        let own: Vec<PostId> = posts.values().filter(is_own).map(|stored| stored.post.post_id).collect();
        if !own.is_empty() {
            posts.retain(|post, _| !own.contains(post));
            posts.extend(self.posts.get_all_strongly(&own).await?);
        }
        Ok(FoundPosts { posts, counts, liked })
    }
}

/// Posts read from the store, before their authors are known.
#[derive(Debug, Clone)]
pub struct FoundPosts {
    posts: HashMap<PostId, StoredPost>,
    counts: HashMap<PostId, PostCounts>,
    liked: HashSet<PostId>,
}

impl FoundPosts {
    /// The author of a post, even a deleted one.
    pub fn author_of(&self, post: PostId) -> Option<UserId> {
        Some(self.posts.get(&post)?.post.author_id)
    }

    /// The distinct authors of all posts found.
    pub fn authors(&self) -> Vec<UserId> {
        let authors: HashSet<UserId> = self.posts.values().map(|stored| stored.post.author_id).collect();
        authors.into_iter().collect()
    }

    /// One post as the reader sees it; `None` when it or its author is gone.
    pub fn view(&self, post: PostId, authors: &HashMap<UserId, Profile>) -> Option<PostView> {
        let live = self.posts.get(&post)?.live()?;
        Some(PostView {
            author: authors.get(&live.author_id)?.user.clone(),
            counts: self.counts.get(&post).copied().unwrap_or_default(),
            liked_by_me: self.liked.contains(&post),
            post: live.clone(),
        })
    }
}

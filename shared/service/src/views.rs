//! Posts as one reader sees them, in batches: the number of calls is independent of the page.
//!
//! Content of other users is cached for a moment: their posts with the counts for [`limits::POST_TTL`], their profiles for
//! [`limits::PROFILE_TTL`]. A reader's own posts, profile and likes are always read, and consistently.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use crate::recent::Recent;
use data::{Db, Likes, Posts, StoredPost, Users};
use domain::{Clock, Post, PostCounts, PostId, PostView, User, UserId, limits};
use ports::store::StoreError;

/// Finds posts with their counts, their authors, and whether the reader likes them. Clones share the cache.
#[derive(Debug, Clone)]
pub struct PostViews {
    posts: Posts,
    likes: Likes,
    users: Users,
    recent_posts: Recent<PostId, (StoredPost, PostCounts)>,
    recent_users: Recent<UserId, Option<User>>,
}

impl PostViews {
    /// Posts in `store`, cached.
    pub fn new(db: impl Into<Db>, clock: &Clock) -> Self {
        Self::caching(db, clock, [limits::POST_TTL, limits::PROFILE_TTL])
    }

    /// The same without a cache.
    pub fn uncached(db: impl Into<Db>) -> Self {
        Self::caching(db, &Clock::System, [Duration::ZERO; 2])
    }

    fn caching(db: impl Into<Db>, clock: &Clock, [posts, users]: [Duration; 2]) -> Self {
        let db = db.into();
        Self {
            posts: Posts::new(db.clone()),
            likes: Likes::new(db.clone()),
            users: Users::new(db),
            recent_posts: Recent::weighed(clock.clone(), posts, limits::POST_ENTRIES, |(stored, _)| {
                weight_of(&stored.post)
            }),
            recent_users: Recent::new(clock.clone(), users, limits::PROFILE_ENTRIES),
        }
    }

    /// Reads these posts for `reader`. Costs two concurrent batch gets, and one more when the reader's own posts are
    /// among them, so that authors see their own deletions at once.
    pub async fn find(&self, reader: UserId, ids: &[PostId]) -> Result<FoundPosts, StoreError> {
        let (posts, liked) = futures::try_join!(self.posts_of(ids), self.likes.liked_of(reader, ids))?;
        let mut found = FoundPosts { posts, liked };
        let own = found.own_of(reader);
        if !own.is_empty() {
            let stored = self.posts.get_all_strongly(&own).await?;
            found.replace(&own, stored);
        }
        Ok(found)
    }

    /// Reads entries of the reader's feed: one batch get, and concurrently one query of the reader's likes of that time.
    /// The reader's own posts still need [`Self::confirm_own`].
    pub(super) async fn find_in_feed(&self, reader: UserId, ids: &[PostId]) -> Result<FoundPosts, StoreError> {
        let (posts, liked) = futures::try_join!(self.posts_of(ids), self.likes.liked_in_list(reader, ids))?;
        Ok(FoundPosts { posts, liked })
    }

    /// Reads the reader's own posts among these again, consistently, with the reader as their author; one batch get, or
    /// none when there are none.
    pub(super) async fn confirm_own(&self, reader: UserId, own: &[PostId]) -> Result<Confirmed, StoreError> {
        if own.is_empty() {
            return Ok(Confirmed::default());
        }
        let (posts, profile) = self.posts.get_own(reader, own).await?;
        Ok(Confirmed { posts, author: profile.map(|profile| profile.user) })
    }

    async fn posts_of(&self, ids: &[PostId]) -> Result<HashMap<PostId, (StoredPost, PostCounts)>, StoreError> {
        self.recent_posts.get_or_read(ids, async |missing| self.posts.get_all_with_counts(missing).await).await
    }

    /// These users, without deleted accounts; for other readers than themselves.
    pub async fn authors(&self, ids: &[UserId]) -> Result<HashMap<UserId, User>, StoreError> {
        let read = async |missing: &[UserId]| {
            let mut profiles = self.users.get_all(missing).await?;
            Ok::<_, StoreError>(missing.iter().map(|id| (*id, profiles.remove(id).map(|found| found.user))).collect())
        };
        let found = self.recent_users.get_or_read(ids, read).await?;
        Ok(found.into_iter().filter_map(|(id, user)| Some((id, user?))).collect())
    }

    /// The same for `reader`, whose own profile is read consistently.
    pub async fn authors_for(&self, reader: UserId, ids: &[UserId]) -> Result<HashMap<UserId, User>, StoreError> {
        let others: Vec<UserId> = ids.iter().copied().filter(|id| *id != reader).collect();
        let own = async { if others.len() < ids.len() { self.users.get_own(reader).await } else { Ok(None) } };
        let (mut users, own) = futures::try_join!(self.authors(&others), own)?;
        users.extend(own.map(|profile| (reader, profile.user)));
        Ok(users)
    }
}

/// Number of entries of the cache whose place a post takes: more than one with long descriptions of pictures.
fn weight_of(post: &Post) -> u32 {
    let described: usize = post.media.iter().map(|media| media.description.as_str().len()).sum();
    1 + u32::try_from(described / limits::POST_ENTRY_BYTES).unwrap_or(u32::MAX - 1)
}

/// A reader's own posts and profile, read consistently.
#[derive(Debug, Clone, Default)]
pub(super) struct Confirmed {
    posts: HashMap<PostId, StoredPost>,
    /// The reader.
    pub author: Option<User>,
}

/// Posts read from the store, before their authors are known.
#[derive(Debug, Clone)]
pub struct FoundPosts {
    posts: HashMap<PostId, (StoredPost, PostCounts)>,
    liked: HashSet<PostId>,
}

impl FoundPosts {
    /// The author of a post, even a deleted one.
    pub fn author_of(&self, post: PostId) -> Option<UserId> {
        Some(self.posts.get(&post)?.0.post.author_id)
    }

    /// Whether a post exists and is not deleted.
    pub fn is_live(&self, post: PostId) -> bool {
        self.posts.get(&post).is_some_and(|(stored, _)| stored.live().is_some())
    }

    /// The posts found, with their authors.
    pub(super) fn posts(&self) -> impl Iterator<Item = (UserId, PostId)> {
        self.posts.values().map(|(stored, _)| (stored.post.author_id, stored.post.post_id))
    }

    /// The distinct authors of all posts found.
    pub fn authors(&self) -> Vec<UserId> {
        let authors: HashSet<UserId> = self.posts.values().map(|(stored, _)| stored.post.author_id).collect();
        authors.into_iter().collect()
    }

    /// The live posts that `reader` wrote.
    pub(super) fn own_of(&self, reader: UserId) -> Vec<PostId> {
        let of_reader =
            |(stored, _): &&(StoredPost, PostCounts)| stored.live().is_some_and(|post| post.author_id == reader);
        self.posts.values().filter(of_reader).map(|(stored, _)| stored.post.post_id).collect()
    }

    /// Replaces the reader's own posts by what was confirmed.
    pub(super) fn confirm(&mut self, own: &[PostId], confirmed: Confirmed) {
        self.replace(own, confirmed.posts);
    }

    fn replace(&mut self, ids: &[PostId], mut stored: HashMap<PostId, StoredPost>) {
        for id in ids {
            match (stored.remove(id), self.posts.get_mut(id)) {
                (Some(stored), Some((known, _))) => *known = stored,
                _ => drop(self.posts.remove(id)),
            }
        }
    }

    /// One post as the reader sees it; `None` when it or its author is gone.
    pub fn view(&self, post: PostId, authors: &HashMap<UserId, User>) -> Option<PostView> {
        let (stored, counts) = self.posts.get(&post)?;
        let live = stored.live()?;
        Some(PostView {
            author: authors.get(&live.author_id)?.clone(),
            counts: *counts,
            liked_by_me: self.liked.contains(&post),
            post: live.clone(),
        })
    }
}

//! Copies a followee's newest posts from before a follow into the follower's feed.
//!
//! The edge is committed first, marked as being backfilled, with a row that leads the sweeper to it. Only then is the
//! story read, consistently: posts published before the edge are in the story, later posts are fanned out to the edge.
//! So no post is lost, whatever the clocks say. Each step may be repeated, run concurrently, or run much later: entries
//! are the same rows, and a follow's backfill is ended once.
//!
//! A first follow has no rule, so its entries show as they are written. A retry may find another hundred posts than the
//! first try, if posts were deleted or restored meanwhile. It is noted in the edge before it writes, and ends the
//! backfill with a rule that shows only the posts from its own oldest one on.

use std::collections::HashMap;

use futures::future::join_all;
use tokio::time::Instant;
use tracing::{info, warn};

use super::ServiceError;
use data::{
    Backfilled, Backfills, Db, DeliveryMode, DeliveryModes, Feeds, Follows, PendingBackfill, Posts, Readers,
    StoredPost, Window,
};
use domain::{PostId, Rule, Timestamp, UserId, limits};
use ports::store::StoreError;

/// Minimum number of posts read from a story at once. It keeps a long run of deleted posts from being read one by one
/// when a single post is missing.
const MIN_READ: usize = 25;

/// Copies posts from before a follow into the follower's feed.
#[derive(Debug, Clone)]
pub struct BackfillService {
    follows: Follows,
    backfills: Backfills,
    posts: Posts,
    feeds: Feeds,
    modes: DeliveryModes,
    readers: Readers,
}

impl BackfillService {
    /// Backfills in `store`.
    pub fn new(db: impl Into<Db>) -> Self {
        let db = db.into();
        Self {
            follows: Follows::new(db.clone()),
            backfills: Backfills::new(db.clone()),
            posts: Posts::new(db.clone()),
            feeds: Feeds::new(db.clone()),
            modes: DeliveryModes::new(db.clone()),
            readers: Readers::new(db),
        }
    }

    /// Runs the backfill of a new follow, or of the follow that replaced it meanwhile. `rule` is the rule about the
    /// followee with which it was made.
    pub async fn run(
        &self,
        follower: UserId,
        followee: UserId,
        marker: PostId,
        rule: Option<Rule>,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        self.finish_all(follower, followee, Attempt { marker, rule, is_retry: false }, now).await
    }

    /// Runs the backfill of a follow if it is unfinished. Returns whether it was.
    pub async fn resume(&self, follower: UserId, followee: UserId, now: Timestamp) -> Result<bool, ServiceError> {
        match self.retry(follower, followee).await? {
            Some(attempt) => self.finish_all(follower, followee, attempt, now).await.map(|()| true),
            None => Ok(false),
        }
    }

    async fn finish_all(
        &self,
        follower: UserId,
        followee: UserId,
        first: Attempt,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        let mut pending = Some(first);
        while let Some(Attempt { marker, rule, is_retry }) = pending {
            self.merge_unless_pushed(follower, followee, marker).await?;
            let oldest = self.deliver(follower, followee, marker, now).await?;
            let done = Backfilled { marker, oldest, rule, is_retry };
            if self.follows.finish_backfill(follower, followee, &done).await?.is_applied() {
                break;
            }
            // Ended by another call, by an earlier try whose answer was lost, or with the follow; or being retried.
            pending = self.retry(follower, followee).await?;
        }
        Ok(())
    }

    /// Begins another try of a follow's backfill, if it is pending.
    async fn retry(&self, follower: UserId, followee: UserId) -> Result<Option<Attempt>, StoreError> {
        loop {
            let edges = self.follows.edges_from(follower, &[followee]).await?;
            let Some(Window::Backfilling(marker)) = edges.get(&followee).copied() else { return Ok(None) };
            if self.follows.retry_backfill(follower, followee, marker).await?.is_applied() {
                return Ok(Some(Attempt { marker, rule: None, is_retry: true }));
            }
            // Ended between the two calls.
        }
    }

    /// Makes the feed merge the followee's posts, unless they are pushed. After the edge, or a promotion that misses the
    /// edge could also be missed here; before the story is read, so that no post falls between the two.
    async fn merge_unless_pushed(&self, follower: UserId, followee: UserId, marker: PostId) -> Result<(), StoreError> {
        if let DeliveryMode::Push { .. } = self.modes.get(followee).await? {
            return Ok(());
        }
        let since = PostId::first_of(marker.created_at().minus(limits::MAX_COMMIT_DELAY));
        self.readers.merge_from(follower, followee, since).await
    }

    /// Adds to the feed the story's posts from the marker on, which may have been fanned out before the edge existed,
    /// and the newest [`limits::BACKFILLED_POSTS`] living posts before it, together with the deleted ones among them,
    /// which may be restored. Returns the oldest of them when the story goes on.
    async fn deliver(
        &self,
        follower: UserId,
        followee: UserId,
        marker: PostId,
        now: Timestamp,
    ) -> Result<Option<PostId>, ServiceError> {
        let (mut wanting, mut after) = (Wanting::default(), None);
        loop {
            let page = self.posts.page_of_author(followee, after, page_size(wanting.living)).await?;
            let (since, before) = page.items.split_at(page.items.partition_point(|post| *post >= marker));
            let chosen = wanting.choose(before, &self.posts.get_all_strongly(before).await?);
            self.feeds.put_for_reader(follower, &[since, &chosen].concat(), now).await?;
            if wanting.living == 0 && (page.next.is_some() || chosen.last() != before.last()) {
                return Ok(chosen.last().copied());
            }
            match page.next {
                None => return Ok(None),
                next => after = next,
            }
        }
    }

    /// Finishes backfills whose lease has expired at `now`, until `deadline`. The shards run concurrently, each
    /// starting at a random row, so a slow or failing backfill starves no other. Returns how many were unfinished.
    ///
    /// Failures are logged and do not hold up other backfills; the next sweep retries them.
    ///
    /// # Errors
    /// When a shard of the rows cannot be read; the other shards were still swept.
    pub async fn finish_expired(&self, now: Timestamp, deadline: Option<Instant>) -> Result<u64, ServiceError> {
        let shards = join_all((0..limits::TASK_SHARDS).map(|shard| self.finish_shard(shard, now, deadline))).await;
        let mut finished = 0;
        for shard in shards {
            finished += shard?;
        }
        Ok(finished)
    }

    /// Works through a shard's rows a page at a time: the rows after a random key, then all from the first. Rows
    /// finished in the first half are gone in the second.
    async fn finish_shard(&self, shard: u8, now: Timestamp, deadline: Option<Instant>) -> Result<u64, StoreError> {
        let is_over = || deadline.is_some_and(|deadline| Instant::now() >= deadline);
        let mut finished = 0;
        for begin in [Some(Backfills::random_place()), None] {
            let mut after = begin;
            loop {
                let (expired, next) = self.backfills.page_of_expired(shard, now, after).await?;
                for backfill in &expired {
                    if is_over() {
                        info!(shard, "Out of time for backfills; the next sweep continues");
                        return Ok(finished);
                    }
                    finished += u64::from(self.finish_or_log(backfill, now).await);
                }
                after = next;
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(finished)
    }

    /// Finishes a backfill. Returns whether it was pending and is now finished.
    async fn finish_or_log(&self, backfill: &PendingBackfill, now: Timestamp) -> bool {
        let PendingBackfill { follower, followee, .. } = backfill;
        match self.finish(*follower, *followee, now).await {
            Ok(is_finished) => is_finished,
            Err(error) => {
                warn!(user.id = %follower, followee.id = %followee, error = telemetry::chain(&error), "Could not finish a backfill; will retry with the next sweep");
                false
            }
        }
    }

    async fn finish(&self, follower: UserId, followee: UserId, now: Timestamp) -> Result<bool, ServiceError> {
        if self.resume(follower, followee, now).await? {
            info!(user.id = %follower, followee.id = %followee, "Finished a stalled backfill");
            return Ok(true);
        }
        // Refused: a new follow was made between the two reads.
        let _either_way = self.backfills.forget(follower, followee).await?;
        Ok(false)
    }
}

/// A try of a follow's backfill.
#[derive(Debug, Clone, Copy)]
struct Attempt {
    marker: PostId,
    rule: Option<Rule>,
    is_retry: bool,
}

/// The number of posts still to copy.
#[derive(Debug)]
struct Wanting {
    living: usize,
    /// Bounded as well: an author may have deleted any number of posts.
    deleted: usize,
}

impl Default for Wanting {
    fn default() -> Self {
        Self { living: limits::BACKFILLED_POSTS, deleted: limits::BACKFILLED_POSTS }
    }
}

impl Wanting {
    /// The first of these posts, up to the last living one that is needed, or all. `stored` must be read consistently,
    /// or a post deleted a moment ago would take the place of a living one.
    fn choose(&mut self, posts: &[PostId], stored: &HashMap<PostId, StoredPost>) -> Vec<PostId> {
        let mut chosen = Vec::new();
        for (post, stored) in posts.iter().filter_map(|post| Some((*post, stored.get(post)?))) {
            let wanting = if stored.live().is_some() { &mut self.living } else { &mut self.deleted };
            if *wanting > 0 {
                *wanting -= 1;
                chosen.push(post);
            }
            if self.living == 0 {
                break;
            }
        }
        chosen
    }
}

/// The number of posts to read when `wanting` are missing.
fn page_size(wanting: usize) -> u32 {
    u32::try_from(wanting.max(MIN_READ)).unwrap_or(u32::MAX)
}

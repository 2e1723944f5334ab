//! Completes a part of a reader's feed from the stories of the people they follow: below the window, after a return from
//! dormancy, after a loss of entries.
//!
//! The newest posts below a position are merged exactly, with one short query per story: the newest few posts of each
//! first, then more of the stories that ran out while they may still contribute. The posts become entries, and then the
//! reader's activity records the part as covered, if it has not changed meanwhile. Everything before that write is
//! idempotent and invisible, so a crash or a concurrent rebuild only repeats work. ADR 28.

mod newest;

use std::collections::HashMap;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use self::newest::Newest;
use super::{ServiceError, backfill::BackfillService, coverage};
use data::{Activity, Db, Feeds, Follows, Posts, Readers, Rebuilds, UnfinishedRebuild, Window};
use domain::{Page, PostId, Timestamp, UserId, limits};
use ports::store::StoreError;

/// The windows of some of the reader's follows.
type Windows = Page<(UserId, Window), UserId>;

/// Rebuilds feeds.
#[derive(Debug, Clone)]
pub struct RebuildService {
    follows: Follows,
    posts: Posts,
    feeds: Feeds,
    readers: Readers,
    rebuilds: Rebuilds,
    backfill: BackfillService,
    limits: RebuildLimits,
}

/// The bounds of one rebuild; the defaults are for production.
#[derive(Debug, Clone, Copy)]
pub struct RebuildLimits {
    /// Posts added at once, see [`limits::REBUILT_POSTS`].
    pub posts: usize,
    /// Stories read by one request, see [`limits::MAX_REBUILT_STORIES`].
    pub stories: usize,
    /// Follows read at once, see [`limits::REBUILT_STORIES_PER_PAGE`].
    pub stories_per_page: u32,
}

impl Default for RebuildLimits {
    fn default() -> Self {
        Self {
            posts: limits::REBUILT_POSTS,
            stories: limits::MAX_REBUILT_STORIES,
            stories_per_page: limits::REBUILT_STORIES_PER_PAGE,
        }
    }
}

/// A story that may have more posts for the part being rebuilt.
#[derive(Debug, Clone, Copy)]
struct Story {
    author: UserId,
    /// The first post that the reader may see.
    since: PostId,
    /// The position read so far.
    before: PostId,
}

impl RebuildService {
    /// Rebuilds in `store`.
    pub fn new(db: impl Into<Db>) -> Self {
        let db = db.into();
        Self {
            follows: Follows::new(db.clone()),
            posts: Posts::new(db.clone()),
            feeds: Feeds::new(db.clone()),
            readers: Readers::new(db.clone()),
            rebuilds: Rebuilds::new(db.clone()),
            backfill: BackfillService::new(db),
            limits: RebuildLimits::default(),
        }
    }

    /// The same within other bounds.
    #[must_use]
    pub fn within(self, limits: RebuildLimits) -> Self {
        Self { limits, ..self }
    }

    /// Adds the reader's newest [`limits::REBUILT_POSTS`] posts below `before` to their feed, deleted ones included, which
    /// may be restored. `activity` must have been read before. Returns the activity that records it, or the one that
    /// another request has stored meanwhile: then the caller looks again whether `before` is covered.
    ///
    /// # Errors
    /// [`ServiceError::Busy`] when the reader follows more people than one request can merge, or has more unfinished
    /// backfills than it can finish. A repeated call continues.
    pub async fn rebuild(
        &self,
        reader: UserId,
        activity: &Activity,
        before: PostId,
        now: Timestamp,
    ) -> Result<Activity, ServiceError> {
        let newest = self.merged(reader, before, now).await?;
        self.feeds.put_for_reader(reader, &newest.posts(), now).await?;
        Ok(self.record(reader, activity, before, newest.floor(), now).await?)
    }

    /// The newest posts below `before` of the reader's own story and of those of the people they follow.
    async fn merged(&self, reader: UserId, before: PostId, now: Timestamp) -> Result<Newest, ServiceError> {
        let (unfinished, first) = tokio::try_join!(self.rebuilds.get(reader), self.windows(reader, None))?;
        let continued = unfinished.filter(|it| it.before == before && is_fresh(it.began_at, now));
        let (mut newest, mut began_at, mut page) = (Newest::below(before, self.limits.posts), now, first);
        if let Some(unfinished) = continued {
            newest.extend(unfinished.newest);
            began_at = unfinished.began_at;
            page = self.windows(reader, Some(unfinished.followees_cursor)).await?;
        }
        let own = [Story { author: reader, since: PostId::MIN, before }];
        self.merge(own.to_vec(), &mut newest).await?;
        let mut merged = 0;
        loop {
            merged += page.items.len();
            let windows = self.finished(reader, &page.items, now).await?;
            let stories = windows.into_iter().map(|(author, window)| Story { author, since: window.first(), before });
            let merging = self.merge(stories.collect(), &mut newest);
            let Some(followees_cursor) = page.next else {
                merging.await?;
                return Ok(newest);
            };
            if merged >= self.limits.stories {
                merging.await?;
                let unfinished = UnfinishedRebuild { before, followees_cursor, newest: newest.posts(), began_at };
                self.rebuilds.put(reader, &unfinished, now).await?;
                return Err(ServiceError::Busy { retry_after: limits::REBUILD_RETRY });
            }
            (page, ()) = tokio::try_join!(self.windows(reader, Some(followees_cursor)), merging)?;
        }
    }

    async fn windows(&self, reader: UserId, after: Option<UserId>) -> Result<Windows, StoreError> {
        self.follows.page_of_windows(reader, after, self.limits.stories_per_page).await
    }

    /// The windows after the unfinished backfills among them are finished. A window is known only then: of a dormant
    /// reader, fan-out may have skipped a post that is older than the follow's marker and newer than what the backfill
    /// copied.
    async fn finished(
        &self,
        reader: UserId,
        windows: &[(UserId, Window)],
        now: Timestamp,
    ) -> Result<HashMap<UserId, Window>, ServiceError> {
        let is_unfinished = |window: &Window| matches!(window, Window::Backfilling(_));
        let unfinished: Vec<UserId> =
            windows.iter().filter(|(_, window)| is_unfinished(window)).map(|(author, _)| *author).collect();
        let mut known: HashMap<UserId, Window> = windows.iter().copied().collect();
        if unfinished.is_empty() {
            return Ok(known);
        }
        let some = &unfinished[..unfinished.len().min(limits::BACKFILLS_PER_REBUILD)];
        for author in some {
            let _by_another = self.backfill.resume(reader, *author, now).await?;
        }
        known.retain(|_, window| !is_unfinished(window));
        known.extend(self.follows.edges_from(reader, some).await?);
        if some.len() < unfinished.len() || known.values().any(is_unfinished) {
            return Err(ServiceError::Busy { retry_after: limits::REBUILD_RETRY });
        }
        Ok(known)
    }

    /// Merges these stories. Each round reads twice as many posts of those stories alone that ran out above the oldest
    /// post that is still needed.
    async fn merge(&self, mut stories: Vec<Story>, newest: &mut Newest) -> Result<(), StoreError> {
        let mut per_story = newest.limit() / stories.len().max(1) + 2;
        while !stories.is_empty() {
            let floor = newest.floor();
            let reads = stories.into_iter().map(|story| self.read(story, floor, per_story.min(newest.limit())));
            let read: Vec<_> =
                stream::iter(reads).buffer_unordered(limits::REBUILD_QUERIES_AT_ONCE).try_collect().await?;
            stories = Vec::new();
            for (posts, rest) in read {
                newest.extend(posts);
                stories.extend(rest);
            }
            let floor = newest.floor();
            stories.retain(|story| story.before > floor);
            per_story *= 2;
        }
        Ok(())
    }

    /// The story's next posts down to `floor`, and the story if it may have more.
    async fn read(
        &self,
        story: Story,
        floor: PostId,
        limit: usize,
    ) -> Result<(Vec<PostId>, Option<Story>), StoreError> {
        let (since, limit) = (story.since.max(floor), u32::try_from(limit).unwrap_or(u32::MAX));
        let page = self.posts.part_of_author(story.author, since, story.before, limit).await?;
        Ok((page.items, page.next.map(|before| Story { before, ..story })))
    }

    /// Records that the posts from `down_to` on and below `before` are in the feed. Other changes of the activity, such
    /// as a read of another day, do not stand in the way; other changes of the coverage do.
    async fn record(
        &self,
        reader: UserId,
        activity: &Activity,
        before: PostId,
        down_to: PostId,
        now: Timestamp,
    ) -> Result<Activity, StoreError> {
        let mut was = *activity;
        loop {
            let to = coverage::extended(&was, before, down_to, now);
            if self.readers.put_active(reader, &was, &to).await?.is_applied() {
                return Ok(to);
            }
            let stored = self.readers.activity(reader).await?;
            if !coverage::is_same(&stored, &was) || stored == was {
                return Ok(stored);
            }
            was = stored;
        }
    }
}

/// Whether a rebuild that began then may be continued.
fn is_fresh(began_at: Timestamp, now: Timestamp) -> bool {
    now >= began_at && now.since(began_at) < limits::REBUILD_PROGRESS_TTL
}

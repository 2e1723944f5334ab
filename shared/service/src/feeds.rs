//! A reader's feed: the delivered entries and the merged stories of pulled authors, without those posts that the reader
//! may not see now.
//!
//! A first page costs five concurrent calls in three rounds: the entries and the reader with their rules; the posts with
//! their counts and the reader's likes; the authors. [`clean_up`] removes entries that stay hidden, after the answer.
//!
//! Entries count only as far down as the reader's activity says that they are complete ([`crate::coverage`]). A page that
//! goes further has the next part rebuilt from stories first, so that a feed ends only where its stories do.

mod clean_up;
mod reading;
mod visit;

use std::collections::{HashMap, HashSet};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use tracing::{debug, warn};

use self::{clean_up::CleanUp, reading::Reading, visit::visit};
use super::{
    ServiceError,
    activity::ActivityCache,
    background::Background,
    merge::merge,
    pages::{self, Candidate},
    rebuild::{RebuildLimits, RebuildService},
    stories::Stories,
    views::{FoundPosts, PostViews},
    visibility::Grounds,
};
use data::{Activity, Db, Feeds, Follows, Reader, Readers};
use domain::{Clock, Page, PageLimit, PostId, PostView, Timestamp, User, UserId, limits};
use ports::store::StoreError;

/// Reads feeds.
#[derive(Debug, Clone)]
pub struct FeedService {
    db: Db,
    feeds: Feeds,
    follows: Follows,
    readers: Readers,
    rebuild: RebuildService,
    views: PostViews,
    stories: Stories,
    clock: Clock,
    background: Background,
    activity: Option<ActivityCache>,
}

/// Entries of a feed as they are found.
type Entries = Page<PostId, PostId>;

impl FeedService {
    /// Feeds in `store`, whose posts are read through `views`.
    pub fn new(db: impl Into<Db>, views: PostViews, clock: Clock) -> Self {
        let db = db.into();
        Self {
            feeds: Feeds::new(db.clone()),
            follows: Follows::new(db.clone()),
            readers: Readers::new(db.clone()),
            rebuild: RebuildService::new(db.clone()),
            stories: Stories::new(db.clone(), clock.clone()),
            db,
            views,
            clock,
            background: Background::new(limits::CLEAN_UPS_AT_ONCE),
            activity: None,
        }
    }

    /// The same, telling the fan-out of this process who reads.
    #[must_use]
    pub fn with_activity(self, activity: Option<ActivityCache>) -> Self {
        Self { activity, ..self }
    }

    /// The same, rebuilding feeds within other bounds.
    #[must_use]
    pub fn rebuilding_within(self, limits: RebuildLimits) -> Self {
        Self { rebuild: self.rebuild.within(limits), ..self }
    }

    /// The same, reading stories through this cache, which others share.
    #[must_use]
    pub fn with_stories(self, stories: Stories) -> Self {
        Self { stories, ..self }
    }

    /// The clean-ups that pages have started.
    pub const fn background(&self) -> &Background {
        &self.background
    }

    /// The posts of the reader and of the users they follow now, newest first.
    pub async fn page(
        &self,
        reader: UserId,
        after: Option<PostId>,
        limit: PageLimit,
    ) -> Result<Page<PostView, PostId>, ServiceError> {
        let reading = &Reading::at(self.clock.now());
        pages::fill(after, limit, |after, count| async move {
            let (entries, state) = self.entries(reader, reading, after, count).await?;
            self.resolved(reader, state, entries).await
        })
        .await
    }

    /// Up to `count` entries after a position, newest first, with the posts of pulled authors among them, and the reader's
    /// state, which is read once per page.
    async fn entries<'a>(
        &self,
        reader: UserId,
        reading: &'a Reading,
        after: Option<PostId>,
        count: u32,
    ) -> Result<(Entries, &'a Reader), ServiceError> {
        let is_beside = !reading.is_begun();
        let state = reading.state(|now| self.arrive(reader, now));
        let (mut entries, state) = tokio::try_join!(self.feeds.page_of_reader(reader, after, count), state)?;
        let before = after.unwrap_or(PostId::MAX);
        let mut floor = reading.floor(before);
        if floor == before {
            floor = self.fill_gap(reader, reading, before).await?;
            entries = self.feeds.page_of_reader(reader, after, count).await?;
        } else if is_beside && reading.may_be_newer_than_entries() {
            entries = self.feeds.page_of_reader(reader, after, count).await?;
        }
        let entries = ending_at(entries, floor);
        let mut sources = self.pulled(reader, state, after, count).await?;
        if sources.is_empty() {
            return Ok((entries, state));
        }
        sources.push(entries);
        Ok((merge(&sources, count as usize), state))
    }

    /// Reads the reader's state, and notes the visit.
    async fn arrive(&self, reader: UserId, now: Timestamp) -> Result<Reader, StoreError> {
        if let Some(activity) = &self.activity {
            activity.has_read(reader, now);
        }
        let mut state = self.state(reader).await?;
        while let Some(visit) = visit(&state.activity, now) {
            if !visit.is_awaited {
                self.note_visit(reader, state.activity, visit.to);
                break;
            }
            if self.readers.put_active(reader, &state.activity, &visit.to).await?.is_applied() {
                state.activity = visit.to;
                break;
            }
            // Another read has noted it, or an earlier try whose answer was lost.
            state.activity = self.readers.activity(reader).await?;
        }
        Ok(state)
    }

    /// The reader's activity and rules: those of the first query, or all up to [`limits::RULES_READ`], as a rule that
    /// merges an author may be any of them.
    async fn state(&self, reader: UserId) -> Result<Reader, StoreError> {
        let mut state = self.readers.get(reader).await?;
        let mut after = state.rules.keys().max().copied();
        while !state.is_whole && state.rules.len() < limits::RULES_READ {
            let page = self.readers.page_of_rules(reader, after, limits::RULES_READ_WHOLE).await?;
            state.rules.extend(page.items);
            after = page.next;
            state.is_whole = after.is_none();
        }
        if !state.is_whole {
            warn!(user.id = %reader, "A reader has more than {} rules; posts of pulled authors beyond them are not merged", limits::RULES_READ);
        }
        Ok(state)
    }

    /// Starts to note a visit. Nothing waits for it; if it is lost, the next read repeats it.
    fn note_visit(&self, reader: UserId, was: Activity, to: Activity) {
        let readers = self.readers.clone();
        let note = async move {
            match readers.put_active(reader, &was, &to).await {
                // Refused: another read has noted it, or rebuilt a part of the feed.
                Ok(_either_way) => {}
                Err(error) if error.is_transient() => {
                    debug!(user.id = %reader, %error, "Could not note that the reader is active; the next read will retry");
                }
                Err(error) => {
                    warn!(user.id = %reader, error = telemetry::chain(&error), "Could not note that the reader is active; the next read will retry");
                }
            }
        };
        // Not started: as many as may are running.
        let _either_way = self.background.run(note);
    }

    /// Rebuilds the posts below `before` until some are covered, and returns how far down.
    async fn fill_gap(&self, reader: UserId, reading: &Reading, before: PostId) -> Result<PostId, ServiceError> {
        for _ in 0..limits::MAX_REBUILD_TRIES {
            let activity = self.rebuild.rebuild(reader, &reading.activity(), before, reading.now()).await?;
            reading.learn(activity);
            let floor = reading.floor(before);
            if floor < before {
                return Ok(floor);
            }
            // Another request has changed the coverage meanwhile.
        }
        Err(StoreError::Conflict.into())
    }

    /// The stories that the reader's rules merge, after a position. Costs no call while they are cached, or when no rule
    /// merges.
    async fn pulled(
        &self,
        reader: UserId,
        state: &Reader,
        after: Option<PostId>,
        count: u32,
    ) -> Result<Vec<Entries>, ServiceError> {
        let merged = state.rules.iter().filter_map(|(author, rule)| Some((*author, *rule, rule.merged_since()?)));
        let stories = merged.map(async |(author, rule, since)| {
            let slice = self.stories.page(author, after, since, count).await?;
            Ok::<_, ServiceError>((author, rule, slice))
        });
        let slices: Vec<_> =
            stream::iter(stories.collect::<Vec<_>>()).buffer_unordered(limits::STORIES_IN_FLIGHT).try_collect().await?;
        let now = self.clock.now();
        let ended: Vec<_> = slices
            .iter()
            .filter_map(|(author, rule, slice)| clean_up::end_of_merge(reader, *author, *rule, slice.mode, now))
            .collect();
        if !ended.is_empty() {
            // Not started: as many as may are running.
            let _either_way = self.background.run(clean_up::commit_all(reader, ended, self.db.clone()));
        }
        Ok(slices.into_iter().map(|(.., slice)| slice.posts).collect())
    }

    /// Entries with their posts and authors. The number of calls is independent of the page.
    async fn resolved(
        &self,
        reader: UserId,
        state: &Reader,
        entries: Entries,
    ) -> Result<Page<Candidate<PostView, PostId>, PostId>, ServiceError> {
        let mut found = self.views.find_in_feed(reader, &entries.items).await?;
        let own = found.own_of(reader);
        let (grounds, mut authors, confirmed) = tokio::try_join!(
            self.grounds(reader, state, &found),
            self.authors(reader, state, &found),
            self.views.confirm_own(reader, &own),
        )?;
        authors.extend(confirmed.author.clone().map(|author| (reader, author)));
        found.confirm(&own, confirmed);
        let is_shown = |post: PostId| {
            let author = found.author_of(post);
            author.is_some_and(|author| author == reader || grounds.get(&author).is_some_and(|on| on.shows(post)))
        };
        let resolved = entries.map(|post| Candidate {
            position: post,
            shown: is_shown(post).then(|| found.view(post, &authors)).flatten(),
        });
        self.clean_up(reader, &resolved, &found, &grounds);
        Ok(resolved)
    }

    /// The authors of live posts, except the reader and those whose posts a known rule hides.
    async fn authors(
        &self,
        reader: UserId,
        state: &Reader,
        found: &FoundPosts,
    ) -> Result<HashMap<UserId, User>, StoreError> {
        let is_hidden = |author: UserId, post| state.rules.get(&author).is_some_and(|rule| !rule.shows(post));
        let shown: HashSet<UserId> = found
            .posts()
            .filter(|(author, post)| *author != reader && found.is_live(*post) && !is_hidden(*author, *post))
            .map(|(author, _)| author)
            .collect();
        self.views.authors(&shown.into_iter().collect::<Vec<_>>()).await
    }

    /// The grounds on which each author's posts are shown. Costs no call, unless the reader has too many rules to read them all, or
    /// the entries include some from before there were rules.
    async fn grounds(
        &self,
        reader: UserId,
        state: &Reader,
        found: &FoundPosts,
    ) -> Result<HashMap<UserId, Grounds>, StoreError> {
        let activity = state.activity;
        let unknown = found.authors().into_iter().filter(|author| !state.is_whole && !state.rules.contains_key(author));
        let unknown: Vec<UserId> = unknown.filter(|author| *author != reader).collect();
        let old: HashSet<UserId> = found
            .posts()
            .filter(|(author, post)| *author != reader && activity.predates_rules(*post))
            .map(|(author, _)| author)
            .collect();
        let old: Vec<UserId> = old.into_iter().collect();
        let (more, windows) =
            tokio::try_join!(self.readers.rules(reader, &unknown), self.follows.edges_from(reader, &old))?;
        let rule = |author| state.rules.get(&author).or_else(|| more.get(&author)).copied().unwrap_or_default();
        let on = |author| Grounds { rule: rule(author), activity, window: windows.get(&author).copied() };
        Ok(found.authors().into_iter().map(|author| (author, on(author))).collect())
    }

    /// Starts the removal of entries that will never be shown again, if there are any. Nothing waits for it; what it
    /// does not remove, a later read does.
    fn clean_up(
        &self,
        reader: UserId,
        entries: &Page<Candidate<PostView, PostId>, PostId>,
        found: &FoundPosts,
        grounds: &HashMap<UserId, Grounds>,
    ) {
        let hidden = entries.items.iter().filter(|entry| entry.shown.is_none()).map(|entry| entry.position);
        let clean_up = CleanUp::of(reader, hidden, found, grounds);
        if clean_up.is_needed() {
            // Not started: as many as may are running.
            let _either_way = self.background.run(clean_up.run(self.db.clone()));
        }
    }
}

/// The entries down to `floor`. The list ends there only if nothing lies below.
fn ending_at(mut entries: Entries, floor: PostId) -> Entries {
    let covered = entries.items.partition_point(|post| *post >= floor);
    let is_cut = covered < entries.items.len() || entries.next.is_none_or(|next| next < floor);
    if is_cut {
        entries.items.truncate(covered);
        entries.next = (floor > PostId::MIN).then_some(floor);
    }
    entries
}

//! Judges single posts in feeds: the post, its author, the follow, the rule, the reader's activity and the entry, each
//! read consistently.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use data::{Activity, Counts, Db, FeedAudit, Follows, Outbox, Posts, Readers, Users, Window};
use domain::{Clock, PageLimit, PostId, Rule, Timestamp, UserId, limits};
use ports::{
    queue::{Queue, QueueName},
    store::{Consistency, StoreError},
};
use service::{coverage::Coverage, feeds::FeedService, views::PostViews};
use uuid::Uuid;

use super::findings::{Kind, Reason, VerifyError};

/// The queues on which a delivery may be waiting.
pub(super) const QUEUES: [QueueName; 2] = [QueueName::PostQ, QueueName::JobQ];

/// A post in a feed that may be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Suspect {
    pub(super) reader: UserId,
    pub(super) post: PostId,
}

/// The outcome of one look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Right,
    /// The reader is dormant: their next read rebuilds the feed.
    Dormant,
    /// The entry is missing and may be on its way.
    InProgress,
    Wrong(Wrong),
}

/// A difference, and what it was judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) kind: Kind,
    pub(super) reason: Reason,
    pub(super) author: UserId,
    pub(super) window: Option<Window>,
    pub(super) rule: Rule,
    /// Whether an entry, and nothing else, shows the post.
    pub(super) is_by_entry: bool,
}

/// The grounds on which one feed shows one post.
#[derive(Debug, Clone, Copy)]
struct Facts {
    post: PostId,
    is_own: bool,
    window: Option<Window>,
    rule: Rule,
    activity: Activity,
    has_entry: bool,
    is_pulled: bool,
}

impl Facts {
    /// Whether the post is merged into the feed when this is read.
    fn is_merged(&self) -> bool {
        self.is_pulled && self.rule.merged_since().is_some_and(|since| self.post >= since)
    }

    /// Whether the feed can show the post at all.
    fn can_show(&self) -> bool {
        self.has_entry || self.is_merged()
    }

    /// Whether the reader is entitled to the post.
    fn is_entitled(&self) -> bool {
        self.is_own || self.window.is_some_and(|window| window.shows(self.post))
    }

    fn judge(&self, is_shown: bool, now: Timestamp) -> Option<(Kind, Reason)> {
        match (is_shown, self.window) {
            (true, _) if self.is_entitled() => None,
            // Posts from before the follow may be shown as they are copied.
            (true, Some(Window::Backfilling(_))) => None,
            (true, None) => Some((Kind::Extra, Reason::NotFollowed)),
            (true, Some(_)) => Some((Kind::Extra, Reason::BeforeFollow)),
            (false, _) if !self.is_entitled() || self.post < oldest_checked(&self.activity, now) => None,
            (false, _) if self.can_show() => Some((Kind::Missing, Reason::Hidden)),
            (false, _) => Some((Kind::Missing, Reason::NoEntry)),
        }
    }
}

/// The oldest post that must be in a feed: further down, a page rebuilds the feed before it shows it.
pub(super) fn oldest_checked(activity: &Activity, now: Timestamp) -> PostId {
    Coverage::of(activity, now).floor(PostId::MAX)
}

/// Whether fan-outs may skip this reader.
pub(super) fn is_dormant(activity: &Activity, now: Timestamp) -> bool {
    activity.active_at.is_some_and(|at| now.since(at) > limits::DORMANT_AFTER)
}

/// The reads of a check.
#[derive(Debug, Clone)]
pub(super) struct Reads {
    posts: Posts,
    users: Users,
    pub(super) counts: Counts,
    pub(super) follows: Follows,
    readers: Readers,
    outbox: Outbox,
    pub(super) audit: FeedAudit,
    /// Feeds as their readers see them.
    pub(super) feeds: FeedService,
    queue: Arc<dyn Queue>,
    clock: Clock,
}

impl Reads {
    /// Reads of `db` and of the queues; the pages of feeds are read through `pages`.
    pub(super) fn new(db: &Db, pages: &Db, queue: Arc<dyn Queue>, clock: Clock) -> Self {
        let db = || db.clone();
        Self {
            posts: Posts::new(db()),
            users: Users::new(db()),
            counts: Counts::new(db()),
            follows: Follows::new(db()),
            readers: Readers::new(db()),
            outbox: Outbox::new(db()),
            audit: FeedAudit::new(db()),
            feeds: FeedService::new(pages.clone(), PostViews::uncached(db()), clock.clone()),
            queue,
            clock,
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A reader's activity.
    pub(super) async fn activity(&self, reader: UserId) -> Result<Activity, StoreError> {
        let found = self.readers.activities(&[reader], Consistency::Strong).await?;
        Ok(found.get(&reader).copied().unwrap_or_default())
    }

    /// The authors of those posts that exist, are not deleted, and whose authors have an account.
    pub(super) async fn live_authors(&self, posts: &[PostId]) -> Result<HashMap<PostId, UserId>, StoreError> {
        let stored = self.posts.get_all_strongly(posts).await?;
        let live: HashMap<PostId, UserId> =
            stored.iter().filter_map(|(id, stored)| Some((*id, stored.live()?.author_id))).collect();
        let users = self.users.get_all(&distinct(live.values())).await?;
        Ok(live.into_iter().filter(|(_, author)| users.contains_key(author)).collect())
    }

    /// Judges posts in one reader's feed, as its pages show it.
    pub(super) async fn look_at_posts(
        &self,
        reader: UserId,
        posts: &[PostId],
    ) -> Result<HashMap<PostId, Verdict>, VerifyError> {
        let authors = self.live_authors(posts).await?;
        let pairs: Vec<(UserId, PostId)> = authors.iter().map(|(post, author)| (*author, *post)).collect();
        let of_reader: Vec<(UserId, PostId)> = authors.keys().map(|post| (reader, *post)).collect();
        let all = distinct(authors.values());
        let (windows, rules, activity, entries, pulled) = futures::try_join!(
            self.follows.edges_from(reader, &all),
            self.readers.rules(reader, &all),
            self.activity(reader),
            self.audit.entries(&of_reader),
            self.audit.pulled(&pairs),
        )?;
        let mut verdicts: HashMap<PostId, Verdict> = posts.iter().map(|post| (*post, Verdict::Right)).collect();
        for (post, author) in authors {
            let facts = Facts {
                post,
                is_own: author == reader,
                window: windows.get(&author).copied(),
                rule: rules.get(&author).copied().unwrap_or_default(),
                activity,
                has_entry: entries.contains(&(reader, post)),
                is_pulled: pulled.contains(&post),
            };
            let is_shown = facts.can_show() && self.is_shown(reader, post).await?;
            verdicts.insert(post, self.verdict(&facts, is_shown, author).await?);
        }
        Ok(verdicts)
    }

    /// Judges one post in many feeds, by their entries and rules. The pages are not read, as there may be a million.
    pub(super) async fn look_at_readers(
        &self,
        post: PostId,
        readers: &[UserId],
    ) -> Result<HashMap<UserId, Verdict>, VerifyError> {
        let mut verdicts: HashMap<UserId, Verdict> = readers.iter().map(|id| (*id, Verdict::Right)).collect();
        let Some(author) = self.live_authors(&[post]).await?.remove(&post) else { return Ok(verdicts) };
        let of_readers: Vec<(UserId, PostId)> = readers.iter().map(|reader| (*reader, post)).collect();
        let (windows, grounds, entries, pulled) = futures::try_join!(
            self.follows.edges_to(author, readers),
            self.readers.towards(author, readers),
            self.audit.entries(&of_readers),
            async { self.audit.pulled(&[(author, post)]).await },
        )?;
        for reader in readers {
            let (activity, rule) = grounds.get(reader).copied().unwrap_or_default();
            let facts = Facts {
                post,
                is_own: *reader == author,
                window: windows.get(reader).copied(),
                rule,
                activity,
                has_entry: entries.contains(&(*reader, post)),
                is_pulled: pulled.contains(&post),
            };
            // An entry of an author who is not followed is not looked for here.
            let is_shown = facts.can_show() && rule.shows(post);
            verdicts.insert(*reader, self.verdict(&facts, is_shown && facts.is_entitled(), author).await?);
        }
        Ok(verdicts)
    }

    async fn verdict(&self, facts: &Facts, is_shown: bool, author: UserId) -> Result<Verdict, VerifyError> {
        if is_dormant(&facts.activity, self.now()) {
            return Ok(Verdict::Dormant);
        }
        let Some((kind, reason)) = facts.judge(is_shown, self.now()) else { return Ok(Verdict::Right) };
        if reason == Reason::NoEntry && self.is_in_delivery(facts.post).await? {
            return Ok(Verdict::InProgress);
        }
        let is_by_entry = facts.has_entry && !facts.is_merged();
        Ok(Verdict::Wrong(Wrong { kind, reason, author, window: facts.window, rule: facts.rule, is_by_entry }))
    }

    /// Whether entries of a post may still be on their way: its fan-out is unfinished, or it is young and messages wait.
    async fn is_in_delivery(&self, post: PostId) -> Result<bool, VerifyError> {
        if self.outbox.get(post).await?.is_some() {
            return Ok(true);
        }
        if self.now().since(post.created_at()) > limits::IN_DELIVERY {
            return Ok(false);
        }
        for name in QUEUES {
            let depth = self.queue.depth(name).await?;
            if depth.visible + depth.in_flight + depth.delayed > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether the page that begins at this post shows it.
    async fn is_shown(&self, reader: UserId, post: PostId) -> Result<bool, VerifyError> {
        let before = PostId::from_uuid(Uuid::from_u128(post.as_uuid().as_u128().saturating_add(1)));
        let one = PageLimit::new(1).expect("a page may hold one post");
        let page = self.feeds.page(reader, Some(before), one).await?;
        Ok(page.items.first().is_some_and(|view| view.post.post_id == post))
    }
}

fn distinct<'a>(users: impl IntoIterator<Item = &'a UserId>) -> Vec<UserId> {
    users.into_iter().copied().collect::<HashSet<_>>().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u64) -> Timestamp {
        Timestamp::from_millis(1_763_700_000_000 + 1_000 * second)
    }

    fn facts() -> Facts {
        Facts {
            post: PostId::first_of(at(5)),
            is_own: false,
            window: Some(Window::Everything),
            rule: Rule::default(),
            activity: Activity::default(),
            has_entry: true,
            is_pulled: false,
        }
    }

    #[test]
    fn a_shown_post_needs_a_follow() {
        let judge = |window| Facts { window, ..facts() }.judge(true, at(9));
        let [earlier, later] = [4, 6].map(|second| PostId::first_of(at(second)));
        assert_eq!(judge(Some(Window::Everything)), None);
        assert_eq!(judge(Some(Window::Since(earlier))), None);
        assert_eq!(judge(Some(Window::Backfilling(later))), None, "being copied");
        assert_eq!(judge(Some(Window::Since(later))), Some((Kind::Extra, Reason::BeforeFollow)));
        assert_eq!(judge(None), Some((Kind::Extra, Reason::NotFollowed)));
        assert_eq!(Facts { window: None, is_own: true, ..facts() }.judge(true, at(9)), None);
    }

    #[test]
    fn an_entitled_post_needs_an_entry_or_merge() {
        let lost = Facts { has_entry: false, ..facts() };
        let judge = |facts: Facts| facts.judge(false, at(9));
        assert_eq!(judge(lost), Some((Kind::Missing, Reason::NoEntry)));
        assert_eq!(judge(facts()), Some((Kind::Missing, Reason::Hidden)));
        assert_eq!(judge(Facts { window: None, ..lost }), None);
        let merging = Rule { merge_since: Some(lost.post), ..Rule::default() };
        assert!(Facts { is_pulled: true, rule: merging, ..lost }.can_show());
        assert!(!Facts { rule: merging, ..lost }.can_show(), "a pushed post needs an entry");
        assert!(!Facts { is_pulled: true, ..lost }.can_show(), "no rule merges it");
    }

    #[test]
    fn posts_outside_the_delivered_region_are_not_missed() {
        let lost = Facts { has_entry: false, ..facts() };
        let later = Activity { complete_since: Some(PostId::first_of(at(6))), ..Activity::default() };
        assert_eq!(Facts { activity: later, ..lost }.judge(false, at(9)), None);
        assert_eq!(lost.judge(false, at(9).plus(limits::FEED_ENTRY_TTL)), None);
    }
}

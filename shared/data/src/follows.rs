//! Follow edges, stored in both directions.
//!
//! The follower's side stores the window of the followee's posts that the feed shows. Feeds are not judged by it, but by
//! the rules in [`Readers`], which the transactions here keep in step: a rule is the window where it differs from what
//! was delivered. The window itself decides about entries from before there were rules, and about rebuilt ones.

use std::collections::HashMap;

use super::{Backfills, Readers, page_from};
use crate::{Db, Writes, keys};
use domain::{Page, PostId, Rule, Timestamp, UserId, UserRange};
use ports::store::{
    Changes, Condition, Consistency, Item, Key, MalformedItem, Outcome, Projection, Query, Retrying, SortRange,
    StoreError, Table, Test, Write,
};

mod attr {
    pub const FOLLOWED_AT: &str = "followed_at";
    pub const SHOWN_SINCE: &str = "shown_since";
    pub const BACKFILLING: &str = "backfilling";
    pub const RETRIED: &str = "retried";
}

/// Tries of a write that depends on a rule which changes meanwhile, before it is a conflict. Each further try needs
/// another change of the same rule.
const MAX_TRIES: usize = 5;

/// A follow, seen from either side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// The user at the other end.
    pub user_id: UserId,
    /// When the follow began.
    pub followed_at: Timestamp,
}

/// The followee's posts that a follow entitles to.
///
/// Bounded by an id and not by a time, so that posts of one millisecond can fall on different sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// Earlier posts are being backfilled. Until then the feed shows posts from this id on, which is the follow's
    /// unique marker, made with the follow.
    Backfilling(PostId),
    /// This post and later ones.
    Since(PostId),
    /// All posts.
    Everything,
}

impl Window {
    /// The first post shown.
    pub fn first(self) -> PostId {
        match self {
            Self::Backfilling(since) | Self::Since(since) => since,
            Self::Everything => PostId::MIN,
        }
    }

    /// Whether the feed shows a post with this id.
    pub fn shows(self, post: PostId) -> bool {
        match self {
            Self::Backfilling(since) | Self::Since(since) => post >= since,
            Self::Everything => true,
        }
    }

    /// Whether an entry of this post will not be shown as long as the follow lasts. False during a backfill: the entry
    /// may have just been added, and become visible when the backfill ends.
    pub fn is_past(self, post: PostId) -> bool {
        matches!(self, Self::Since(_)) && !self.shows(post)
    }
}

/// The result of [`Follows::create`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Created {
    /// The follow was made, and left the feed with this rule about the followee.
    Now(Option<Rule>),
    /// It existed before.
    Before,
}

/// A backfill whose posts are delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backfilled {
    /// The marker of its follow.
    pub marker: PostId,
    /// The oldest post delivered; `None` when that was the whole story.
    pub oldest: Option<PostId>,
    /// The rule about the followee, as far as known: a wrong guess costs two more calls.
    pub rule: Option<Rule>,
    /// Whether an earlier try may have delivered older posts.
    pub is_retry: bool,
}

impl Backfilled {
    /// The rule that hides posts older than the backfill delivered, when the feed had the rule `from` before. A first
    /// follow whose first try succeeds needs none: nothing else was delivered. A rule that merges the author's posts begins
    /// somewhat before the follow, where there may be posts that the backfill left out.
    fn rule_after(&self, from: Option<Rule>) -> Option<Rule> {
        if from.is_none() && !self.is_retry {
            return None;
        }
        let merge_since = from.and_then(|rule| rule.merge_since);
        Rule { shown_since: self.oldest, merge_since, ..Rule::default() }.if_any()
    }
}

/// Follow edges, in Social. Only the follower's side stores the window.
#[derive(Debug, Clone)]
pub struct Follows {
    store: Retrying,
    readers: Readers,
}

impl Follows {
    /// Follow edges in `store`.
    pub fn new(db: impl Into<Db>) -> Self {
        let db = db.into();
        Self { readers: Readers::new(db.clone()), store: db.0 }
    }

    /// Creates both sides of an edge in one transaction, together with the row by which the sweeper finds its backfill
    /// if it is unfinished by `lease_until`. An existing edge is left as it is.
    ///
    /// `marker` separates posts made since the follow from earlier ones. A rule that an earlier follow left shows posts
    /// from the marker on until the backfill ends.
    ///
    /// # Errors
    /// Also [`StoreError::Conflict`], when the rule kept changing.
    pub async fn create(
        &self,
        follower: UserId,
        followee: UserId,
        followed_at: Timestamp,
        marker: PostId,
        lease_until: Timestamp,
    ) -> Result<Created, StoreError> {
        let [followers_side, followees_side] = Self::both_sides(follower, followee, followed_at);
        let followers_side = followers_side.with(attr::SHOWN_SINCE, marker.to_string()).with(attr::BACKFILLING, true);
        let edge = Writes::to(Table::Social, [followers_side, followees_side].map(Write::create));
        let sides = edge.len();
        let creation = edge.and(Backfills::creation(follower, followee, lease_until));
        let mut rule: Option<Rule> = None;
        for _ in 0..MAX_TRIES {
            let to = rule.map(|rule| Rule { left: false, shown_since: Some(marker), backfilling: true, ..rule });
            let writes = creation.clone().and(Readers::change(follower, followee, rule, to, followed_at));
            match self.store.transact(writes.0).await? {
                Outcome::Applied => return Ok(Created::Now(to)),
                Outcome::Refused(places) if places.iter().any(|place| *place < sides) => return Ok(Created::Before),
                Outcome::Refused(_) => rule = self.readers.rule(follower, followee).await?,
            }
        }
        Err(StoreError::Conflict)
    }

    /// The two items of an edge that shows everything, the follower's and the followee's. For direct use only when
    /// filling a store that is not yet in use.
    pub fn both_sides(follower: UserId, followee: UserId, followed_at: Timestamp) -> [Item; 2] {
        [keys::following_edge(follower, followee), keys::follower_edge(followee, follower)]
            .map(|key| Item::new(key).with(attr::FOLLOWED_AT, followed_at.as_millis().cast_signed()))
    }

    /// Notes that the backfill of the follow with this marker is tried again, before it is. From then on the first try
    /// cannot end it. Refused when that follow has ended, or its backfill has.
    pub async fn retry_backfill(
        &self,
        follower: UserId,
        followee: UserId,
        marker: PostId,
    ) -> Result<Outcome, StoreError> {
        let set = [(attr::RETRIED.into(), true.into())].into();
        let write = Write::Update {
            key: keys::following_edge(follower, followee),
            changes: Changes { set, ..Changes::default() },
            condition: Condition::Where(tests_of(Window::Backfilling(marker))),
        };
        self.store.write(Table::Social, write).await
    }

    /// Ends the backfill of the follow with this marker: its feed then shows all posts from the oldest on, or all posts.
    /// Refused when that follow has ended, or its backfill has, or when this is the first try and another has begun.
    ///
    /// # Errors
    /// Also [`StoreError::Conflict`], when the rule kept changing.
    pub async fn finish_backfill(
        &self,
        follower: UserId,
        followee: UserId,
        done: &Backfilled,
    ) -> Result<Outcome, StoreError> {
        // Every entry that the rule hides is of an earlier post than the marker, and expires earlier.
        let now = done.marker.created_at();
        let edge = Self::end_of_backfill(follower, followee, done);
        let mut rule = done.rule;
        for _ in 0..MAX_TRIES {
            let change = Readers::change(follower, followee, rule, done.rule_after(rule), now);
            let writes = edge.clone().and(Backfills::removal(follower, followee)).and(change);
            match self.store.transact(writes.0).await? {
                Outcome::Refused(places) if !places.contains(&0) => {
                    rule = self.readers.rule(follower, followee).await?;
                }
                outcome => return Ok(outcome),
            }
        }
        Err(StoreError::Conflict)
    }

    fn end_of_backfill(follower: UserId, followee: UserId, done: &Backfilled) -> Writes {
        let mut changes = Changes { remove: vec![attr::BACKFILLING, attr::RETRIED], ..Changes::default() };
        match done.oldest {
            Some(oldest) => drop(changes.set.insert(attr::SHOWN_SINCE.into(), oldest.to_string().into())),
            None => changes.remove.push(attr::SHOWN_SINCE),
        }
        let first_try = (!done.is_retry).then_some(Test::Missing(attr::RETRIED));
        let tests = tests_of(Window::Backfilling(done.marker)).into_iter().chain(first_try).collect();
        let key = keys::following_edge(follower, followee);
        Writes::to(Table::Social, [Write::Update { key, changes, condition: Condition::Where(tests) }])
    }

    /// Ends a follow in one transaction: removes both sides of the edge and its backfill row, and hides the followee's
    /// posts by a rule. Refused, and nothing to do, when there is no follow.
    pub async fn remove(&self, follower: UserId, followee: UserId, now: Timestamp) -> Result<Outcome, StoreError> {
        let followers_side =
            Write::Delete { key: keys::following_edge(follower, followee), condition: Condition::Present };
        let writes = Writes::to(Table::Social, [followers_side])
            .and(Writes::deleting(Table::Social, [keys::follower_edge(followee, follower)]))
            .and(Backfills::removal(follower, followee))
            .and(Readers::leaving(follower, followee, now));
        self.store.transact(writes.0).await
    }

    /// The writes that erase both sides of an edge, its backfill row and the rule about the followee.
    pub fn erasure(follower: UserId, followee: UserId) -> Writes {
        let edge = [keys::following_edge(follower, followee), keys::follower_edge(followee, follower)];
        Writes::deleting(Table::Social, edge)
            .and(Backfills::removal(follower, followee))
            .and(Readers::rule_erasure(follower, followee))
    }

    /// A check that a follow is as it was read: exists with this window, or does not exist.
    pub fn is_unchanged(follower: UserId, followee: UserId, window: Option<Window>) -> Writes {
        let condition = window.map_or(Condition::Absent, |window| Condition::Where(tests_of(window)));
        Writes::to(Table::Social, [Write::Check { key: keys::following_edge(follower, followee), condition }])
    }

    /// A check that a follow has no pending backfill, or does not exist.
    pub fn has_nothing_to_backfill(follower: UserId, followee: UserId) -> Writes {
        let condition = Condition::AbsentOr(vec![Test::Missing(attr::BACKFILLING)]);
        Writes::to(Table::Social, [Write::Check { key: keys::following_edge(follower, followee), condition }])
    }

    /// The windows of the follows from `follower` to `followees`, omitting followees not followed now. Read
    /// consistently, so that an unfollow hides posts at once.
    pub async fn edges_from(
        &self,
        follower: UserId,
        followees: &[UserId],
    ) -> Result<HashMap<UserId, Window>, StoreError> {
        let keys: Vec<Key> = followees.iter().map(|followee| keys::following_edge(follower, *followee)).collect();
        let items = self.store.get_all(Table::Social, &keys, Consistency::Strong).await?;
        Ok(items
            .iter()
            .map(|item| Ok((item.parsed_sort()?, window_from(item)?)))
            .collect::<Result<_, MalformedItem>>()?)
    }

    /// The windows of the follows from `followers` to `followee`, by follower, omitting users who do not follow now.
    /// Read consistently, so that an unfollow hides posts at once.
    pub async fn edges_to(
        &self,
        followee: UserId,
        followers: &[UserId],
    ) -> Result<HashMap<UserId, Window>, StoreError> {
        let keys: HashMap<Key, UserId> =
            followers.iter().map(|follower| (keys::following_edge(*follower, followee), *follower)).collect();
        let all: Vec<Key> = keys.keys().cloned().collect();
        let items = self.store.get_all(Table::Social, &all, Consistency::Strong).await?;
        let found = items.iter().filter_map(|item| Some((*keys.get(&item.key)?, item)));
        Ok(found.map(|(follower, item)| Ok((follower, window_from(item)?))).collect::<Result<_, MalformedItem>>()?)
    }

    /// The followers of `user`, by ascending id. Read consistently: users see their own follows at once.
    pub async fn page_of_followers(
        &self,
        user: UserId,
        after: Option<UserId>,
        limit: u32,
    ) -> Result<Page<Edge, UserId>, StoreError> {
        let query = people(keys::followers_partition(user), after, Some(limit), Projection::All);
        page_from(self.store.query(&query).await?, edge_from)
    }

    /// The followees of `user`, by ascending id. Read consistently: users see their own follows at once.
    pub async fn page_of_following(
        &self,
        user: UserId,
        after: Option<UserId>,
        limit: u32,
    ) -> Result<Page<Edge, UserId>, StoreError> {
        let query = people(keys::following_partition(user), after, Some(limit), Projection::All);
        page_from(self.store.query(&query).await?, edge_from)
    }

    /// The windows of the follows from `follower`, by ascending id of the followee. Read consistently: users see the
    /// posts of a new followee at once.
    pub async fn page_of_windows(
        &self,
        follower: UserId,
        after: Option<UserId>,
        limit: u32,
    ) -> Result<Page<(UserId, Window), UserId>, StoreError> {
        let query = people(keys::following_partition(follower), after, Some(limit), Projection::All);
        page_from(self.store.query(&query).await?, |item| Ok((item.parsed_sort()?, window_from(item)?)))
    }

    /// The ids of the followers of `user` within `range`, ascending, and the part of the range still to be read;
    /// `limit: None` reads as many as the store returns at once. Read consistently, or a fan-out could miss a follow
    /// acknowledged before the post.
    pub async fn page_of_follower_ids(
        &self,
        user: UserId,
        range: UserRange,
        limit: Option<u32>,
    ) -> Result<Page<UserId, UserRange>, StoreError> {
        self.page_in_range(user, range, limit, Projection::Keys, Item::parsed_sort).await
    }

    /// The same followers, with the time of each follow.
    pub async fn page_of_followers_in(
        &self,
        user: UserId,
        range: UserRange,
        limit: Option<u32>,
    ) -> Result<Page<Edge, UserRange>, StoreError> {
        self.page_in_range(user, range, limit, Projection::All, edge_from).await
    }

    async fn page_in_range<T>(
        &self,
        user: UserId,
        range: UserRange,
        limit: Option<u32>,
        projection: Projection,
        read: impl Fn(&Item) -> Result<T, MalformedItem>,
    ) -> Result<Page<T, UserRange>, StoreError> {
        let query = Query {
            range: SortRange::Between(range.first().to_string(), range.last().to_string()),
            ..people(keys::followers_partition(user), None, limit, projection)
        };
        let Page { items, next } = page_from(self.store.query(&query).await?, read)?;
        Ok(Page { items, next: next.and_then(|last| range.after(last)) })
    }
}

fn people(partition: String, after: Option<UserId>, limit: Option<u32>, projection: Projection) -> Query {
    Query {
        start_after: after.map(|user| user.to_string()),
        limit,
        projection,
        ..Query::all_of(Table::Social, partition)
    }
}

fn edge_from(item: &Item) -> Result<Edge, MalformedItem> {
    Ok(Edge {
        user_id: item.parsed_sort()?,
        followed_at: Timestamp::from_millis(item.number(attr::FOLLOWED_AT)?.cast_unsigned()),
    })
}

/// The tests for a stored window: [`window_from`] reads exactly the items that pass them.
fn tests_of(window: Window) -> Vec<Test> {
    let shown_since = |since: PostId| Test::Equals(attr::SHOWN_SINCE, since.to_string().into());
    match window {
        Window::Backfilling(since) => vec![Test::Equals(attr::BACKFILLING, true.into()), shown_since(since)],
        Window::Since(since) => vec![Test::Missing(attr::BACKFILLING), shown_since(since)],
        Window::Everything => vec![Test::Missing(attr::BACKFILLING), Test::Missing(attr::SHOWN_SINCE)],
    }
}

fn window_from(item: &Item) -> Result<Window, MalformedItem> {
    if item.attributes.contains_key(attr::BACKFILLING) {
        return Ok(Window::Backfilling(item.parsed(attr::SHOWN_SINCE)?));
    }
    let since = item.text_if_any(attr::SHOWN_SINCE)?.map(str::parse).transpose();
    let since = since.map_err(|_| MalformedItem { attribute: attr::SHOWN_SINCE })?;
    Ok(since.map_or(Window::Everything, Window::Since))
}

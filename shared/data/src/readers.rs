//! Readers: when each was active, how far their feed is complete, and the rules by which it differs from what was
//! delivered. All in one partition, which a page of the feed reads with one query.

use std::collections::HashMap;

use super::page_from;
use crate::{Db, Writes, keys};
use domain::{Page, PostId, Rule, Timestamp, UserId, limits};
use ports::store::{
    Changes, Condition, Consistency, EXPIRES_AT, Item, Key, MalformedItem, Outcome, Projection, Query, Retrying,
    SortRange, StoreError, Table, Test, Write,
};

mod attr {
    pub const ACTIVE_AT: &str = "active_at";
    pub const RULES_SINCE: &str = "rules_since";
    pub const COMPLETE_SINCE: &str = "complete_since";
    pub const BUILT_FROM: &str = "built_from";
    pub const BUILT_DOWN_TO: &str = "built_down_to";
    pub const BUILT_UNTIL: &str = "built_until";
    pub const REBUILT_AT: &str = "rebuilt_at";
    pub const LEFT: &str = "left";
    pub const SHOWN_SINCE: &str = "shown_since";
    pub const BACKFILLING: &str = "backfilling";
    pub const MERGE_SINCE: &str = "merge_since";
}

/// A time after every other: the end of the year 9999.
const FAR_FUTURE: Timestamp = Timestamp::from_millis(253_402_300_799_000);

/// A reader's activity, and the coverage of their feed. A reader without a stored one registered with an earlier
/// version, and is never dormant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Activity {
    /// The first read of the last day on which the reader read their feed.
    pub active_at: Option<Timestamp>,
    /// Entries of posts made before this may have been delivered before follows were judged by rules: the follow
    /// decides about them. `None` until the first read by this version.
    pub rules_since: Option<Timestamp>,
    /// Entries of later posts were delivered without a gap; of earlier ones, some may have been skipped.
    pub complete_since: Option<PostId>,
    /// Where the rebuilt part of the feed begins; `None` when it continues the delivered part.
    pub built_from: Option<PostId>,
    /// How far down the rebuilt part goes.
    pub built_down_to: Option<PostId>,
    /// When the rebuilt part expires.
    pub built_until: Option<Timestamp>,
    /// When the last rebuild began.
    pub rebuilt_at: Option<Timestamp>,
}

impl Activity {
    /// Whether an entry of this post may have been delivered before there were rules, so that the follow decides.
    pub fn predates_rules(&self, post: PostId) -> bool {
        self.rules_since.is_none_or(|since| post.created_at() < since)
    }
}

/// A reader's activity and rules.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reader {
    /// The activity.
    pub activity: Activity,
    /// The rules, by author.
    pub rules: HashMap<UserId, Rule>,
    /// Whether these are all rules. If not, [`Readers::page_of_rules`] continues after the greatest author's id.
    pub is_whole: bool,
}

/// Activities and rules, in Social.
#[derive(Debug, Clone)]
pub struct Readers {
    store: Retrying,
}

impl Readers {
    /// Readers in `store`.
    pub fn new(db: impl Into<Db>) -> Self {
        Self { store: db.into().0 }
    }

    /// A reader's activity and their first [`limits::RULES_READ_WHOLE`] rules, with one query. Read consistently, so that
    /// an unfollow hides posts at once.
    pub async fn get(&self, reader: UserId) -> Result<Reader, StoreError> {
        let query = Query {
            limit: Some(limits::RULES_READ_WHOLE + 1),
            ..Query::all_of(Table::Social, keys::reader_partition(reader))
        };
        let page = self.store.query(&query).await?;
        let mut read = Reader::default();
        for item in &page.items {
            if item.key == keys::activity(reader) {
                read.activity = activity_from(item)?;
            } else {
                read.rules.insert(author_of(item)?, rule_from(item)?);
            }
        }
        read.is_whole = page.next.is_none();
        Ok(read)
    }

    /// A reader's rules, by ascending id of the author. Read consistently.
    pub async fn page_of_rules(
        &self,
        reader: UserId,
        after: Option<UserId>,
        limit: u32,
    ) -> Result<Page<(UserId, Rule), UserId>, StoreError> {
        let query = Query {
            range: SortRange::Prefix(keys::RULE_PREFIX.to_owned()),
            start_after: after.map(|author| keys::reader_rule(reader, author).sort),
            limit: Some(limit),
            projection: Projection::All,
            ..Query::all_of(Table::Social, keys::reader_partition(reader))
        };
        let mut page = self.store.query(&query).await?;
        // The position is an author's id, as of other lists.
        page.next = page.next.and_then(|sort| sort.strip_prefix(keys::RULE_PREFIX).map(str::to_owned));
        page_from(page, |item| Ok((author_of(item)?, rule_from(item)?)))
    }

    /// A reader's rules about these authors, by author; by key, so the cost is independent of the number of rules. Read
    /// consistently.
    pub async fn rules(&self, reader: UserId, authors: &[UserId]) -> Result<HashMap<UserId, Rule>, StoreError> {
        let keys: Vec<Key> = authors.iter().map(|author| keys::reader_rule(reader, *author)).collect();
        let items = self.store.get_all(Table::Social, &keys, Consistency::Strong).await?;
        Ok(items.iter().map(|item| Ok((author_of(item)?, rule_from(item)?))).collect::<Result<_, MalformedItem>>()?)
    }

    /// One rule. Read consistently.
    pub async fn rule(&self, reader: UserId, author: UserId) -> Result<Option<Rule>, StoreError> {
        let item = self.store.get(Table::Social, &keys::reader_rule(reader, author), Consistency::Strong).await?;
        Ok(item.as_ref().map(rule_from).transpose()?)
    }

    /// These readers' activities and their rules about one author, with one batch get. Read consistently, so that an
    /// unfollow hides posts at once.
    pub async fn towards(
        &self,
        author: UserId,
        readers: &[UserId],
    ) -> Result<HashMap<UserId, (Activity, Rule)>, StoreError> {
        let mut of_key = HashMap::new();
        for reader in readers {
            of_key.extend([keys::activity(*reader), keys::reader_rule(*reader, author)].map(|key| (key, *reader)));
        }
        let all: Vec<Key> = of_key.keys().cloned().collect();
        let mut found: HashMap<UserId, (Activity, Rule)> =
            readers.iter().map(|id| (*id, <(Activity, Rule)>::default())).collect();
        for item in self.store.get_all(Table::Social, &all, Consistency::Strong).await? {
            let Some(reader) = of_key.get(&item.key) else { continue };
            let (activity, rule) = found.entry(*reader).or_default();
            if item.key == keys::activity(*reader) {
                *activity = activity_from(&item)?;
            } else {
                *rule = rule_from(&item)?;
            }
        }
        Ok(found)
    }

    /// The stored activities of these readers.
    pub async fn activities(
        &self,
        readers: &[UserId],
        consistency: Consistency,
    ) -> Result<HashMap<UserId, Activity>, StoreError> {
        let of_key: HashMap<Key, UserId> = readers.iter().map(|reader| (keys::activity(*reader), *reader)).collect();
        let all: Vec<Key> = of_key.keys().cloned().collect();
        let items = self.store.get_all(Table::Social, &all, consistency).await?;
        let found = items.iter().filter_map(|item| Some((*of_key.get(&item.key)?, item)));
        Ok(found.map(|(reader, item)| Ok((reader, activity_from(item)?))).collect::<Result<_, MalformedItem>>()?)
    }

    /// When each of these readers was last active, without those of whom nothing is stored.
    pub async fn active_times(
        &self,
        readers: &[UserId],
        consistency: Consistency,
    ) -> Result<HashMap<UserId, Timestamp>, StoreError> {
        let keys: Vec<Key> = readers.iter().map(|reader| keys::activity(*reader)).collect();
        let items = self.store.get_all(Table::Social, &keys, consistency).await?;
        let mut times = HashMap::with_capacity(items.len());
        for item in &items {
            let reader = keys::reader_of(&item.key.partition).map_err(|_| MalformedItem { attribute: "PK" })?;
            times.extend(activity_from(item)?.active_at.map(|at| (reader, at)));
        }
        Ok(times)
    }

    /// One reader's stored activity. Read consistently.
    pub async fn activity(&self, reader: UserId) -> Result<Activity, StoreError> {
        let item = self.store.get(Table::Social, &keys::activity(reader), Consistency::Strong).await?;
        Ok(item.as_ref().map(activity_from).transpose()?.unwrap_or_default())
    }

    /// Changes a reader's activity from `was` to `to`. Refused when it is not as it was read; idempotent otherwise.
    pub async fn put_active(&self, reader: UserId, was: &Activity, to: &Activity) -> Result<Outcome, StoreError> {
        let (before, after) = (activity_item(reader, was), activity_item(reader, to));
        let tests = unchanged(&before, &ACTIVITY_ATTRIBUTES);
        let gone = ACTIVITY_ATTRIBUTES.into_iter().filter(|name| !after.attributes.contains_key(*name));
        let write = Write::Update {
            key: keys::activity(reader),
            changes: Changes { remove: gone.collect(), set: after.attributes.clone(), ..Changes::default() },
            condition: if *was == Activity::default() { Condition::AbsentOr(tests) } else { Condition::Where(tests) },
        };
        self.store.write(Table::Social, write).await
    }

    /// A stored activity as if the reader were active and all of their feed covered: a page then shows the entries as they
    /// are, and neither rebuilds nor marks anything. For a check that writes nothing.
    ///
    /// # Errors
    /// When the item is not an activity.
    pub fn as_if_covered(reader: UserId, stored: Option<&Item>) -> Result<Item, MalformedItem> {
        let stored = stored.map(activity_from).transpose()?.unwrap_or_default();
        let activity = Activity {
            active_at: Some(FAR_FUTURE),
            complete_since: None,
            built_from: Some(PostId::MAX),
            built_down_to: Some(PostId::MIN),
            built_until: Some(FAR_FUTURE),
            rebuilt_at: None,
            ..stored
        };
        Ok(activity_item(reader, &activity))
    }

    /// The write that creates a new user's activity.
    pub fn creation(reader: UserId, now: Timestamp) -> Writes {
        Writes::to(Table::Social, [Write::put(Self::new_reader(reader, now))])
    }

    /// The activity of a new user: rules decide about all of their feed, and as an empty feed it is complete for as long as
    /// a rebuilt one is. For direct use only when filling a store that is not yet in use.
    pub fn new_reader(reader: UserId, now: Timestamp) -> Item {
        let activity = Activity {
            active_at: Some(now),
            rules_since: Some(Timestamp::default()),
            built_down_to: Some(PostId::MIN),
            built_until: Some(now.day().plus(limits::REBUILT_TTL)),
            ..Activity::default()
        };
        activity_item(reader, &activity)
    }

    /// The write that hides an author's posts, whatever the rule was.
    pub fn leaving(reader: UserId, author: UserId, now: Timestamp) -> Writes {
        Writes::to(Table::Social, [Write::put(Self::rule_item(reader, author, &Rule::LEFT, now))])
    }

    /// The write that changes a rule, or creates or removes it. Refused when it is not as it was read.
    pub fn change(reader: UserId, author: UserId, from: Option<Rule>, to: Option<Rule>, now: Timestamp) -> Writes {
        let (key, condition) = (keys::reader_rule(reader, author), as_read(reader, author, from));
        let write = match (from, to) {
            (_, Some(to)) => Write::Put { item: Self::rule_item(reader, author, &to, now), condition },
            (Some(_), None) => Write::Delete { key, condition },
            (None, None) => Write::Check { key, condition },
        };
        Writes::to(Table::Social, [write])
    }

    /// A check that a rule is as it was read, or that there is none.
    pub fn is_unchanged(reader: UserId, author: UserId, rule: Option<Rule>) -> Writes {
        let (key, condition) = (keys::reader_rule(reader, author), as_read(reader, author, rule));
        Writes::to(Table::Social, [Write::Check { key, condition }])
    }

    /// Merges the author's posts from `since` on into the reader's feed, in addition to what the rule says; the rule
    /// then never expires. A rule that merges them already, or hides the author's posts, is left as it is: a later
    /// follow reads the author's delivery mode itself.
    pub async fn merge_from(&self, reader: UserId, author: UserId, since: PostId) -> Result<(), StoreError> {
        let set = [(attr::MERGE_SINCE.into(), since.to_string().into())];
        let write = Write::Update {
            key: keys::reader_rule(reader, author),
            changes: Changes { set: set.into(), remove: vec![EXPIRES_AT], ..Changes::default() },
            condition: Condition::AbsentOr(vec![Test::Missing(attr::MERGE_SINCE), Test::Missing(attr::LEFT)]),
        };
        // Refused: it merges them, perhaps from an earlier try whose answer was lost, or hides them.
        let _either_way = self.store.write(Table::Social, write).await?;
        Ok(())
    }

    /// The write that erases a rule.
    pub fn rule_erasure(reader: UserId, author: UserId) -> Writes {
        Writes::deleting(Table::Social, [keys::reader_rule(reader, author)])
    }

    /// The write that erases a reader's activity.
    pub fn activity_erasure(reader: UserId) -> Writes {
        Writes::deleting(Table::Social, [keys::activity(reader)])
    }

    /// A stored rule. It expires [`limits::RULE_TTL`] after `now`, unless it merges or its backfill is unfinished. For
    /// direct use only when filling a store that is not yet in use.
    pub fn rule_item(reader: UserId, author: UserId, rule: &Rule, now: Timestamp) -> Item {
        let item = with_rule(Item::new(keys::reader_rule(reader, author)), rule);
        if rule.merge_since.is_some() || rule.backfilling {
            return item;
        }
        item.with(EXPIRES_AT, now.plus(limits::RULE_TTL).as_secs().cast_signed())
    }
}

const RULE_ATTRIBUTES: [&str; 4] = [attr::LEFT, attr::SHOWN_SINCE, attr::BACKFILLING, attr::MERGE_SINCE];
const ACTIVITY_ATTRIBUTES: [&str; 7] = [
    attr::ACTIVE_AT,
    attr::RULES_SINCE,
    attr::COMPLETE_SINCE,
    attr::BUILT_FROM,
    attr::BUILT_DOWN_TO,
    attr::BUILT_UNTIL,
    attr::REBUILT_AT,
];

/// The condition that a rule is as it was read.
fn as_read(reader: UserId, author: UserId, rule: Option<Rule>) -> Condition {
    let Some(rule) = rule else { return Condition::Absent };
    let item = with_rule(Item::new(keys::reader_rule(reader, author)), &rule);
    Condition::Where(unchanged(&item, &RULE_ATTRIBUTES))
}

/// The tests that these attributes are those of `item`.
fn unchanged(item: &Item, attributes: &[&'static str]) -> Vec<Test> {
    let test = |name: &&'static str| match item.attributes.get(*name) {
        Some(value) => Test::Equals(name, value.clone()),
        None => Test::Missing(name),
    };
    attributes.iter().map(test).collect()
}

fn with_rule(item: Item, rule: &Rule) -> Item {
    let flags = [(attr::LEFT, rule.left), (attr::BACKFILLING, rule.backfilling)];
    let posts = [(attr::SHOWN_SINCE, rule.shown_since), (attr::MERGE_SINCE, rule.merge_since)];
    let item = flags.into_iter().filter(|(_, is_set)| *is_set).fold(item, |item, (name, _)| item.with(name, true));
    posts.into_iter().fold(item, |item, (name, post)| with_post(item, name, post))
}

fn with_post(item: Item, name: &'static str, post: Option<PostId>) -> Item {
    match post {
        Some(post) => item.with(name, post.to_string()),
        None => item,
    }
}

fn activity_item(reader: UserId, activity: &Activity) -> Item {
    let times = [
        (attr::ACTIVE_AT, activity.active_at),
        (attr::RULES_SINCE, activity.rules_since),
        (attr::BUILT_UNTIL, activity.built_until),
        (attr::REBUILT_AT, activity.rebuilt_at),
    ];
    let posts = [
        (attr::COMPLETE_SINCE, activity.complete_since),
        (attr::BUILT_FROM, activity.built_from),
        (attr::BUILT_DOWN_TO, activity.built_down_to),
    ];
    let with_time = |item: Item, (name, time): (_, Option<Timestamp>)| match time {
        Some(time) => item.with(name, time.as_millis().cast_signed()),
        None => item,
    };
    let item = times.into_iter().fold(Item::new(keys::activity(reader)), with_time);
    posts.into_iter().fold(item, |item, (name, post)| with_post(item, name, post))
}

fn author_of(item: &Item) -> Result<UserId, MalformedItem> {
    keys::author_of_rule(&item.key.sort).map_err(|_| MalformedItem { attribute: "SK" })
}

fn post_if_any(item: &Item, attribute: &'static str) -> Result<Option<PostId>, MalformedItem> {
    let post = item.text_if_any(attribute)?.map(str::parse).transpose();
    post.map_err(|_| MalformedItem { attribute })
}

fn rule_from(item: &Item) -> Result<Rule, MalformedItem> {
    Ok(Rule {
        left: item.attributes.contains_key(attr::LEFT),
        shown_since: post_if_any(item, attr::SHOWN_SINCE)?,
        backfilling: item.attributes.contains_key(attr::BACKFILLING),
        merge_since: post_if_any(item, attr::MERGE_SINCE)?,
    })
}

fn activity_from(item: &Item) -> Result<Activity, MalformedItem> {
    let time = |name| Ok(item.number_if_any(name)?.map(|millis| Timestamp::from_millis(millis.cast_unsigned())));
    Ok(Activity {
        active_at: time(attr::ACTIVE_AT)?,
        rules_since: time(attr::RULES_SINCE)?,
        complete_since: post_if_any(item, attr::COMPLETE_SINCE)?,
        built_from: post_if_any(item, attr::BUILT_FROM)?,
        built_down_to: post_if_any(item, attr::BUILT_DOWN_TO)?,
        built_until: time(attr::BUILT_UNTIL)?,
        rebuilt_at: time(attr::REBUILT_AT)?,
    })
}

//! Reads for a recount: the source rows of counts and inboxes, and the stored values. Knows the items of the data
//! model, but not how changes become counts.

use std::collections::HashMap;

use crate::{Counted, Counter, DELETED_AT, Db, Notifications, Writes, keys};
use domain::{ActKind, InboxEntry, NotificationId, Page, PostId, UserId, limits};
use ports::store::{
    Changes, Condition, Consistency, Item, Key, MalformedItem, Query, Retrying, SortRange, StoreError, Table, Test,
    Value, Write,
};

mod attr {
    pub const AUTHOR_ID: &str = "author_id";
    pub const FOLLOWED_AT: &str = "followed_at";
    pub const LIKED_AT: &str = "liked_at";
}

/// Bytes per strongly consistent read unit of `DynamoDB`.
const UNIT_BYTES: usize = 4 * 1024;

/// The result of a read.
#[derive(Debug, Clone, PartialEq)]
pub struct Audited<T> {
    /// The value read.
    pub found: T,
    /// Estimated read units: `Store` does not report them.
    pub units: f64,
}

impl<T> Audited<T> {
    fn of<'a>(found: T, items: impl IntoIterator<Item = &'a Item>) -> Self {
        Self { found, units: read_units(items) }
    }
}

/// The stored state of a count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoredCount {
    /// No counts at all.
    NoRow,
    /// Other counts, but not this one.
    NoNumber,
    /// A number.
    Number(i64),
}

impl StoredCount {
    /// The number that it represents.
    pub const fn number(self) -> i64 {
        match self {
            Self::NoRow | Self::NoNumber => 0,
            Self::Number(number) => number,
        }
    }
}

/// An item that a count counts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CountedEdge {
    /// Its name among the items of the same count.
    pub name: String,
    /// When it was made, in milliseconds, where stored: distinguishes an item that was removed and made again.
    pub since: Option<i64>,
    /// Whether it counts; a deleted one does not.
    pub counts: bool,
}

/// Where to continue reading the edges of a count.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EdgeCursor {
    shard: u8,
    after: Option<String>,
}

/// A notification whose key at least is readable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditedEntry {
    /// Its id.
    pub id: NotificationId,
    /// The entry; `None` when its kind is unknown or an attribute is missing.
    pub entry: Option<InboxEntry>,
}

/// Consistent reads for a recount.
#[derive(Debug, Clone)]
pub struct Audit {
    store: Retrying,
}

impl Audit {
    /// Reads of Social in `db`.
    pub fn new(db: impl Into<Db>) -> Self {
        Self { store: db.into().0 }
    }

    /// Whether the target can have counts: a user whose account is not deleted, or a post that is not erased.
    pub async fn exists(&self, of: Counted) -> Result<Audited<bool>, StoreError> {
        let item = self.get(&of.itself()).await?;
        let exists = item.as_ref().is_some_and(|item| matches!(of, Counted::Post(_)) || is_live(item));
        Ok(Audited::of(exists, &item))
    }

    /// One stored count.
    pub async fn stored(&self, of: Counted, counter: Counter) -> Result<Audited<StoredCount>, StoreError> {
        let item = self.get(&of.counts()).await?;
        let number = item.as_ref().map(|item| item.number_if_any(counter.name())).transpose()?;
        let stored = match number {
            None => StoredCount::NoRow,
            Some(None) => StoredCount::NoNumber,
            Some(Some(number)) => StoredCount::Number(number),
        };
        Ok(Audited::of(stored, &item))
    }

    /// The writes that correct a stored count: refused when the stored value has changed, or the target is gone.
    pub fn correction(of: Counted, counter: Counter, was: StoredCount, expected: i64) -> Writes {
        let condition = match was {
            StoredCount::NoRow => Condition::Absent,
            StoredCount::NoNumber => Condition::Where(vec![Test::Missing(counter.name())]),
            StoredCount::Number(number) => Condition::Where(vec![Test::Equals(counter.name(), number.into())]),
        };
        let set = [(counter.name().into(), expected.into())].into();
        let count = Write::Update { key: of.counts(), changes: Changes { set, ..Changes::default() }, condition };
        Writes::to(Table::Social, [count, Write::Check { key: of.itself(), condition: of.exists() }])
    }

    /// A page of the edges of a count, and where to continue.
    pub async fn edges(
        &self,
        of: Counted,
        counter: Counter,
        from: EdgeCursor,
    ) -> Result<Audited<Page<CountedEdge, EdgeCursor>>, StoreError> {
        let all = |partition| Query::all_of(Table::Social, partition);
        let query = match of {
            Counted::User(user) => match counter {
                Counter::Followers => all(keys::followers_partition(user)),
                Counter::Following => all(keys::following_partition(user)),
                _ => return self.posts_of(user, from).await,
            },
            Counted::Post(post) if counter == Counter::Likes => all(keys::likers_partition(post, from.shard)),
            Counted::Post(post) => {
                let range = SortRange::Prefix(keys::COMMENT_PREFIX.to_owned());
                Query { range, ..all(keys::post_partition(post)) }
            }
        };
        let page = self.store.query(&Query { start_after: from.after, ..query }).await?;
        let items = page.items.iter().map(|item| edge_from(item.key.sort.clone(), item)).collect();
        let last_shard = if counter == Counter::Likes { limits::LIKER_SHARDS - 1 } else { 0 };
        let next = match page.next {
            Some(after) => Some(EdgeCursor { after: Some(after), ..from }),
            None => (from.shard < last_shard).then(|| EdgeCursor { shard: from.shard + 1, after: None }),
        };
        Ok(Audited::of(Page { items, next }, &page.items))
    }

    /// Reads the story, which includes deleted posts.
    async fn posts_of(
        &self,
        author: UserId,
        from: EdgeCursor,
    ) -> Result<Audited<Page<CountedEdge, EdgeCursor>>, StoreError> {
        let query = Query {
            start_after: from.after,
            limit: u32::try_from(limits::MAX_BATCH_GET).ok(),
            ..Query::all_of(Table::Social, keys::story_partition(author))
        };
        let story = self.store.query(&query).await?;
        let posts: Vec<PostId> = story.items.iter().map(Item::parsed_sort).collect::<Result<_, _>>()?;
        let posts: Vec<Key> = posts.into_iter().map(keys::post).collect();
        let mut posts = self.store.get_all(Table::Social, &posts, Consistency::Strong).await?;
        // A batch get returns items in any order.
        posts.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        let items = posts.iter().map(|item| edge_from(item.key.partition.clone(), item)).collect();
        let next = story.next.map(|after| EdgeCursor { shard: 0, after: Some(after) });
        let of_posts: f64 = posts.iter().map(|item| read_units([item])).sum();
        Ok(Audited { found: Page { items, next }, units: read_units(&story.items) + of_posts })
    }

    /// A user's notifications, oldest first, including unreadable ones.
    pub async fn inbox_page(
        &self,
        user: UserId,
        after: Option<NotificationId>,
        limit: u32,
    ) -> Result<Audited<Page<AuditedEntry, NotificationId>>, StoreError> {
        let query = Query {
            start_after: after.map(|id| id.to_string()),
            limit: Some(limit),
            ..Query::all_of(Table::Social, keys::notifications_partition(user))
        };
        let page = self.store.query(&query).await?;
        let items = page.items.clone();
        let read =
            |item: &Item| Ok(AuditedEntry { id: item.parsed_sort()?, entry: Notifications::entry_of(user, item).ok() });
        Ok(Audited::of(super::page_from(page, read)?, &items))
    }

    /// These entries in their correct state: hidden where the act or the post is undone, deleted or gone.
    pub async fn as_they_should_be(&self, entries: &[InboxEntry]) -> Result<Audited<Vec<InboxEntry>>, StoreError> {
        let mut wanted: Vec<Key> = entries.iter().flat_map(keys_of).flatten().collect();
        wanted.sort_unstable();
        wanted.dedup();
        let items = self.store.get_all(Table::Social, &wanted, Consistency::Strong).await?;
        let live: HashMap<&Key, bool> = items.iter().map(|item| (&item.key, is_live(item))).collect();
        let units = items.iter().map(|item| read_units([item])).sum();
        Ok(Audited { found: entries.iter().map(|entry| as_it_should_be(entry, &live)).collect(), units })
    }

    async fn get(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        self.store.get(Table::Social, key, Consistency::Strong).await
    }
}

/// The contribution of one item of a scan of Social to counts and inboxes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScannedRow {
    /// A user whose account is not deleted.
    User(UserId),
    /// A post.
    Post {
        /// Its id.
        post: PostId,
        /// The author it counts for, unless it is deleted.
        counts_for: Option<Result<UserId, MalformedItem>>,
    },
    /// An item that counts as one.
    Edge(Counted, Counter),
    /// Stored counts.
    Counts(Vec<(Counted, Counter, i64)>),
    /// A user with notifications.
    Inbox(UserId),
}

impl ScannedRow {
    /// Reads an item; `None` for one that affects no count.
    ///
    /// # Errors
    /// When the item does not have the form that its key implies.
    pub fn read(item: &Item) -> Result<Option<Self>, MalformedItem> {
        let Some((kind, owner)) = item.key.partition.split_once('#') else { return Ok(None) };
        Ok(Some(match (kind, item.key.sort.as_str()) {
            ("USER", "PROFILE") if is_live(item) => Self::User(id(owner)?),
            ("FOLLOWERS", _) => Self::Edge(Counted::User(id(owner)?), Counter::Followers),
            ("FOLLOWING", _) => Self::Edge(Counted::User(id(owner)?), Counter::Following),
            ("POST", "POST") => {
                Self::Post { post: id(owner)?, counts_for: is_live(item).then(|| item.parsed(attr::AUTHOR_ID)) }
            }
            ("POST", sort) if sort.starts_with(keys::COMMENT_PREFIX) && is_live(item) => {
                Self::Edge(Counted::Post(id(owner)?), Counter::Comments)
            }
            ("LIKERS", _) => Self::Edge(Counted::Post(id(owner.split('#').next().unwrap_or(owner))?), Counter::Likes),
            ("COUNTS", _) => Self::Counts(counts_from(owner, item)?),
            ("NOTIFICATIONS" | "UNREAD", _) => Self::Inbox(id(owner)?),
            _ => return Ok(None),
        }))
    }
}

/// The attribute names tell whether the counts are a user's or a post's.
fn counts_from(owner: &str, item: &Item) -> Result<Vec<(Counted, Counter, i64)>, MalformedItem> {
    let mut counts = Vec::new();
    for of in [Counted::User(id(owner)?), Counted::Post(id(owner)?)] {
        for counter in of.counters() {
            counts.extend(item.number_if_any(counter.name())?.map(|number| (of, *counter, number)));
        }
    }
    Ok(counts)
}

fn id<Id: std::str::FromStr>(text: &str) -> Result<Id, MalformedItem> {
    text.parse().map_err(|_| MalformedItem { attribute: "PK" })
}

fn edge_from(name: String, item: &Item) -> CountedEdge {
    let since = [attr::FOLLOWED_AT, attr::LIKED_AT].iter().find_map(|name| match item.attributes.get(*name) {
        Some(Value::N(number)) => Some(*number),
        _ => None,
    });
    CountedEdge { name, since, counts: is_live(item) }
}

/// The keys of the act, and of the post if there is one.
fn keys_of(entry: &InboxEntry) -> [Option<Key>; 2] {
    let act = entry.notification.act;
    let of_act = match act.kind {
        ActKind::Follow(followee) => keys::follower_edge(followee, act.actor_id),
        ActKind::Like(post) => keys::liker(post, act.actor_id),
        ActKind::Comment(post, comment) => keys::comment(post, comment),
    };
    [Some(of_act), act.kind.post_id().map(keys::post)]
}

fn as_it_should_be(entry: &InboxEntry, live: &HashMap<&Key, bool>) -> InboxEntry {
    let is_live = |key: &Key| live.get(key).copied().unwrap_or(false);
    let [act, post] = keys_of(entry).map(|key| key.is_none_or(|key| is_live(&key)));
    InboxEntry { undone: !act, post_gone: !post, ..*entry }
}

fn is_live(item: &Item) -> bool {
    !item.attributes.contains_key(DELETED_AT)
}

/// The strongly consistent read units of items that are read together, estimated from their size; at least one.
pub fn read_units<'a>(items: impl IntoIterator<Item = &'a Item>) -> f64 {
    let bytes: usize = items.into_iter().map(bytes).sum();
    f64::from(u32::try_from(bytes.div_ceil(UNIT_BYTES).max(1)).unwrap_or(u32::MAX))
}

fn bytes(item: &Item) -> usize {
    let value = |value: &Value| match value {
        Value::S(text) => text.len(),
        Value::N(_) => 8,
        Value::Bool(_) => 1,
        Value::B(bytes) => bytes.len(),
    };
    let attributes: usize = item.attributes.iter().map(|(name, it)| name.len() + value(it)).sum();
    item.key.partition.len() + item.key.sort.len() + "PKSK".len() + attributes
}

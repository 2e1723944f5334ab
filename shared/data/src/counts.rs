//! Counts of users and posts, stored apart from profiles and posts. Written by the change stream alone.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use crate::{DELETED_AT, Db, Writes, keys};
use domain::{PostCounts, PostId, UserCounts, UserId};
use ports::store::{
    Changes, Condition, Consistency, Item, Key, MalformedItem, Retrying, StoreError, Table, Test, Write,
};

/// A target of counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Counted {
    /// A user.
    User(UserId),
    /// A post.
    Post(PostId),
}

impl Counted {
    /// The id of the user or post.
    pub const fn as_uuid(&self) -> &Uuid {
        match self {
            Self::User(user) => user.as_uuid(),
            Self::Post(post) => post.as_uuid(),
        }
    }

    /// The counters of this target.
    pub const fn counters(self) -> &'static [Counter] {
        match self {
            Self::User(_) => &[Counter::Followers, Counter::Following, Counter::Posts],
            Self::Post(_) => &[Counter::Likes, Counter::Comments],
        }
    }

    pub(crate) fn counts(self) -> Key {
        match self {
            Self::User(user) => keys::user_counts(user),
            Self::Post(post) => keys::post_counts(post),
        }
    }

    pub(crate) fn itself(self) -> Key {
        match self {
            Self::User(user) => keys::profile(user),
            Self::Post(post) => keys::post(post),
        }
    }

    /// The condition on the target itself for having counts. A deleted post keeps them, as it may be restored; a
    /// deleted account cannot be.
    pub(crate) fn exists(self) -> Condition {
        match self {
            Self::User(_) => Condition::Where(vec![Test::Missing(DELETED_AT)]),
            Self::Post(_) => Condition::Present,
        }
    }
}

/// A count of a user or of a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Counter {
    /// Of a user: followers.
    Followers,
    /// Of a user: followees.
    Following,
    /// Of a user: posts that are not deleted.
    Posts,
    /// Of a post: likes.
    Likes,
    /// Of a post: comments that are not deleted.
    Comments,
}

impl Counter {
    /// Its name in reports and as an attribute.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Followers => "followers",
            Self::Following => "following",
            Self::Posts => "posts",
            Self::Likes => "likes",
            Self::Comments => "comments",
        }
    }
}

/// Counts, in Social. Read eventually, because they lag anyway.
#[derive(Debug, Clone)]
pub struct Counts {
    store: Retrying,
}

impl Counts {
    /// Counts in `store`.
    pub fn new(db: impl Into<Db>) -> Self {
        Self { store: db.into().0 }
    }

    /// A user's counts; all 0 until the first is written.
    pub async fn of_user(&self, user: UserId) -> Result<UserCounts, StoreError> {
        let key = keys::user_counts(user);
        let item = self.store.get(Table::Social, &key, Consistency::Eventual).await?;
        Ok(item.as_ref().map(user_counts_from).transpose()?.unwrap_or_default())
    }

    /// The counts of these posts, omitting posts without any.
    pub async fn of_posts(&self, posts: &[PostId]) -> Result<HashMap<PostId, PostCounts>, StoreError> {
        let of_key: HashMap<Key, PostId> = posts.iter().map(|post| (keys::post_counts(*post), *post)).collect();
        let keys: Vec<Key> = of_key.keys().cloned().collect();
        let items = self.store.get_all(Table::Social, &keys, Consistency::Eventual).await?;
        let found = items.iter().filter_map(|item| Some((*of_key.get(&item.key)?, item)));
        Ok(found.map(|(post, item)| Ok((post, post_counts_from(item)?))).collect::<Result<_, MalformedItem>>()?)
    }

    /// The targets that have any counts. Read consistently.
    pub async fn which_have_any(&self, of: &[Counted]) -> Result<HashSet<Counted>, StoreError> {
        Ok(self.found(of, Counted::counts).await?.into_keys().collect())
    }

    /// The targets that can have counts: users with an account and stored posts. Read consistently.
    pub async fn which_exist(&self, of: &[Counted]) -> Result<HashSet<Counted>, StoreError> {
        let found = self.found(of, Counted::itself).await?;
        let exists = |of: &Counted, item: &Item| match of {
            Counted::User(_) => !item.attributes.contains_key(DELETED_AT),
            Counted::Post(_) => true,
        };
        Ok(found.into_iter().filter(|(of, item)| exists(of, item)).map(|(of, _)| of).collect())
    }

    async fn found(&self, of: &[Counted], key: fn(Counted) -> Key) -> Result<HashMap<Counted, Item>, StoreError> {
        let of_key: HashMap<Key, Counted> = of.iter().map(|of| (key(*of), *of)).collect();
        let keys: Vec<Key> = of_key.keys().cloned().collect();
        let items = self.store.get_all(Table::Social, &keys, Consistency::Strong).await?;
        Ok(items.into_iter().filter_map(|item| Some((*of_key.get(&item.key)?, item))).collect())
    }

    /// The write that erases counts: a post's in the transaction that erases the post, or later.
    pub fn erasure(of: Counted) -> Writes {
        Writes::deleting(Table::Social, [of.counts()])
    }

    /// The write that adds to existing counts; refused when there are none. Not idempotent by itself: for the
    /// transaction that also creates the ledger entries.
    pub fn addition(of: Counted, add: Vec<(Counter, i64)>) -> Writes {
        let add = add.into_iter().map(|(counter, by)| (counter.name(), by)).collect();
        let changes = Changes { add, ..Changes::default() };
        Writes::to(Table::Social, [Write::Update { key: of.counts(), changes, condition: Condition::Present }])
    }

    /// The writes that create the first counts of a target; refused when it has counts or is gone, so that late changes
    /// of an erased target leave no row.
    pub fn creation(of: Counted, add: Vec<(Counter, i64)>) -> Writes {
        let counts = add.into_iter().fold(Item::new(of.counts()), |item, (counter, by)| item.with(counter.name(), by));
        let check = Write::Check { key: of.itself(), condition: of.exists() };
        Writes::to(Table::Social, [Write::create(counts), check])
    }
}

/// A user's stored counts.
fn user_counts_from(item: &Item) -> Result<UserCounts, MalformedItem> {
    Ok(UserCounts {
        followers: count(item, Counter::Followers)?,
        following: count(item, Counter::Following)?,
        posts: count(item, Counter::Posts)?,
    })
}

/// A post's stored counts.
pub(super) fn post_counts_from(item: &Item) -> Result<PostCounts, MalformedItem> {
    Ok(PostCounts { likes: count(item, Counter::Likes)?, comments: count(item, Counter::Comments)? })
}

/// One counter. It is briefly negative when a removal is counted before its creation, and is then shown as 0.
fn count(item: &Item, counter: Counter) -> Result<u64, MalformedItem> {
    Ok(u64::try_from(item.number_if_any(counter.name())?.unwrap_or(0)).unwrap_or(0))
}

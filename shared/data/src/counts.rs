//! Counts of users and posts, apart from what people read and edit. Written by the change stream alone.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use crate::keys;
use domain::{PostCounts, PostId, UserCounts, UserId};
use ports::store::{
    Changes, Condition, Consistency, Item, Key, MalformedItem, Store, StoreError, Table, Test, Write, batch_get_all,
    with_retries,
};

/// Who or what has counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Counted {
    /// A user.
    User(UserId),
    /// A post.
    Post(PostId),
}

impl Counted {
    fn counts(self) -> Key {
        match self {
            Self::User(user) => keys::user_counts(user),
            Self::Post(post) => keys::post_counts(post),
        }
    }

    fn itself(self) -> Key {
        match self {
            Self::User(user) => keys::profile(user),
            Self::Post(post) => keys::post(post),
        }
    }

    /// What must hold of the item itself for it to have counts. A deleted post keeps them, as it may be restored; a
    /// deleted account does not come back.
    fn exists(self) -> Condition {
        match self {
            Self::User(_) => Condition::Where(vec![Test::Missing(DELETED_AT)]),
            Self::Post(_) => Condition::Present,
        }
    }
}

/// Since when an account is deleted.
const DELETED_AT: &str = "deleted_at";

/// The names of the counters.
pub mod attr {
    /// Of a user: followers.
    pub const FOLLOWERS: &str = "followers";
    /// Of a user: whom they follow.
    pub const FOLLOWING: &str = "following";
    /// Of a user: posts that are not deleted.
    pub const POSTS: &str = "posts";
    /// Of a post: likes.
    pub const LIKES: &str = "likes";
    /// Of a post: comments that are not deleted.
    pub const COMMENTS: &str = "comments";
}

/// Counts, in Social. Read eventually: they lag anyway.
#[derive(Debug, Clone)]
pub struct Counts {
    store: Arc<dyn Store>,
}

impl Counts {
    /// Counts in `store`.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// A user's counts; all 0 before anything was counted.
    pub async fn of_user(&self, user: UserId) -> Result<UserCounts, StoreError> {
        let key = keys::user_counts(user);
        let item = with_retries(|| self.store.get(Table::Social, &key, Consistency::Eventual)).await?;
        Ok(item.as_ref().map(user_counts_from).transpose()?.unwrap_or_default())
    }

    /// The counts of these posts; a post without any is left out.
    pub async fn of_posts(&self, posts: &[PostId]) -> Result<HashMap<PostId, PostCounts>, StoreError> {
        let of_key: HashMap<Key, PostId> = posts.iter().map(|post| (keys::post_counts(*post), *post)).collect();
        let keys: Vec<Key> = of_key.keys().cloned().collect();
        let items = batch_get_all(self.store.as_ref(), Table::Social, &keys, Consistency::Eventual).await?;
        let found = items.iter().filter_map(|item| Some((*of_key.get(&item.key)?, item)));
        Ok(found.map(|(post, item)| Ok((post, post_counts_from(item)?))).collect::<Result<_, MalformedItem>>()?)
    }

    /// Which of these have any counts. Read consistently.
    pub async fn which_have_any(&self, of: &[Counted]) -> Result<HashSet<Counted>, StoreError> {
        Ok(self.found(of, Counted::counts).await?.into_keys().collect())
    }

    /// Which of these can have counts: users who are there and posts that are stored. Read consistently.
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
        let items = batch_get_all(self.store.as_ref(), Table::Social, &keys, Consistency::Strong).await?;
        Ok(items.into_iter().filter_map(|item| Some((*of_key.get(&item.key)?, item))).collect())
    }

    /// The write that erases counts: those of a post in the transaction that erases the post, or later.
    pub fn erasure(of: Counted) -> (Table, Write) {
        (Table::Social, Write::delete(of.counts()))
    }

    /// The write that adds to counts that are there; refused when they are not. Not to be repeated by itself: for the
    /// transaction that also makes the ledger's entries.
    pub fn addition(of: Counted, add: Vec<(&'static str, i64)>) -> (Table, Write) {
        let changes = Changes { add, ..Changes::default() };
        (Table::Social, Write::Update { key: of.counts(), changes, condition: Condition::Present })
    }

    /// The writes that make the first counts of something; refused when it has some, or is gone itself: so what is
    /// counted late of what was erased leaves nothing.
    pub fn creation(of: Counted, add: Vec<(&'static str, i64)>) -> [(Table, Write); 2] {
        let counts = add.into_iter().fold(Item::new(of.counts()), |item, (name, by)| item.with(name, by));
        let check = Write::Check { key: of.itself(), condition: of.exists() };
        [(Table::Social, Write::create(counts)), (Table::Social, check)]
    }
}

/// A user's counts as they are stored.
pub fn user_counts_from(item: &Item) -> Result<UserCounts, MalformedItem> {
    Ok(UserCounts {
        followers: count(item, attr::FOLLOWERS)?,
        following: count(item, attr::FOLLOWING)?,
        posts: count(item, attr::POSTS)?,
    })
}

/// A post's counts as they are stored.
pub fn post_counts_from(item: &Item) -> Result<PostCounts, MalformedItem> {
    Ok(PostCounts { likes: count(item, attr::LIKES)?, comments: count(item, attr::COMMENTS)? })
}

/// One counter. Where the end of something was counted before its beginning it is below 0 for a moment, and shown as 0.
fn count(item: &Item, attribute: &'static str) -> Result<u64, MalformedItem> {
    Ok(u64::try_from(item.number_if_any(attribute)?.unwrap_or(0)).unwrap_or(0))
}

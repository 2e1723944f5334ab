//! Counts of users and posts, apart from what people read and edit. Written by the change stream alone.

use std::{collections::HashMap, sync::Arc};

use crate::{
    domain::{PostCounts, PostId, UserCounts, UserId},
    keys,
    store::{Consistency, Item, Key, MalformedItem, Store, StoreError, Table, batch_get_all, with_retries},
};

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

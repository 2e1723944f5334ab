//! Likes, kept both ways.

use std::{collections::HashSet, sync::Arc};

use crate::{
    domain::{PostId, UserId},
    keys,
    store::{Consistency, Key, Store, StoreError, Table, batch_get_all},
};

/// Likes, in Social.
#[derive(Debug, Clone)]
pub struct Likes {
    store: Arc<dyn Store>,
}

impl Likes {
    /// Likes in `store`.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// Which of these posts `user` likes. Read consistently: users see their own likes at once. By key, so that it costs
    /// the same however many they like.
    pub async fn liked_of(&self, user: UserId, posts: &[PostId]) -> Result<HashSet<PostId>, StoreError> {
        let keys: Vec<Key> = posts.iter().map(|post| keys::like(user, *post)).collect();
        let items = batch_get_all(self.store.as_ref(), Table::Social, &keys, Consistency::Strong).await?;
        Ok(items.iter().map(|item| item.parsed_sort()).collect::<Result<_, _>>()?)
    }
}

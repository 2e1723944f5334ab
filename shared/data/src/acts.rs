//! The current state of acts (follows, likes and comments), looked up by the act.

use std::collections::HashSet;

use crate::{DELETED_AT, Db, keys};
use domain::{Act, ActKind};
use ports::store::{Consistency, Item, Key, Retrying, StoreError, Table};

/// Follows, likes and comments, in Social, from the recipient's side.
#[derive(Debug, Clone)]
pub struct Acts {
    store: Retrying,
}

impl Acts {
    /// Acts in `store`.
    pub fn new(db: impl Into<Db>) -> Self {
        Self { store: db.into().0 }
    }

    /// The acts among these distinct ones that are in effect: the follow or like exists, the comment exists and is not
    /// deleted. Read consistently, because decisions are based on it.
    pub async fn standing(&self, acts: &[Act]) -> Result<HashSet<Act>, StoreError> {
        let keys: Vec<Key> = acts.iter().map(key_of).collect();
        let items = self.store.get_all(Table::Social, &keys, Consistency::Strong).await?;
        let found: HashSet<Key> = items.into_iter().filter(is_standing).map(|item| item.key).collect();
        Ok(acts.iter().zip(&keys).filter(|(_, key)| found.contains(*key)).map(|(act, _)| *act).collect())
    }
}

fn key_of(act: &Act) -> Key {
    match act.kind {
        ActKind::Like(post) => keys::liker(post, act.actor_id),
        ActKind::Comment(post, comment) => keys::comment(post, comment),
        ActKind::Follow(followee) => keys::follower_edge(followee, act.actor_id),
    }
}

fn is_standing(item: &Item) -> bool {
    !item.attributes.contains_key(DELETED_AT)
}

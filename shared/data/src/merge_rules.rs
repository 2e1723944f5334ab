//! Merge rules.

use crate::{Db, keys};
use domain::{PostId, UserId};
use ports::store::{Changes, Condition, Outcome, Retrying, StoreError, Table, Test, Write};

/// Rules by which a reader's feed merges an author's posts, in Social.
#[derive(Debug, Clone)]
pub struct MergeRules {
    store: Retrying,
}

impl MergeRules {
    /// Merge rules in `store`.
    pub fn new(db: impl Into<Db>) -> Self {
        Self { store: db.into().0 }
    }

    /// Makes the reader's feed merge the author's posts from `since` on. Refused when it merges them already, or the
    /// reader has left the author.
    pub async fn begin(&self, reader: UserId, author: UserId, since: PostId) -> Result<Outcome, StoreError> {
        let mut changes = Changes { remove: vec!["expires_at"], ..Changes::default() };
        changes.set.insert("merge_since".into(), since.to_string().into());
        let condition = Condition::AbsentOr(vec![Test::Missing("left"), Test::Missing("merge_since")]);
        let write = Write::Update { key: keys::reader_rule(reader, author), changes, condition };
        self.store.write(Table::Social, write).await
    }
}

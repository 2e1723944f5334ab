//! The responses given for an `Idempotency-Key`.

use crate::{Db, Writes, keys};
use domain::{Page, PostId, Timestamp, UserId, limits};
use ports::store::{
    Condition, Consistency, EXPIRES_AT, Item, MalformedItem, Query, Retrying, StoreError, Table, Test, Write,
};

mod attr {
    pub const DIGEST: &str = "digest";
    pub const POST_ID: &str = "post_id";
}

/// The record of a used key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyRecord {
    /// The digest of the request body.
    pub digest: String,
    /// The post that was made.
    pub post_id: PostId,
}

/// A used key of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsedKey {
    /// The key.
    pub key: String,
    /// The post that was made.
    pub post_id: PostId,
    /// When the record expires, to the second.
    pub expires_at: Timestamp,
}

/// Idempotency records, in Social.
#[derive(Debug, Clone)]
pub struct IdempotencyRecords {
    store: Retrying,
}

impl IdempotencyRecords {
    /// Records in `store`.
    pub fn new(db: impl Into<Db>) -> Self {
        Self { store: db.into().0 }
    }

    /// The record of `key` of `user`. Read consistently; includes expired records not yet removed.
    pub async fn get(&self, user: UserId, key: &str) -> Result<Option<IdempotencyRecord>, StoreError> {
        let key = keys::idempotency_record(user, key);
        let item = self.store.get(Table::Social, &key, Consistency::Strong).await?;
        item.map(|item| {
            Ok(IdempotencyRecord { digest: item.text(attr::DIGEST)?.to_owned(), post_id: item.parsed(attr::POST_ID)? })
        })
        .transpose()
    }

    /// The keys that `user` used, by their text, with their posts and expiry. Read consistently.
    pub async fn page_of_user(
        &self,
        user: UserId,
        after: Option<String>,
        limit: u32,
    ) -> Result<Page<UsedKey, String>, StoreError> {
        let query = Query {
            start_after: after,
            limit: Some(limit),
            ..Query::all_of(Table::Social, keys::idempotency_partition(user))
        };
        let page = self.store.query(&query).await?;
        let items = page.items.iter().map(used_key_from).collect::<Result<_, MalformedItem>>()?;
        Ok(Page { items, next: page.next })
    }

    /// The write that erases a record.
    pub fn erasure(user: UserId, key: &str) -> Writes {
        Writes::deleting(Table::Social, [keys::idempotency_record(user, key)])
    }

    /// The write that claims a key for [`limits::IDEMPOTENCY_TTL`]; refused while it is in use. Checks the expiry
    /// itself, because expired items may stay for days.
    pub fn claim(user: UserId, key: &str, record: &IdempotencyRecord, now: Timestamp) -> Writes {
        let item = Item::new(keys::idempotency_record(user, key))
            .with(attr::DIGEST, record.digest.as_str())
            .with(attr::POST_ID, record.post_id.to_string())
            .with(EXPIRES_AT, now.plus(limits::IDEMPOTENCY_TTL).as_secs().cast_signed());
        let expired = Test::AtMost(EXPIRES_AT, now.as_secs().cast_signed());
        Writes::to(Table::Social, [Write::Put { item, condition: Condition::AbsentOr(vec![expired]) }])
    }
}

fn used_key_from(item: &Item) -> Result<UsedKey, MalformedItem> {
    Ok(UsedKey {
        key: item.key.sort.clone(),
        post_id: item.parsed(attr::POST_ID)?,
        expires_at: super::in_seconds(item.number(EXPIRES_AT)?),
    })
}

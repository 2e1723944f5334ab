//! Sessions and their refresh tokens, in Auth.
//!
//! A session is the family of refresh tokens that one login begins. It lives until it is deleted or no token of it can
//! be good any more; a token is good only while its family lives.

use std::{collections::BTreeMap, sync::Arc};

use super::credentials::FIRST_EPOCH;
use crate::{
    domain::{Page, Timestamp, UserId},
    keys, limits,
    store::{
        Changes, Condition, Consistency, EXPIRES_AT, Item, Key, MalformedItem, Outcome, Query, Store, StoreError,
        Table, Test, Write, with_retries,
    },
};

mod attr {
    pub const USER_ID: &str = "user_id";
    pub const FAMILY: &str = "family";
    pub const SPENT_AT: &str = "spent_at";
    pub const EPOCH: &str = "epoch";
}

/// Names a session: whose, and which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionId {
    /// Whose.
    pub user: UserId,
    /// The family of refresh tokens.
    pub family: String,
}

/// A session, seen from its user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSession {
    /// The family of refresh tokens.
    pub family: String,
    /// When its newest token is no longer good, to the second.
    pub expires_at: Timestamp,
}

/// What is stored of a refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredToken {
    /// The session it belongs to.
    pub session: SessionId,
    /// When it was first used; a token is used once.
    pub spent_at: Option<Timestamp>,
}

/// Sessions and refresh tokens. Every read is consistent, and what has expired is not found although it may still be
/// stored.
#[derive(Debug, Clone)]
pub struct Sessions {
    store: Arc<dyn Store>,
}

impl Sessions {
    /// Sessions in `store`.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// A token by the digest of its bits.
    pub async fn token(&self, digest: &str, now: Timestamp) -> Result<Option<StoredToken>, StoreError> {
        let item = self.unexpired(&keys::refresh_token(digest), now).await?;
        Ok(item.as_ref().map(token_from).transpose()?)
    }

    /// In which epoch of its user's credentials the session was begun; `None` when it is over.
    pub async fn epoch(&self, session: &SessionId, now: Timestamp) -> Result<Option<i64>, StoreError> {
        let item = self.unexpired(&keys::session(session.user, &session.family), now).await?;
        let epoch = item.map(|item| item.number_if_any(attr::EPOCH)).transpose()?;
        Ok(epoch.map(|epoch| epoch.unwrap_or(FIRST_EPOCH)))
    }

    /// Begins a session in an epoch of its user's credentials. Ids and digests are random, so doing it twice is doing it
    /// once.
    pub async fn begin(&self, session: &SessionId, epoch: i64, digest: &str, now: Timestamp) -> Result<(), StoreError> {
        let writes = Self::beginning(session, epoch, digest, now);
        // Without conditions nothing is refused.
        let _applied = with_retries(|| self.store.transact(writes.to_vec())).await?;
        Ok(())
    }

    /// The writes that begin a session: the family and its first token.
    pub fn beginning(session: &SessionId, epoch: i64, digest: &str, now: Timestamp) -> [(Table, Write); 2] {
        let family = Item::new(keys::session(session.user, &session.family))
            .with(attr::EPOCH, epoch)
            .with(EXPIRES_AT, expiry(now));
        [(Table::Auth, Write::put(family)), (Table::Auth, Write::put(token_item(session, digest, now)))]
    }

    /// Spends the token `spent` and puts `fresh` in its place. Refused when it is spent already or the session is over.
    pub async fn rotate(
        &self,
        session: &SessionId,
        spent: &str,
        fresh: &str,
        now: Timestamp,
    ) -> Result<Outcome, StoreError> {
        let spend = Write::Update {
            key: keys::refresh_token(spent),
            changes: set(attr::SPENT_AT, now.as_millis().cast_signed()),
            condition: Condition::Where(vec![
                Test::Equals(attr::FAMILY, session.family.as_str().into()),
                Test::Missing(attr::SPENT_AT),
            ]),
        };
        self.extend(session, fresh, now, Some(spend)).await
    }

    /// Puts one more token into the session. Refused when it is over.
    pub async fn add(&self, session: &SessionId, fresh: &str, now: Timestamp) -> Result<Outcome, StoreError> {
        self.extend(session, fresh, now, None).await
    }

    /// Ends the session: none of its tokens is good any more.
    pub async fn end(&self, session: &SessionId) -> Result<(), StoreError> {
        let write = Write::delete(keys::session(session.user, &session.family));
        // An unconditional delete is never refused.
        let _applied = with_retries(|| self.store.write(Table::Auth, write.clone())).await?;
        Ok(())
    }

    /// The sessions of a user, those too that have expired but are still there. Read consistently.
    pub async fn page_of_user(
        &self,
        user: UserId,
        after: Option<String>,
        limit: u32,
    ) -> Result<Page<StoredSession, String>, StoreError> {
        let query = Query {
            start_after: after,
            limit: Some(limit),
            ..Query::all_of(Table::Auth, keys::sessions_partition(user))
        };
        let page = with_retries(|| self.store.query(&query)).await?;
        let read = |item: &Item| {
            let expires_at = super::in_seconds(item.number(EXPIRES_AT)?);
            Ok(StoredSession { family: item.key.sort.clone(), expires_at })
        };
        let items = page.items.iter().map(read).collect::<Result<_, MalformedItem>>()?;
        Ok(Page { items, next: page.next })
    }

    /// The write that erases a session.
    pub fn erasure(session: &SessionId) -> (Table, Write) {
        (Table::Auth, Write::delete(keys::session(session.user, &session.family)))
    }

    /// Puts a token into a session that lives, whose own expiry moves along with its newest token's.
    async fn extend(
        &self,
        session: &SessionId,
        fresh: &str,
        now: Timestamp,
        first: Option<Write>,
    ) -> Result<Outcome, StoreError> {
        let family = Write::Update {
            key: keys::session(session.user, &session.family),
            changes: set(EXPIRES_AT, expiry(now)),
            condition: Condition::Present,
        };
        let put = Write::put(token_item(session, fresh, now));
        let writes: Vec<_> = first.into_iter().chain([put, family]).map(|write| (Table::Auth, write)).collect();
        with_retries(|| self.store.transact(writes.clone())).await
    }

    async fn unexpired(&self, key: &Key, now: Timestamp) -> Result<Option<Item>, StoreError> {
        let item = with_retries(|| self.store.get(Table::Auth, key, Consistency::Strong)).await?;
        let Some(item) = item else { return Ok(None) };
        let expires_at = item.number(EXPIRES_AT)?;
        Ok((now.as_secs().cast_signed() < expires_at).then_some(item))
    }
}

fn set(attribute: &'static str, value: i64) -> Changes {
    Changes { set: BTreeMap::from([(attribute.into(), value.into())]), ..Changes::default() }
}

/// When a token made now is no longer good, in seconds.
fn expiry(now: Timestamp) -> i64 {
    now.plus(limits::REFRESH_TOKEN_TTL).as_secs().cast_signed()
}

fn token_item(session: &SessionId, digest: &str, now: Timestamp) -> Item {
    Item::new(keys::refresh_token(digest))
        .with(attr::USER_ID, session.user.to_string())
        .with(attr::FAMILY, session.family.as_str())
        .with(EXPIRES_AT, expiry(now))
}

fn token_from(item: &Item) -> Result<StoredToken, MalformedItem> {
    let spent_at = item.number_if_any(attr::SPENT_AT)?;
    Ok(StoredToken {
        session: SessionId { user: item.parsed(attr::USER_ID)?, family: item.text(attr::FAMILY)?.to_owned() },
        spent_at: spent_at.map(|millis| Timestamp::from_millis(millis.cast_unsigned())),
    })
}

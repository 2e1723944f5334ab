//! Sessions and their refresh tokens, in Auth.
//!
//! A session is the family of refresh tokens that one login begins. It lives until it is deleted or all its tokens have
//! expired; a token is valid only while its session lives.

use super::credentials::FIRST_EPOCH;
use crate::{Committed, Db, Transaction, Writes, keys};
use domain::{InvalidId, Page, SessionId, Timestamp, UserAgent, UserId, limits};
use ports::store::{
    Attributes, Changes, Condition, Consistency, EXPIRES_AT, Item, Key, MalformedItem, Order, Query, StoreError, Table,
    Test, Write,
};

mod attr {
    pub const USER_ID: &str = "user_id";
    pub const FAMILY: &str = "family";
    pub const SPENT_AT: &str = "spent_at";
    /// Tokens stored in place of a spent one. Missing from tokens spent before these were counted.
    pub const SUCCESSORS: &str = "successors";
    /// The last of them, sealed by the token itself.
    pub const SEALED: &str = "sealed";
    pub const EPOCH: &str = "epoch";
    /// Present only if the session's id does not contain it.
    pub const CREATED_AT: &str = "created_at";
    pub const LAST_USED_AT: &str = "last_used_at";
    pub const USER_AGENT: &str = "user_agent";
}

/// Identifies a session of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionRef {
    /// The user.
    pub user: UserId,
    /// The session, which is the family of refresh tokens.
    pub session: SessionId,
}

/// A session as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSession {
    /// The family of refresh tokens.
    pub session: SessionId,
    /// The epoch of the user's credentials in which it was begun.
    pub epoch: i64,
    /// When it began. For sessions stored without it, the earliest known use, to the second.
    pub created_at: Timestamp,
    /// When it was begun or last refreshed. For sessions not refreshed since this is stored, to the second.
    pub last_used_at: Timestamp,
    /// The client that it was begun with, if known.
    pub user_agent: Option<UserAgent>,
    /// When its newest token expires, to the second.
    pub expires_at: Timestamp,
}

impl StoredSession {
    /// A new session.
    pub const fn beginning(session: SessionId, epoch: i64, user_agent: Option<UserAgent>, now: Timestamp) -> Self {
        Self { session, epoch, created_at: now, last_used_at: now, user_agent, expires_at: now }
    }
}

/// A stored refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredToken {
    /// The session it belongs to.
    pub session: SessionRef,
    /// The outcome of its use; a token is used once.
    pub spent: Option<Spent>,
}

/// The outcome of a token's use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spent {
    /// When it was first used.
    pub at: Timestamp,
    /// Tokens stored in its place; `None` if it was spent before these were counted.
    pub successors: Option<u32>,
    /// The last of [`limits::MAX_SUCCESSORS`], sealed by the token.
    pub sealed: Option<String>,
}

/// A token to store in place of a spent one.
#[derive(Debug, Clone, Copy)]
pub struct Successor<'a> {
    /// The digest of the spent token.
    pub spent: &'a str,
    /// The digest of the new token.
    pub fresh: &'a str,
    /// The new token, sealed by the spent one; stored only for the last successor.
    pub sealed: &'a str,
}

/// Whether a successor was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// It is stored, by this call or by an earlier try whose answer was lost.
    Yes,
    /// It is not stored: the spent token has changed, or the session has ended.
    No,
}

/// Sessions and refresh tokens. Every read is consistent and omits expired items that are still stored.
#[derive(Debug, Clone)]
pub struct Sessions {
    db: Db,
}

impl Sessions {
    /// Sessions in `store`.
    pub fn new(db: impl Into<Db>) -> Self {
        Self { db: db.into() }
    }

    /// A token by the digest of its bits.
    pub async fn token(&self, digest: &str, now: Timestamp) -> Result<Option<StoredToken>, StoreError> {
        let item = self.unexpired(&keys::refresh_token(digest), now).await?;
        Ok(item.as_ref().map(token_from).transpose()?)
    }

    /// A session; `None` when it has ended.
    pub async fn get(&self, of: SessionRef, now: Timestamp) -> Result<Option<StoredSession>, StoreError> {
        let item = self.unexpired(&keys::session(of.user, of.session), now).await?;
        Ok(item.as_ref().map(session_from).transpose()?)
    }

    /// Begins a session with a token of this digest. Idempotent, because ids and digests are random.
    pub async fn begin(
        &self,
        user: UserId,
        session: &StoredSession,
        digest: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let writes = Self::beginning(user, session, digest, now);
        // Unconditional, hence never refused.
        let _applied = self.db.0.transact(writes.0).await?;
        Ok(())
    }

    /// The writes that begin a session: the session and its first token.
    pub fn beginning(user: UserId, session: &StoredSession, digest: &str, now: Timestamp) -> Writes {
        let of = SessionRef { user, session: session.session };
        let mut family = Item::new(keys::session(user, session.session))
            .with(attr::EPOCH, session.epoch)
            .with(attr::LAST_USED_AT, millis(now))
            .with(EXPIRES_AT, expiry(now));
        if let Some(agent) = &session.user_agent {
            family = family.with(attr::USER_AGENT, agent.as_str());
        }
        Writes::to(Table::Auth, [family, token_item(of, digest, now)].map(Write::put))
    }

    /// Spends an unspent token and stores its first successor.
    pub async fn rotate(
        &self,
        user: UserId,
        session: &StoredSession,
        successor: Successor<'_>,
        now: Timestamp,
    ) -> Result<Stored, StoreError> {
        let set = [(attr::SPENT_AT.into(), millis(now).into()), (attr::SUCCESSORS.into(), 1.into())];
        let spend = Write::Update {
            key: keys::refresh_token(successor.spent),
            changes: Changes { set: set.into(), ..Changes::default() },
            condition: Condition::Where(vec![
                Test::Equals(attr::FAMILY, session.session.to_string().into()),
                Test::Missing(attr::SPENT_AT),
            ]),
        };
        self.extend(user, session, spend, successor.fresh, now).await
    }

    /// Stores one more successor of a token whose number of successors is the one in `known`, below
    /// [`limits::MAX_SUCCESSORS`]. The last one is also stored sealed with the token.
    pub async fn add(
        &self,
        user: UserId,
        session: &StoredSession,
        known: Option<u32>,
        successor: Successor<'_>,
        now: Timestamp,
    ) -> Result<Stored, StoreError> {
        let count = known.unwrap_or(1) + 1;
        let mut set = Attributes::from([(attr::SUCCESSORS.into(), i64::from(count).into())]);
        if count == limits::MAX_SUCCESSORS {
            set.insert(attr::SEALED.into(), successor.sealed.into());
        }
        let as_known = match known {
            Some(known) => Test::Equals(attr::SUCCESSORS, i64::from(known).into()),
            None => Test::Missing(attr::SUCCESSORS),
        };
        let count = Write::Update {
            key: keys::refresh_token(successor.spent),
            changes: Changes { set, ..Changes::default() },
            condition: Condition::Where(vec![Test::Equals(attr::FAMILY, session.session.to_string().into()), as_known]),
        };
        self.extend(user, session, count, successor.fresh, now).await
    }

    /// Ends the session and invalidates its tokens; idempotent.
    pub async fn end(&self, of: SessionRef) -> Result<(), StoreError> {
        let write = Write::delete(keys::session(of.user, of.session));
        // An unconditional delete is never refused.
        let _applied = self.db.0.write(Table::Auth, write).await?;
        Ok(())
    }

    /// The sessions of a user, newest first, including expired ones still stored.
    pub async fn page_of_user(
        &self,
        user: UserId,
        after: Option<SessionId>,
        limit: u32,
    ) -> Result<Page<StoredSession, SessionId>, StoreError> {
        self.page(user, after, limit, Order::Descending).await
    }

    /// The oldest `count` sessions of a user, oldest first, including expired ones still stored. One query, unless the
    /// store ends it early.
    pub async fn oldest_of_user(&self, user: UserId, count: usize) -> Result<Vec<StoredSession>, StoreError> {
        let (mut found, mut after) = (Vec::new(), None);
        while found.len() < count {
            let wanted = u32::try_from(count - found.len()).unwrap_or(u32::MAX);
            let page = self.page(user, after, wanted, Order::Ascending).await?;
            found.extend(page.items);
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        Ok(found)
    }

    /// The write that erases a session.
    pub fn erasure(of: SessionRef) -> Writes {
        Writes::deleting(Table::Auth, [keys::session(of.user, of.session)])
    }

    async fn page(
        &self,
        user: UserId,
        after: Option<SessionId>,
        limit: u32,
        order: Order,
    ) -> Result<Page<StoredSession, SessionId>, StoreError> {
        let query = Query {
            start_after: after.map(keys::session_sort),
            limit: Some(limit),
            order,
            ..Query::all_of(Table::Auth, keys::sessions_partition(user))
        };
        let page = self.db.0.query(&query).await?;
        let items = page.items.iter().map(session_from).collect::<Result<_, MalformedItem>>()?;
        let next = page.next.as_deref().map(keys::session_of_sort).transpose().map_err(malformed_sort)?;
        Ok(Page { items, next })
    }

    /// Adds a token to a living session and extends the session's expiry to the token's. The fresh token's digest is
    /// random: if it exists, an earlier try of this call stored it.
    async fn extend(
        &self,
        user: UserId,
        session: &StoredSession,
        first: Write,
        fresh: &str,
        now: Timestamp,
    ) -> Result<Stored, StoreError> {
        let of = SessionRef { user, session: session.session };
        let mut set = Attributes::from([
            (EXPIRES_AT.into(), expiry(now).into()),
            (attr::LAST_USED_AT.into(), millis(now).into()),
        ]);
        if session.session.created_at().is_none() {
            // Until it is stored, it is derived from the expiry, which this write moves.
            set.insert(attr::CREATED_AT.into(), millis(session.created_at).into());
        }
        let family = Write::Update {
            key: keys::session(user, session.session),
            changes: Changes { set, ..Changes::default() },
            condition: Condition::Present,
        };
        let mut transaction = Transaction::from(Writes::to(Table::Auth, [first]));
        let fresh = transaction.add(Writes::to(Table::Auth, [Write::create(token_item(of, fresh, now))]));
        let _family = transaction.add(Writes::to(Table::Auth, [family]));
        Ok(match transaction.commit(&self.db).await? {
            Committed::Applied => Stored::Yes,
            Committed::Refused(refusal) if refusal.includes(fresh) => Stored::Yes,
            Committed::Refused(_) => Stored::No,
        })
    }

    async fn unexpired(&self, key: &Key, now: Timestamp) -> Result<Option<Item>, StoreError> {
        let item = self.db.0.get(Table::Auth, key, Consistency::Strong).await?;
        let Some(item) = item else { return Ok(None) };
        let expires_at = item.number(EXPIRES_AT)?;
        Ok((now.as_secs().cast_signed() < expires_at).then_some(item))
    }
}

/// When a token made now expires, in seconds.
fn expiry(now: Timestamp) -> i64 {
    now.plus(limits::REFRESH_TOKEN_TTL).as_secs().cast_signed()
}

const fn millis(time: Timestamp) -> i64 {
    time.as_millis().cast_signed()
}

const fn malformed_sort(_: InvalidId) -> MalformedItem {
    MalformedItem { attribute: "SK" }
}

fn token_item(of: SessionRef, digest: &str, now: Timestamp) -> Item {
    Item::new(keys::refresh_token(digest))
        .with(attr::USER_ID, of.user.to_string())
        .with(attr::FAMILY, of.session.to_string())
        .with(EXPIRES_AT, expiry(now))
}

fn session_from(item: &Item) -> Result<StoredSession, MalformedItem> {
    let session = keys::session_of_sort(&item.key.sort).map_err(malformed_sort)?;
    let time = |attribute| Ok(item.number_if_any(attribute)?.map(|at| Timestamp::from_millis(at.cast_unsigned())));
    let expires_at = super::in_seconds(item.number(EXPIRES_AT)?);
    // Each use has set the expiry to a token's lifetime later.
    let last_use = expires_at.minus(limits::REFRESH_TOKEN_TTL);
    Ok(StoredSession {
        session,
        epoch: item.number_if_any(attr::EPOCH)?.unwrap_or(FIRST_EPOCH),
        created_at: session.created_at().or(time(attr::CREATED_AT)?).unwrap_or(last_use),
        last_used_at: time(attr::LAST_USED_AT)?.unwrap_or(last_use),
        user_agent: item.text_if_any(attr::USER_AGENT)?.map(|text| UserAgent::from_stored(text.to_owned())),
        expires_at,
    })
}

fn token_from(item: &Item) -> Result<StoredToken, MalformedItem> {
    let session = SessionRef { user: item.parsed(attr::USER_ID)?, session: item.parsed(attr::FAMILY)? };
    let Some(at) = item.number_if_any(attr::SPENT_AT)? else { return Ok(StoredToken { session, spent: None }) };
    let successors = item.number_if_any(attr::SUCCESSORS)?;
    let spent = Spent {
        at: Timestamp::from_millis(at.cast_unsigned()),
        successors: successors.map(|number| u32::try_from(number).unwrap_or(u32::MAX)),
        sealed: item.text_if_any(attr::SEALED)?.map(str::to_owned),
    };
    Ok(StoredToken { session, spent: Some(spent) })
}

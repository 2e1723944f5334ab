//! Refresh tokens: each is used once and yields the next one of its family. One that comes back long after it was
//! used has been stolen, or its successor has: the family ends.
//!
//! Why an answer is right although a transaction that reported an error may have been applied, and is sent again by
//! the DAO:
//! - *beginning* a session writes under random keys without conditions: twice is once.
//! - *rotating*: if the first try was applied, the second is refused because the token is spent, by us, just now. That
//!   is the case of a token spent within the grace period, and it is answered as such: the same fresh token is put once
//!   more, which changes nothing.
//! - *ending* is an unconditional delete.
//!
//! A new password ends every session at once, and so does the end of the account, by one write to the credentials: a
//! session carries the epoch of the credentials that it was begun with, and refreshing compares it with theirs. Nothing
//! need be locked for that. A refresh that is under way while the password changes answers a token of a session that is
//! over. A login that is under way with the old password begins a session of the old epoch, as the epoch was read
//! together with the hash that the password was held against.
//!
//! When every try fails, the caller is told so (503) and comes back with the same token, within the grace period or
//! after it. A token whose rotation was applied but never answered is refused after the grace period: the contract
//! says so, because from here it cannot be told from a stolen one.

use std::{fmt, sync::Arc};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use super::ServiceError;
use crate::{
    dao::{Credentials, SessionId, Sessions, StoredToken, credentials::FIRST_EPOCH},
    domain::{Timestamp, UserId},
    limits,
    store::{Store, StoreError, Table, Write},
};

/// Random bytes of a refresh token.
const TOKEN_BYTES: usize = 32;

/// A refresh token: 256 random bits as base64url without padding. Not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshToken([u8; TOKEN_BYTES]);

impl RefreshToken {
    fn random() -> Self {
        Self(rand::random())
    }

    /// `None` when the text is no refresh token's.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }

    /// The text that its holder keeps.
    pub fn reveal(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// What is stored of it: with 256 random bits a plain hash cannot be searched, so neither salt nor work is needed.
    fn digest(&self) -> String {
        hex::encode(Sha256::digest(self.0))
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshToken(..)")
    }
}

/// Begins, carries on and ends sessions.
#[derive(Debug, Clone)]
pub struct SessionService {
    store: Arc<dyn Store>,
    sessions: Sessions,
    credentials: Credentials,
}

impl SessionService {
    /// Sessions in `store`.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { sessions: Sessions::new(Arc::clone(&store)), credentials: Credentials::new(Arc::clone(&store)), store }
    }

    /// Begins a session of `user`, who has shown credentials of this epoch.
    pub async fn begin(&self, user: UserId, epoch: i64, now: Timestamp) -> Result<RefreshToken, ServiceError> {
        let token = RefreshToken::random();
        self.sessions.begin(&new_session(user), epoch, &token.digest(), now).await?;
        Ok(token)
    }

    /// The first token of a new account's session and the writes that begin it, for a transaction of the caller's.
    pub fn beginning(user: UserId, now: Timestamp) -> (RefreshToken, [(Table, Write); 2]) {
        let token = RefreshToken::random();
        let writes = Sessions::beginning(&new_session(user), FIRST_EPOCH, &token.digest(), now);
        (token, writes)
    }

    /// Takes a token for the next one. [`ServiceError::Unauthenticated`] when it is unknown, expired or of a session
    /// that is over (also because the password is another now), and when it was spent longer than [`limits::REFRESH_GRACE`] ago, which ends the session.
    pub async fn refresh(&self, text: &str, now: Timestamp) -> Result<(UserId, RefreshToken), ServiceError> {
        let (token, stored) = self.find(text, now).await?.ok_or(ServiceError::Unauthenticated)?;
        if !self.is_live(&stored.session, now).await? {
            return Err(ServiceError::Unauthenticated);
        }
        let fresh = RefreshToken::random();
        let user = stored.session.user;
        let rotated = match stored.spent_at {
            Some(spent_at) => self.carry_on(&stored.session, spent_at, &fresh, now).await?,
            None => self.rotate(&stored.session, &token, &fresh, now).await?,
        };
        if rotated { Ok((user, fresh)) } else { Err(ServiceError::Unauthenticated) }
    }

    /// Ends the session that a token belongs to, if it is `caller`'s; else does nothing.
    pub async fn end(&self, caller: UserId, text: &str, now: Timestamp) -> Result<(), ServiceError> {
        if let Some((_, stored)) = self.find(text, now).await?
            && stored.session.user == caller
        {
            self.sessions.end(&stored.session).await?;
        }
        Ok(())
    }

    async fn is_live(&self, session: &SessionId, now: Timestamp) -> Result<bool, StoreError> {
        let (epoch, credentials) =
            futures::try_join!(self.sessions.epoch(session, now), self.credentials.get(session.user))?;
        Ok(epoch.is_some() && epoch == credentials.map(|credentials| credentials.epoch))
    }

    async fn find(&self, text: &str, now: Timestamp) -> Result<Option<(RefreshToken, StoredToken)>, ServiceError> {
        let Some(token) = RefreshToken::parse(text) else { return Ok(None) };
        let stored = self.sessions.token(&token.digest(), now).await?;
        Ok(stored.map(|stored| (token, stored)))
    }

    /// Spends a token not spent yet. Refused, it was spent a moment ago by another call (or by a try of ours that was
    /// applied but not answered), or the session just ended.
    async fn rotate(
        &self,
        session: &SessionId,
        token: &RefreshToken,
        fresh: &RefreshToken,
        now: Timestamp,
    ) -> Result<bool, ServiceError> {
        let outcome = self.sessions.rotate(session, &token.digest(), &fresh.digest(), now).await?;
        if outcome.is_applied() {
            return Ok(true);
        }
        match self.sessions.token(&token.digest(), now).await?.and_then(|stored| stored.spent_at) {
            Some(spent_at) => self.carry_on(session, spent_at, fresh, now).await,
            None => Ok(false),
        }
    }

    /// Goes on from a token that was spent: with one more token of its session within the grace period, or not at all.
    async fn carry_on(
        &self,
        session: &SessionId,
        spent_at: Timestamp,
        fresh: &RefreshToken,
        now: Timestamp,
    ) -> Result<bool, ServiceError> {
        if now.since(spent_at) <= limits::REFRESH_GRACE {
            return Ok(self.sessions.add(session, &fresh.digest(), now).await?.is_applied());
        }
        self.sessions.end(session).await?;
        // The refusal is no success that waits for durability at the door, yet a thief must stay locked out.
        self.store.durable().await?;
        Ok(false)
    }
}

fn new_session(user: UserId) -> SessionId {
    SessionId { user, family: uuid::Uuid::new_v4().to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_and_does_not_show() {
        let token = RefreshToken::random();
        assert_eq!(token.reveal().len(), 43);
        assert_eq!(RefreshToken::parse(&token.reveal()), Some(token.clone()));
        assert_eq!(format!("{token:?}"), "RefreshToken(..)");
        assert_eq!(token.digest().len(), 64);
        assert!(!token.digest().contains(&token.reveal()));
    }

    #[test]
    fn a_text_of_another_form_is_no_token() {
        let text = RefreshToken::random().reveal();
        for bad in ["", "abc", "a.b.c", &text[1..], &format!("{text}A"), &format!("{text}="), &"é".repeat(21)] {
            assert_eq!(RefreshToken::parse(bad), None, "{bad}");
        }
    }
}

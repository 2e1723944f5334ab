//! Refresh tokens: each is used once and yields its successor. A token presented again long after its use has been
//! stolen, or its successor has: the session ends.
//!
//! # Successors
//! Within the grace period a spent token yields further pairs, for lost answers and for tabs that refresh concurrently.
//! At most [`limits::MAX_SUCCESSORS`] successors of a token are stored; further refreshes share the last one. It is
//! kept with the spent token, sealed by it: a holder of the spent token is given the last successor, and the stored
//! rows alone reveal nothing. If the last successor is itself spent, the answer is one of its own successors.
//!
//! A transaction that reported an error may have been applied, and the DAO retries it. The result is correct anyway:
//! - *beginning* a session writes under random keys without conditions, so it is idempotent.
//! - *storing a successor*: if the first try was applied, the second is refused because the fresh token, whose digest
//!   is random, exists. That counts as applied.
//! - *ending* is an unconditional delete.
//!
//! A new password or a deleted account ends every session at once, by one write to the credentials: a session stores
//! the epoch of the credentials that it was begun with, and each refresh compares the two. No lock is needed. A refresh
//! in progress during the password change returns a token of an ended session. A login in progress with the old
//! password begins a session of the old epoch, because the epoch was read together with the hash that the password was
//! verified against.
//!
//! When every try fails, the caller gets a 503 and retries with the same token, within the grace period or after it. A
//! token whose rotation was applied but never answered is refused after the grace period; the contract states this,
//! because the server cannot distinguish it from a stolen token.

use std::{fmt, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use futures::future::try_join_all;
use sha2::{Digest, Sha256};
use tracing::warn;

use super::{
    ServiceError,
    pages::{self, Candidate},
    rates::{Limit, RateLimiter},
};
use data::{
    Credentials, Db, SessionRef, Sessions, Spent, Stored, StoredSession, StoredToken, Successor, Writes,
    credentials::FIRST_EPOCH,
};
use domain::{Page, PageLimit, SessionId, Timestamp, UserAgent, UserId, limits, random};
use ports::store::StoreError;
use telemetry::chain;

/// Random bytes of a refresh token.
const TOKEN_BYTES: usize = 32;

/// The context for deriving the sealing pad, which makes it differ from every other hash of the token.
const SEAL: &[u8] = b"tweeter refresh token successor";
/// Retry delay after [`limits::MAX_REFRESH_STEPS`]: concurrent refreshes are done by then.
const STEPS_RETRY_AFTER: Duration = Duration::from_secs(1);

/// A refresh token: 256 random bits as base64url without padding. Not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshToken([u8; TOKEN_BYTES]);

impl RefreshToken {
    fn random() -> Self {
        Self(random::bytes())
    }

    /// `None` when the text is not a refresh token.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }

    /// The text that the client keeps.
    pub fn reveal(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// The stored digest: 256 random bits cannot be guessed from a plain hash, so it needs neither salt nor work
    /// factor.
    fn digest(&self) -> String {
        hex::encode(Sha256::digest(self.0))
    }

    /// A successor sealed with this token, readable only with this token. Each token may seal at most one successor:
    /// the pad is a one-time pad.
    fn seal(&self, successor: &Self) -> String {
        hex::encode(self.padded(successor.0))
    }

    /// Opens a successor sealed by [`Self::seal`]; `None` for any other text.
    fn unseal(&self, sealed: &str) -> Option<Self> {
        let mut bytes = [0; TOKEN_BYTES];
        hex::decode_to_slice(sealed, &mut bytes).ok()?;
        Some(Self(self.padded(bytes)))
    }

    /// The bytes combined with a one-time pad derived from this token.
    fn padded(&self, mut bytes: [u8; TOKEN_BYTES]) -> [u8; TOKEN_BYTES] {
        let pad = Sha256::new().chain_update(SEAL).chain_update(self.0).finalize();
        bytes.iter_mut().zip(pad).for_each(|(byte, pad)| *byte ^= pad);
        bytes
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshToken(..)")
    }
}

/// A session and its newest refresh token.
#[derive(Debug, Clone)]
pub struct Continued {
    /// The user and the session.
    pub of: SessionRef,
    /// Valid for one use, within [`limits::REFRESH_TOKEN_TTL`].
    pub token: RefreshToken,
}

/// Begins, refreshes, lists and ends sessions.
#[derive(Debug, Clone)]
pub struct SessionService {
    db: Db,
    sessions: Sessions,
    credentials: Credentials,
}

impl SessionService {
    /// Sessions in `store`.
    pub fn new(db: impl Into<Db>) -> Self {
        let db = db.into();
        Self { sessions: Sessions::new(db.clone()), credentials: Credentials::new(db.clone()), db }
    }

    /// Begins a session of `user`, who has shown credentials of this epoch. If the account then has more than
    /// [`limits::MAX_SESSIONS`], ends the oldest.
    pub async fn begin(
        &self,
        user: UserId,
        epoch: i64,
        agent: Option<UserAgent>,
        now: Timestamp,
    ) -> Result<Continued, ServiceError> {
        let token = RefreshToken::random();
        let session = StoredSession::beginning(SessionId::beginning_at(now), epoch, agent, now);
        self.sessions.begin(user, &session, &token.digest(), now).await?;
        let of = SessionRef { user, session: session.session };
        if let Err(error) = self.end_surplus(of, epoch, now).await {
            warn!(user.id = %user, error = %chain(&error), "Could not end the oldest sessions; the next login will retry");
        }
        Ok(Continued { of, token })
    }

    /// The first session of a new account, and its writes for the caller's transaction.
    pub fn beginning(user: UserId, agent: Option<UserAgent>, now: Timestamp) -> (Continued, Writes) {
        let token = RefreshToken::random();
        let session = StoredSession::beginning(SessionId::beginning_at(now), FIRST_EPOCH, agent, now);
        let writes = Sessions::beginning(user, &session, &token.digest(), now);
        (Continued { of: SessionRef { user, session: session.session }, token }, writes)
    }

    /// Exchanges a token for its successor. [`ServiceError::Unauthenticated`] when it is unknown, expired or of an
    /// ended session (also by a new password), and when it was spent more than [`limits::REFRESH_GRACE`] ago, which
    /// ends the session. [`ServiceError::RateLimited`] after too many refreshes of the session; the token stays
    /// unspent.
    pub async fn refresh(&self, text: &str, rates: &RateLimiter, now: Timestamp) -> Result<Continued, ServiceError> {
        let (token, stored) = self.find(text, now).await?.ok_or(ServiceError::Unauthenticated)?;
        let of = stored.session;
        let session = self.live(of, now).await?.ok_or(ServiceError::Unauthenticated)?;
        if stored.spent.as_ref().is_some_and(|spent| now.since(spent.at) > limits::REFRESH_GRACE) {
            return self.revoke(of).await;
        }
        let _used = rates.admit(Limit::Refreshes, of.session, now).await?;
        let next = self.successor(of.user, &session, token, stored.spent, now).await?;
        let token = next.ok_or(ServiceError::Unauthenticated)?;
        Ok(Continued { of, token })
    }

    /// A user's sessions, newest first.
    pub async fn page(
        &self,
        user: UserId,
        after: Option<SessionId>,
        limit: PageLimit,
        now: Timestamp,
    ) -> Result<Page<StoredSession, SessionId>, ServiceError> {
        let credentials = self.credentials.get(user).await?.ok_or(ServiceError::Unauthenticated)?;
        pages::fill(after, limit, |after, count| async move {
            let page = self.sessions.page_of_user(user, after, count).await?;
            Ok(page.map(|session| Candidate {
                position: session.session,
                shown: lives(&session, credentials.epoch, now).then_some(session),
            }))
        })
        .await
    }

    /// Ends the session of a token if it belongs to `caller`; otherwise does nothing.
    pub async fn end(&self, caller: UserId, text: &str, now: Timestamp) -> Result<(), ServiceError> {
        if let Some((_, stored)) = self.find(text, now).await?
            && stored.session.user == caller
        {
            self.sessions.end(stored.session).await?;
        }
        Ok(())
    }

    /// Ends a session of `user`; succeeds even if they have no such session.
    pub async fn end_by_id(&self, user: UserId, session: SessionId) -> Result<(), ServiceError> {
        Ok(self.sessions.end(SessionRef { user, session }).await?)
    }

    /// Ends the surplus sessions of an account after a login: first dead ones that are still stored, then the oldest;
    /// at most [`limits::SESSIONS_ENDED_PER_LOGIN`]. Called after the login's own session is stored, so the last of
    /// several concurrent logins sees all of them.
    async fn end_surplus(&self, begun: SessionRef, epoch: i64, now: Timestamp) -> Result<(), StoreError> {
        let most = limits::MAX_SESSIONS + limits::SESSIONS_ENDED_PER_LOGIN;
        let mut found = self.sessions.oldest_of_user(begun.user, most).await?;
        let surplus = found.len().saturating_sub(limits::MAX_SESSIONS);
        found.retain(|session| session.session != begun.session);
        found.sort_by_key(|session| (lives(session, epoch, now), session.created_at));
        let ends = found.iter().take(surplus).map(|session| SessionRef { session: session.session, ..begun });
        try_join_all(ends.map(|session| self.sessions.end(session))).await?;
        Ok(())
    }

    /// The session of a token, unless it has ended.
    async fn live(&self, of: SessionRef, now: Timestamp) -> Result<Option<StoredSession>, StoreError> {
        let (session, credentials) = futures::try_join!(self.sessions.get(of, now), self.credentials.get(of.user))?;
        let epoch = credentials.map(|credentials| credentials.epoch);
        Ok(session.filter(|session| Some(session.epoch) == epoch))
    }

    async fn find(&self, text: &str, now: Timestamp) -> Result<Option<(RefreshToken, StoredToken)>, ServiceError> {
        let Some(token) = RefreshToken::parse(text) else { return Ok(None) };
        let stored = self.sessions.token(&token.digest(), now).await?;
        Ok(stored.map(|stored| (token, stored)))
    }

    /// An unspent token of the session in place of one that may be spent: a fresh one if it may be stored, else the
    /// last successor, or one of its own. `None` when the session has just ended.
    async fn successor(
        &self,
        user: UserId,
        session: &StoredSession,
        token: RefreshToken,
        spent: Option<Spent>,
        now: Timestamp,
    ) -> Result<Option<RefreshToken>, ServiceError> {
        let fresh = RefreshToken::random();
        let (mut token, mut spent) = (token, spent);
        for _ in 0..limits::MAX_REFRESH_STEPS {
            if let Some(last) = last_successor(&token, spent.as_ref()) {
                match self.sessions.token(&last.digest(), now).await? {
                    Some(stored) if stored.spent.is_some() => (token, spent) = (last, stored.spent),
                    found => return Ok(found.map(|_| last)),
                }
                continue;
            }
            if self.store_successor(user, session, &token, spent.as_ref(), &fresh, now).await? == Stored::Yes {
                return Ok(Some(fresh));
            }
            let stored = self.sessions.token(&token.digest(), now).await?;
            match stored {
                // A concurrent refresh was faster.
                Some(stored) if stored.spent != spent => spent = stored.spent,
                _ => return Ok(None),
            }
        }
        Err(ServiceError::RateLimited { retry_after: STEPS_RETRY_AFTER })
    }

    async fn store_successor(
        &self,
        user: UserId,
        session: &StoredSession,
        token: &RefreshToken,
        spent: Option<&Spent>,
        fresh: &RefreshToken,
        now: Timestamp,
    ) -> Result<Stored, StoreError> {
        let (digest, fresh, sealed) = (token.digest(), fresh.digest(), token.seal(fresh));
        let successor = Successor { spent: &digest, fresh: &fresh, sealed: &sealed };
        match spent {
            None => self.sessions.rotate(user, session, successor, now).await,
            Some(Spent { successors: Some(limits::MAX_SUCCESSORS..), .. }) => Ok(Stored::No),
            Some(spent) => self.sessions.add(user, session, spent.successors, successor, now).await,
        }
    }

    /// Ends the session of a stolen token.
    async fn revoke<T>(&self, of: SessionRef) -> Result<T, ServiceError> {
        self.sessions.end(of).await?;
        // A refusal does not wait for durability at the API's edge as a success does, yet a thief must stay locked out.
        self.db.durable().await?;
        Err(ServiceError::Unauthenticated)
    }
}

/// The successor that further refreshes share, once the maximum number is stored.
fn last_successor(token: &RefreshToken, spent: Option<&Spent>) -> Option<RefreshToken> {
    token.unseal(spent?.sealed.as_deref()?)
}

/// Whether a session is alive, given the epoch of its account's credentials. A session of a later epoch is alive too:
/// it began after the epoch was read.
fn lives(session: &StoredSession, epoch: i64, now: Timestamp) -> bool {
    session.epoch >= epoch && now < session.expires_at
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
    fn a_sealed_successor_opens_with_its_token_alone() {
        let (token, successor) = (RefreshToken::random(), RefreshToken::random());
        let sealed = token.seal(&successor);
        assert_eq!(token.unseal(&sealed), Some(successor.clone()));
        assert_ne!(RefreshToken::random().unseal(&sealed), Some(successor.clone()));
        assert!(![successor.reveal(), hex::encode(successor.0), token.digest()].contains(&sealed));
        assert_eq!(token.unseal("no seal"), None);
    }

    #[test]
    fn a_text_of_another_form_is_no_token() {
        let text = RefreshToken::random().reveal();
        for bad in ["", "abc", "a.b.c", &text[1..], &format!("{text}A"), &format!("{text}="), &"é".repeat(21)] {
            assert_eq!(RefreshToken::parse(bad), None, "{bad}");
        }
    }
}

//! A user's sessions: refresh, list, end.

use super::{AccountService, TokenPair};
use crate::{ServiceError, sessions::Continued};
use data::StoredSession;
use domain::{Page, PageLimit, SessionId, Timestamp, UserId, UserRef};

impl AccountService {
    /// Exchanges a refresh token for a new pair; see [`crate::sessions::SessionService::refresh`].
    pub async fn refresh(&self, refresh_token: &str, now: Timestamp) -> Result<TokenPair, ServiceError> {
        let session = self.sessions.refresh(refresh_token, &self.rates, now).await?;
        Ok(self.pair(session, now))
    }

    /// Ends the session of a refresh token if it belongs to the caller; otherwise does nothing.
    pub async fn logout(&self, caller: UserId, refresh_token: &str, now: Timestamp) -> Result<(), ServiceError> {
        self.sessions.end(caller, refresh_token, now).await
    }

    /// The caller's sessions, newest first. Forbidden for another user, not found for an absent one.
    pub async fn sessions(
        &self,
        caller: UserId,
        user: &UserRef,
        after: Option<SessionId>,
        limit: PageLimit,
        now: Timestamp,
    ) -> Result<Page<StoredSession, SessionId>, ServiceError> {
        self.require_own(caller, user).await?;
        self.sessions.page(caller, after, limit, now).await
    }

    /// Ends one of the caller's sessions; succeeds even if there is no such session. Access tokens stay valid until
    /// they expire. Forbidden for another user, not found for an absent one.
    pub async fn end_session(&self, caller: UserId, user: &UserRef, session: SessionId) -> Result<(), ServiceError> {
        self.require_own(caller, user).await?;
        self.sessions.end_by_id(caller, session).await
    }

    pub(super) fn pair(&self, session: Continued, now: Timestamp) -> TokenPair {
        let Continued { of, token } = session;
        TokenPair { access_token: self.tokens.issue_to(of.user, of.session, now), refresh_token: token }
    }
}

//! Whether the user of a token still has an account.
//!
//! An access token is valid until it expires, but a deleted account must lose access sooner. So each request checks
//! that its user exists, and a process caches the answer for [`limits::LIVENESS_TTL`]. Including the duration of a
//! request, a deleted account's tokens are rejected everywhere within 5 seconds, at one read per user, process and TTL.

use std::fmt;

use moka::sync::Cache;

use data::{Db, Users};
use domain::{Timestamp, UserId, limits};
use ports::store::StoreError;

/// Whether a user was found, and when the read began.
#[derive(Clone, Copy)]
struct Found {
    is_live: bool,
    asked_at: Timestamp,
}

/// Tells whether users have accounts. Clones share a cache.
#[derive(Clone)]
pub struct Liveness {
    users: Users,
    found: Cache<UserId, Found>,
}

impl fmt::Debug for Liveness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Liveness").field("remembered", &self.found.entry_count()).finish_non_exhaustive()
    }
}

impl Liveness {
    /// Checks accounts in `store`.
    pub fn new(db: impl Into<Db>) -> Self {
        // The cache also expires entries by uptime: a clock that is set back must not prolong an answer.
        let found = Cache::builder().max_capacity(limits::LIVENESS_ENTRIES).time_to_live(limits::LIVENESS_TTL).build();
        Self { users: Users::new(db), found }
    }

    /// Whether the user has an account that is not deleted. Read consistently, or cached for at most
    /// [`limits::LIVENESS_TTL`].
    ///
    /// # Errors
    /// When the answer is not cached and cannot be read.
    pub async fn is_live(&self, user: UserId, now: Timestamp) -> Result<bool, StoreError> {
        if let Some(found) = self.found.get(&user)
            && now.since(found.asked_at) < limits::LIVENESS_TTL
        {
            return Ok(found.is_live);
        }
        let is_live = self.users.get_own(user).await?.is_some();
        Ok(self.remember(user, Found { is_live, asked_at: now }))
    }

    /// Caches that a user's account was just deleted, so this process rejects its tokens at once.
    pub(super) fn has_ended(&self, user: UserId, now: Timestamp) {
        self.remember(user, Found { is_live: false, asked_at: now });
    }

    /// Caches a result and returns whether the user is live. A deleted account stays deleted: a read that began before
    /// the deletion does not overwrite it.
    fn remember(&self, user: UserId, found: Found) -> bool {
        let ended = |before: &Found| !before.is_live;
        let entry = self.found.entry(user).and_upsert_with(|before| {
            let before = before.map(moka::Entry::into_value).filter(ended);
            Found { is_live: found.is_live && before.is_none(), ..found }
        });
        entry.into_value().is_live
    }
}

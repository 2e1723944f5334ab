//! Whether the user of a token still has an account.
//!
//! An access token lives out its time; a deleted account does not wait for that. So each request asks whether its user
//! is there, and a process remembers the answer for [`limits::LIVENESS_TTL`]: with the time that a request takes, a
//! deleted account's tokens are dead everywhere within 5 seconds, for one read per user and process in that time.

use std::fmt;

use moka::sync::Cache;

use data::{Db, Users};
use domain::{Timestamp, UserId, limits};
use ports::store::StoreError;

/// What was found of a user, and when it was asked for.
#[derive(Clone, Copy)]
struct Found {
    is_live: bool,
    asked_at: Timestamp,
}

/// Says whether users have accounts. Clones share what they remember.
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
    /// Of accounts in `store`.
    pub fn new(db: impl Into<Db>) -> Self {
        // By the process's own time too, as a clock that is set back must not make an answer last.
        let found = Cache::builder().max_capacity(limits::LIVENESS_ENTRIES).time_to_live(limits::LIVENESS_TTL).build();
        Self { users: Users::new(db), found }
    }

    /// Whether the user has an account that is not deleted. Read consistently, or remembered for
    /// [`limits::LIVENESS_TTL`] at the most.
    ///
    /// # Errors
    /// When it is not known, and cannot be read.
    pub async fn is_live(&self, user: UserId, now: Timestamp) -> Result<bool, StoreError> {
        if let Some(found) = self.found.get(&user)
            && now.since(found.asked_at) < limits::LIVENESS_TTL
        {
            return Ok(found.is_live);
        }
        let is_live = self.users.get_own(user).await?.is_some();
        Ok(self.remember(user, Found { is_live, asked_at: now }))
    }

    /// Remembers that a user's account was just deleted: in this process its tokens are dead at once.
    pub(super) fn has_ended(&self, user: UserId, now: Timestamp) {
        self.remember(user, Found { is_live: false, asked_at: now });
    }

    /// Remembers what was found, and says whether the user is live. An account that has ended never lives again: who
    /// asked before its end and is late changes nothing.
    fn remember(&self, user: UserId, found: Found) -> bool {
        let ended = |before: &Found| !before.is_live;
        let entry = self.found.entry(user).and_upsert_with(|before| {
            let before = before.map(moka::Entry::into_value).filter(ended);
            Found { is_live: found.is_live && before.is_none(), ..found }
        });
        entry.into_value().is_live
    }
}

//! The results of checks: differences, suspects and verdicts.

use std::io;

use data::{Counted, Counter};
use domain::UserId;
use ports::store::StoreError;
use serde::{Deserialize, Serialize};

/// Maximum differences listed or rechecked per run; further ones count as undecided and are left to the next run.
pub(super) const MAX_LISTED: usize = 100_000;

/// The result of a recount.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Recounted {
    /// Users checked.
    pub users: u64,
    /// Posts checked, including deleted posts that can be restored.
    pub posts: u64,
    /// The stored numbers that are wrong.
    pub differences: Vec<Difference>,
    /// Numbers that could not be judged, because they kept changing or there were too many.
    pub undecided: u64,
}

impl Recounted {
    /// Whether every number is known to be right now.
    pub fn is_right(&self) -> bool {
        self.undecided == 0 && self.differences.iter().all(|difference| difference.fixed)
    }

    pub(super) fn push(&mut self, difference: Difference) {
        if self.differences.len() < MAX_LISTED {
            self.differences.push(difference);
        } else {
            self.undecided += u64::from(!difference.fixed);
        }
    }
}

/// A wrong stored number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// `user` or `post`; `item` for an unreadable item.
    pub of: String,
    /// The user's or post's id, or the item's keys.
    pub id: String,
    /// `followers`, `following`, `posts`, `likes`, `comments` or `unread`; `misjudged`: notifications wrongly hidden or
    /// wrongly visible; `unreadable`: items of an unknown kind or form, which only a version that knows them can fix.
    pub count: String,
    /// The stored number.
    pub found: i64,
    /// The correct number.
    pub expected: i64,
    /// Whether it is fixed.
    pub fixed: bool,
}

/// Why a recount stopped early. Fixes made until then persist.
#[derive(Debug, thiserror::Error)]
pub enum RecountError {
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
    /// The temporary files of a large scan failed.
    #[error("cannot use temporary files")]
    Files(#[source] io::Error),
}

/// A number that may be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Suspect {
    /// A count.
    Count(Counted, Counter),
    /// A user's notifications.
    Inbox(UserId),
}

/// A stored number and the correct one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) name: &'static str,
    pub(super) stored: i64,
    pub(super) expected: i64,
}

/// The differences found by a check, and a fingerprint of the items read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) found: Vec<Found>,
    pub(super) fingerprint: u64,
}

impl Seen {
    pub(super) fn of(found: impl IntoIterator<Item = Found>, fingerprint: u64) -> Self {
        Self { found: found.into_iter().filter(|it| it.stored != it.expected).collect(), fingerprint }
    }
}

/// The outcome of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The stored number is right, or its owner does not exist.
    Right,
    /// The stored number is wrong.
    Wrong(Seen),
    /// It changed during the check, or a change may be pending.
    Moving,
}

impl Verdict {
    pub(super) fn of(seen: Seen) -> Self {
        if seen.found.is_empty() { Self::Right } else { Self::Wrong(seen) }
    }
}

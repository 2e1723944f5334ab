//! The state of the reader during one page.

use parking_lot::Mutex;
use tokio::sync::OnceCell;

use crate::coverage::{self, Coverage};
use data::{Activity, Reader};
use domain::{PostId, Timestamp};

/// The state of the reader, read once, and how far down the feed is covered, which rebuilds extend.
#[derive(Debug)]
pub(super) struct Reading {
    now: Timestamp,
    state: OnceCell<Reader>,
    rebuilt: Mutex<Option<Activity>>,
}

impl Reading {
    /// A page that begins at `now`.
    pub fn at(now: Timestamp) -> Self {
        Self { now, state: OnceCell::new(), rebuilt: Mutex::new(None) }
    }

    /// When the page began.
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// The state, which `read` reads the first time.
    pub async fn state<E, F>(&self, read: impl FnOnce(Timestamp) -> F) -> Result<&Reader, E>
    where
        F: Future<Output = Result<Reader, E>>,
    {
        self.state.get_or_try_init(|| read(self.now)).await
    }

    /// Whether the state is read.
    pub fn is_begun(&self) -> bool {
        self.state.initialized()
    }

    /// Whether entries that were read beside the state may be older than its coverage.
    pub fn may_be_newer_than_entries(&self) -> bool {
        coverage::may_be_newer_than(&self.activity(), self.now)
    }

    /// Replaces the activity.
    pub fn learn(&self, activity: Activity) {
        *self.rebuilt.lock() = Some(activity);
    }

    /// The last known activity.
    pub fn activity(&self) -> Activity {
        let read = || self.state.get().map(|state| state.activity);
        (*self.rebuilt.lock()).or_else(read).unwrap_or_default()
    }

    /// How far down the posts below `before` are covered: see [`Coverage::floor`].
    pub fn floor(&self, before: PostId) -> PostId {
        Coverage::of(&self.activity(), self.now).floor(before)
    }
}

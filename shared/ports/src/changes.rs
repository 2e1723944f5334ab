//! The port to the change stream, shaped by DynamoDB Streams: what was written to Social, item by item, at least once,
//! in order for each item and in no promised order between items.
//!
//! In the cloud nobody reads it: Lambda does, and hands batches to stream-handler. In one process a loop reads it by this
//! port and hands the same batches to the same handler.

use std::time::Duration;

use async_trait::async_trait;

use crate::store::{Attributes, Key, StoreError, Table};
use domain::Timestamp;

/// One write to one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Names the change: the same each time it is delivered, and never another's.
    pub id: String,
    /// Which item.
    pub key: Key,
    /// What it said before; `None` when there was none.
    pub before: Option<Attributes>,
    /// What it says now; `None` when it is gone.
    pub after: Option<Attributes>,
}

/// What the partition keys of items begin with whose changes are streamed: those that counts and notifications are
/// derived from, what is to be erased, and work that continues step by step. The stream's filter in template.yaml has the same list.
pub const STREAMED_PREFIXES: [&str; 5] = ["FOLLOWERS#", "POST#", "LIKERS#", "ERASURES#", "TASKS#"];

/// Whether changes of an item are streamed: by its partition key, or by what begins with it.
pub fn is_streamed(table: Table, partition: impl AsRef<[u8]>) -> bool {
    let partition = partition.as_ref();
    table == Table::Social && STREAMED_PREFIXES.iter().any(|prefix| partition.starts_with(prefix.as_bytes()))
}

/// How much of a log is not passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backlog {
    /// The number of changes.
    pub changes: u64,
    /// When the oldest of them was made; `None` when there is none.
    pub oldest: Option<Timestamp>,
}

impl Backlog {
    /// The age of the oldest change; zero when there is none, and while the clock is behind it.
    pub fn age(&self, now: Timestamp) -> Duration {
        self.oldest.map(|oldest| now.since(oldest)).unwrap_or_default()
    }
}

/// The port to the change stream, for one reader.
#[async_trait]
pub trait ChangeLog: Send + Sync + std::fmt::Debug + 'static {
    /// The oldest changes that are not passed yet, at most `max`; waits up to `wait` for the first. Answers the same
    /// again until they are passed, also after a restart.
    async fn read(&self, max: usize, wait: Duration) -> Result<Vec<Change>, StoreError>;

    /// Passes every change up to and with this one, durably before any later write: they are not read again.
    async fn pass(&self, last: &Change) -> Result<(), StoreError>;

    /// Whether every change so far is passed.
    async fn is_empty(&self) -> Result<bool, StoreError>;

    /// How much is not passed yet, at the cost of reading one change.
    async fn backlog(&self) -> Result<Backlog, StoreError>;
}

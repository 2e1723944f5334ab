//! The port to the change stream, shaped by DynamoDB Streams: the writes to Social, delivered at least once, in order
//! for each item and in unspecified order between items.
//!
//! In the cloud the port has no reader: Lambda reads the stream and passes batches to stream-handler. In one process a
//! loop reads through this port and passes the same batches to the same handler.

use std::time::Duration;

use async_trait::async_trait;

use crate::store::{Attributes, Key, StoreError, Table};
use domain::Timestamp;

/// One write to one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The change's unique id, the same in every delivery.
    pub id: String,
    /// The item's key.
    pub key: Key,
    /// The attributes before; `None` if the item was created.
    pub before: Option<Attributes>,
    /// The attributes after; `None` if the item was removed.
    pub after: Option<Attributes>,
}

/// Prefixes of the partition keys whose items' changes are streamed: the sources of counts and notifications, items to
/// erase, and work that continues step by step. The stream's filter in template.yaml has the same list.
pub const STREAMED_PREFIXES: [&str; 5] = ["FOLLOWERS#", "POST#", "LIKERS#", "ERASURES#", "TASKS#"];

/// Whether changes of an item are streamed, judged by its partition key or by a text that begins with it.
pub fn is_streamed(table: Table, partition: impl AsRef<[u8]>) -> bool {
    let partition = partition.as_ref();
    table == Table::Social && STREAMED_PREFIXES.iter().any(|prefix| partition.starts_with(prefix.as_bytes()))
}

/// The part of the change log that has not been passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backlog {
    /// The number of waiting changes.
    pub changes: u64,
    /// The time of the oldest waiting change; `None` if none waits.
    pub oldest: Option<Timestamp>,
}

impl Backlog {
    /// The age of the oldest waiting change; zero if none waits or the clock lags that change.
    pub fn age(&self, now: Timestamp) -> Duration {
        self.oldest.map(|oldest| now.since(oldest)).unwrap_or_default()
    }
}

/// The port to the change stream, for a single reader.
#[async_trait]
pub trait ChangeLog: Send + Sync + std::fmt::Debug + 'static {
    /// Reads the oldest changes not yet passed, at most `max`; waits up to `wait` for the first. Returns the same
    /// changes until they are passed, also after a restart.
    async fn read(&self, max: usize, wait: Duration) -> Result<Vec<Change>, StoreError>;

    /// Passes every change up to and including this one, durably before any later write: they are not read again.
    async fn pass(&self, last: &Change) -> Result<(), StoreError>;

    /// Whether all changes so far are passed.
    async fn is_empty(&self) -> Result<bool, StoreError>;

    /// The size and age of the backlog, at the cost of reading one change.
    async fn backlog(&self) -> Result<Backlog, StoreError>;
}

//! The port to storage, shaped by DynamoDB's guarantees: items under a partition and a sort key, get, batch get, range
//! query, batch write with unprocessed items, and conditional writes, alone or in one transaction.
//!
//! Every adapter passes one contract suite. An adapter may do the following, and callers must handle it:
//! - a read without [`Consistency::Strong`] may return stale data;
//! - a batch may be processed in part, and reports the rest;
//! - a query may end early with a position to continue from, even without any item;
//! - a write that reported an error may have been applied.

mod item;
mod retry;
mod scan;

pub use item::{Attributes, Item, Key, MalformedItem, Value};
pub use retry::{Retrying, batch_get_all, batch_write_all};
pub use scan::{ScanPage, Segment, TableScan};

use async_trait::async_trait;

/// A table. `docs/data-model.md` lists its contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Table {
    /// Credentials, sessions, e-mail claims. Read by the account service only.
    Auth,
    /// Users, follow edges, posts, stories, outbox, idempotency records.
    Social,
    /// Feed entries.
    Feed,
}

impl Table {
    /// Every table.
    pub const ALL: [Self; 3] = [Self::Auth, Self::Social, Self::Feed];

    /// The table's name in metrics, logs and configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Social => "social",
            Self::Feed => "feed",
        }
    }
}

/// The attribute with an item's expiry, in whole seconds since the epoch. Expired items are removed some time later; a
/// reader that must not see them checks the attribute.
pub const EXPIRES_AT: &str = "expires_at";

/// Whether a read may return stale data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consistency {
    /// May miss the newest writes; half the price on DynamoDB.
    Eventual,
    /// Sees every write that was acknowledged before the read.
    Strong,
}

/// The condition on the stored item under a write's key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Condition {
    /// Always holds.
    #[default]
    Always,
    /// The item does not exist.
    Absent,
    /// The item exists.
    Present,
    /// The item exists and every test holds.
    Where(Vec<Test>),
    /// The item does not exist, or every test holds.
    AbsentOr(Vec<Test>),
}

/// A test of one attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// The attribute exists and is equal.
    Equals(&'static str, Value),
    /// The attribute does not exist.
    Missing(&'static str),
    /// The attribute is a number of at most this value.
    AtMost(&'static str, i64),
}

/// Changes of an item's attributes; the others are kept. A missing item is created.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// Attributes to set.
    pub set: Attributes,
    /// Attributes to remove.
    pub remove: Vec<&'static str>,
    /// Numbers to add; a missing attribute counts as 0.
    pub add: Vec<(&'static str, i64)>,
}

/// One conditional write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// Stores an item, replacing any under its key.
    Put {
        /// The whole item.
        item: Item,
        /// The condition.
        condition: Condition,
    },
    /// Changes attributes.
    Update {
        /// The item's key.
        key: Key,
        /// The changes.
        changes: Changes,
        /// The condition.
        condition: Condition,
    },
    /// Removes an item; idempotent.
    Delete {
        /// The item's key.
        key: Key,
        /// The condition.
        condition: Condition,
    },
    /// Writes nothing, but makes the transaction conditional. Allowed in a transaction only.
    Check {
        /// The item's key.
        key: Key,
        /// The condition.
        condition: Condition,
    },
}

impl Write {
    /// Stores an item unconditionally.
    pub fn put(item: Item) -> Self {
        Self::Put { item, condition: Condition::Always }
    }

    /// Stores an item if none exists under its key.
    pub fn create(item: Item) -> Self {
        Self::Put { item, condition: Condition::Absent }
    }

    /// Removes an item unconditionally.
    pub fn delete(key: Key) -> Self {
        Self::Delete { key, condition: Condition::Always }
    }

    /// The key that is written or checked.
    pub fn key(&self) -> &Key {
        match self {
            Self::Put { item, .. } => &item.key,
            Self::Update { key, .. } | Self::Delete { key, .. } | Self::Check { key, .. } => key,
        }
    }

    /// The condition.
    pub fn condition(&self) -> &Condition {
        match self {
            Self::Put { condition, .. }
            | Self::Update { condition, .. }
            | Self::Delete { condition, .. }
            | Self::Check { condition, .. } => condition,
        }
    }
}

/// One unconditional write of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BatchWrite {
    /// Stores an item.
    Put(Item),
    /// Removes an item.
    Delete(Key),
}

impl BatchWrite {
    /// The key that is written.
    pub fn key(&self) -> &Key {
        match self {
            Self::Put(item) => &item.key,
            Self::Delete(key) => key,
        }
    }
}

/// The result of a conditional write or of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Outcome {
    /// All writes were applied.
    Applied,
    /// No write was applied: the conditions at these indexes of the transaction failed (index 0 for a single write).
    Refused(Vec<usize>),
}

impl Outcome {
    /// Whether the writes were applied.
    pub fn is_applied(&self) -> bool {
        matches!(self, Self::Applied)
    }
}

/// The range of sort keys that a query reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SortRange {
    /// All sort keys.
    All,
    /// Sort keys with this prefix.
    Prefix(String),
    /// Sort keys from the first to the second, inclusive.
    Between(String, String),
}

/// The order in which a query reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Ascending by sort key.
    Ascending,
    /// Descending by sort key: newest first if the sort key is a post id.
    Descending,
}

/// A query of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// The table.
    pub table: Table,
    /// The partition key.
    pub partition: String,
    /// The range of sort keys.
    pub range: SortRange,
    /// The order.
    pub order: Order,
    /// The sort key after which to start, in reading order; it need not exist. Must lie in the range.
    pub start_after: Option<String>,
    /// Maximum number of items; `None` for as many as the store returns (1 MB on DynamoDB).
    pub limit: Option<u32>,
    /// Whether the answer may be stale.
    pub consistency: Consistency,
    /// The part of each item to return.
    pub projection: Projection,
}

impl Query {
    /// The defaults of a query: all items of a partition in ascending order, whole and strongly consistent.
    pub const fn all_of(table: Table, partition: String) -> Self {
        Self {
            table,
            partition,
            range: SortRange::All,
            order: Order::Ascending,
            start_after: None,
            limit: None,
            consistency: Consistency::Strong,
            projection: Projection::All,
        }
    }
}

/// The part of each item that a query returns. The cost is the same; fewer bytes are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Projection {
    /// The whole item.
    All,
    /// The key only.
    Keys,
}

/// The result of a query.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QueryPage {
    /// The items, in reading order.
    pub items: Vec<Item>,
    /// The position to continue from. May be present although nothing follows; `None` means the end.
    pub next: Option<String>,
}

/// The result of a batch get.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BatchGot {
    /// The items found, in unspecified order.
    pub items: Vec<Item>,
    /// Keys that were not looked up, for another call.
    pub unprocessed: Vec<Key>,
}

/// Why a call to the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Throttled: the same call may succeed later. Nothing was written.
    #[error("the store is throttling")]
    Throttled,
    /// A concurrent transaction on the same item: the same call may succeed at once. Nothing was written.
    #[error("another transaction touched the same item")]
    Conflict,
    /// No answer, or an internal failure: the call may or may not have been applied.
    #[error("the store is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The call is invalid (too many entries, a missing table, no permission): the same call never succeeds.
    #[error("the store rejected the call")]
    Rejected(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A stored item does not have the form that its reader expects.
    #[error(transparent)]
    Malformed(#[from] MalformedItem),
}

impl StoreError {
    /// Whether the same call may succeed later.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Throttled | Self::Conflict | Self::Unavailable(_))
    }
}

/// The port to storage.
#[async_trait]
pub trait Store: Send + Sync + std::fmt::Debug + 'static {
    /// Gets one item.
    async fn get(&self, table: Table, key: &Key, consistency: Consistency) -> Result<Option<Item>, StoreError>;

    /// Gets up to [`domain::limits::MAX_BATCH_GET`] distinct keys of one table.
    async fn batch_get(&self, table: Table, keys: &[Key], consistency: Consistency) -> Result<BatchGot, StoreError>;

    /// Reads a range of one partition.
    async fn query(&self, query: &Query) -> Result<QueryPage, StoreError>;

    /// Makes up to [`domain::limits::MAX_BATCH_WRITE`] unconditional writes with distinct keys of one table. Not
    /// atomic: returns the writes that were not made.
    async fn batch_write(&self, table: Table, writes: &[BatchWrite]) -> Result<Vec<BatchWrite>, StoreError>;

    /// Makes one conditional write. A [`Write::Check`] is rejected.
    async fn write(&self, table: Table, write: Write) -> Result<Outcome, StoreError>;

    /// Makes up to [`domain::limits::MAX_TRANSACT`] writes with distinct keys atomically.
    async fn transact(&self, writes: Vec<(Table, Write)>) -> Result<Outcome, StoreError>;

    /// Waits until everything written before this call survives a power loss. Until then a write survives the end of
    /// the process, and no write outlives an earlier one. Immediate on DynamoDB, where every write is durable
    /// when it is acknowledged.
    async fn durable(&self) -> Result<(), StoreError>;

    /// Verifies that every table answers, with one cheap read each, and that this process can write. If writes pass
    /// through worker threads of the process (as in the embedded store), it makes a small write, which is durable when
    /// this returns. On DynamoDB it makes no write.
    async fn probe(&self) -> Result<(), StoreError>;
}

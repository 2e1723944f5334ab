//! The port to storage, shaped by what DynamoDB really offers: items under a partition and a sort key, get, batch get,
//! range query, batch write with unprocessed items, and conditional writes alone or in one transaction.
//!
//! Every adapter passes one contract suite. What an adapter may do and callers must bear:
//! - a read not asked [`Consistency::Strong`] may answer from the past;
//! - a batch may leave a part undone, and says which;
//! - a query may end early with a position to go on from, also with no item at all;
//! - a write that reported an error may have been applied.

mod item;
mod retry;
mod scan;

pub use item::{Attributes, Item, Key, MalformedItem, Value};
pub use retry::{batch_get_all, batch_write_all, with_retries};
pub use scan::{ScanPage, Segment, TableScan};

use async_trait::async_trait;

/// A table. What is in it: `docs/data-model.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Table {
    /// Credentials, sessions, e-mail claims. Read by the account service alone.
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

    /// Whether items of this table are removed once their [`EXPIRES_AT`] has passed. Feed entries carry theirs and
    /// stay: nothing yet shows what lies behind the oldest one.
    pub const fn expires(self) -> bool {
        match self {
            Self::Auth | Self::Social => true,
            Self::Feed => false,
        }
    }
}

/// The attribute that holds an item's expiry in whole seconds since the epoch. Expired items are removed some time
/// later; who must not see one checks the attribute at read.
pub const EXPIRES_AT: &str = "expires_at";

/// Whether a read may answer from the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consistency {
    /// May miss the newest writes; half the price on DynamoDB.
    Eventual,
    /// Sees every write that was answered before.
    Strong,
}

/// What must hold of the item that is stored under a write's key, for the write to happen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Condition {
    /// Nothing.
    #[default]
    Always,
    /// There is none.
    Absent,
    /// There is one.
    Present,
    /// There is one, and every test holds.
    Where(Vec<Test>),
    /// There is none, or there is one and every test holds.
    AbsentOr(Vec<Test>),
}

/// A test of one attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// The attribute is there and equal.
    Equals(&'static str, Value),
    /// The attribute is not there.
    Missing(&'static str),
    /// The attribute is a number of at most this.
    AtMost(&'static str, i64),
}

/// A change of an item's attributes; the others stay. An item that is not there is made.
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
    /// Stores an item, replacing the one under its key.
    Put {
        /// The whole item.
        item: Item,
        /// What must hold.
        condition: Condition,
    },
    /// Changes attributes.
    Update {
        /// Which item.
        key: Key,
        /// How.
        changes: Changes,
        /// What must hold.
        condition: Condition,
    },
    /// Removes an item; that there is none is no error.
    Delete {
        /// Which item.
        key: Key,
        /// What must hold.
        condition: Condition,
    },
    /// Changes nothing, but lets the transaction happen only when the condition holds. Only in a transaction.
    Check {
        /// Which item.
        key: Key,
        /// What must hold.
        condition: Condition,
    },
}

impl Write {
    /// Stores an item whatever was there.
    pub fn put(item: Item) -> Self {
        Self::Put { item, condition: Condition::Always }
    }

    /// Stores an item where none is.
    pub fn create(item: Item) -> Self {
        Self::Put { item, condition: Condition::Absent }
    }

    /// Removes an item whatever it says.
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

    /// What must hold.
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
    /// Removes one.
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

/// What became of a conditional write or of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Outcome {
    /// All of it happened.
    Applied,
    /// None of it happened: the conditions at these places of the transaction did not hold (place 0 for a single
    /// write).
    Refused(Vec<usize>),
}

impl Outcome {
    /// Whether the writes happened.
    pub fn is_applied(&self) -> bool {
        matches!(self, Self::Applied)
    }
}

/// Which sort keys a query reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SortRange {
    /// Every one.
    All,
    /// Those that begin so.
    Prefix(String),
    /// Those from the first to the second, both included.
    Between(String, String),
}

/// In which direction a query reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// By rising sort key.
    Ascending,
    /// By falling sort key: newest first where the sort key is a post id.
    Descending,
}

/// A query of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// The table.
    pub table: Table,
    /// The partition key.
    pub partition: String,
    /// Which sort keys.
    pub range: SortRange,
    /// In which direction.
    pub order: Order,
    /// The sort key after which to start, in the direction of reading; it need not exist. Must lie in the range.
    pub start_after: Option<String>,
    /// Items at the most; without it as many as the store gives (1 MB on DynamoDB).
    pub limit: Option<u32>,
    /// Whether the answer may be old.
    pub consistency: Consistency,
    /// What of each item is wanted.
    pub projection: Projection,
}

impl Query {
    /// All items of a partition from the first on, whole and as they are now: what a query says unless it says otherwise.
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

/// What of each item a query answers. Costs the same either way; less travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Projection {
    /// All of it.
    All,
    /// The key alone.
    Keys,
}

/// What a query read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QueryPage {
    /// The items, in the direction of reading.
    pub items: Vec<Item>,
    /// Where to go on from. May be present although nothing follows; its absence means the end.
    pub next: Option<String>,
}

/// What a batch get read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BatchGot {
    /// The items found, in no particular order.
    pub items: Vec<Item>,
    /// Keys that were not looked up: ask again.
    pub unprocessed: Vec<Key>,
}

/// Why the store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Too much at once: the same call, later, may pass. Nothing was written.
    #[error("the store is throttling")]
    Throttled,
    /// Another transaction touched the same item: the same call may pass at once. Nothing was written.
    #[error("another transaction touched the same item")]
    Conflict,
    /// The store did not answer or failed inside: the call may or may not have been applied.
    #[error("the store is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The call itself is wrong (too many entries, a missing table, no permission): the same call never passes.
    #[error("the store refused the call")]
    Rejected(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A stored item is not of the form that its reader expects.
    #[error(transparent)]
    Malformed(#[from] MalformedItem),
}

impl StoreError {
    /// Whether the same call may pass later.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Throttled | Self::Conflict | Self::Unavailable(_))
    }
}

/// The port to storage.
#[async_trait]
pub trait Store: Send + Sync + std::fmt::Debug + 'static {
    /// One item, or `None`.
    async fn get(&self, table: Table, key: &Key, consistency: Consistency) -> Result<Option<Item>, StoreError>;

    /// Up to [`domain::limits::MAX_BATCH_GET`] distinct keys of one table.
    async fn batch_get(&self, table: Table, keys: &[Key], consistency: Consistency) -> Result<BatchGot, StoreError>;

    /// A range of one partition.
    async fn query(&self, query: &Query) -> Result<QueryPage, StoreError>;

    /// Up to [`domain::limits::MAX_BATCH_WRITE`] unconditional writes with distinct keys of one table. Not atomic:
    /// returns those that were not done.
    async fn batch_write(&self, table: Table, writes: &[BatchWrite]) -> Result<Vec<BatchWrite>, StoreError>;

    /// One conditional write. A [`Write::Check`] is rejected.
    async fn write(&self, table: Table, write: Write) -> Result<Outcome, StoreError>;

    /// Up to [`domain::limits::MAX_TRANSACT`] writes of distinct keys, all or none.
    async fn transact(&self, writes: Vec<(Table, Write)>) -> Result<Outcome, StoreError>;

    /// Returns when all that was written before this call survives a loss of power. Until then a write survives the
    /// end of the process, and never does a later write outlive an earlier one. At once on DynamoDB, where every
    /// write is durable when it is answered.
    async fn durable(&self) -> Result<(), StoreError>;

    /// Whether every table answers, by one cheap read each, and whether this process can write: where writes go through
    /// a path of the process's own (the embedded store's worker pools and syncer), by one small write that is durable when this
    /// returns. On DynamoDB there is no such path, and no write is made.
    async fn probe(&self) -> Result<(), StoreError>;
}

//! Data access objects: one per kind of data, methods named by access pattern, no SDK type in a signature.
//! `get` is `Result<Option<T>>`; lists return [`domain::Page`]. Each access pattern with its key and cost:
//! `docs/data-model.md`.
//!
//! Reads that need no consistent answer are first made eventually; items missing then are read again consistently, so
//! that a lagging replica never hides an acknowledged write.

mod acts;
mod audit;
mod backfills;
mod changes;
mod clock_marks;
mod comments;
mod counts;
pub mod credentials;
mod db;
mod delivery_modes;
mod erasures;
mod feed_audit;
mod feeds;
mod follows;
mod idempotency;
pub mod keys;
mod ledger;
mod likes;
mod media;
pub mod messages;
mod notifications;
mod outbox;
mod posts;
mod rates;
mod readers;
mod rebuilds;
mod sessions;
mod tasks;
mod transaction;
mod users;

pub use acts::Acts;
pub use audit::{Audit, Audited, AuditedEntry, CountedEdge, EdgeCursor, ScannedRow, StoredCount, read_units};
pub use backfills::{Backfills, PendingBackfill};
pub use changes::{Changed, Subject};
pub use clock_marks::{ClockMark, ClockMarks};
pub use comments::{Comments, StoredComment};
pub use counts::{Counted, Counter, Counts};
pub use credentials::{Credentials, PasswordHash, StoredCredentials};
pub use db::Db;
pub use delivery_modes::{DeliveryMode, DeliveryModes};
pub use erasures::{Erasure, Erasures};
pub use feed_audit::FeedAudit;
pub use feeds::Feeds;
pub use follows::{Backfilled, Created, Edge, Follows, Window};
pub use idempotency::{IdempotencyRecord, IdempotencyRecords, UsedKey};
pub use ledger::Ledger;
pub use likes::{Like, Likes};
pub use media::{ErasedMedia, MediaItems, StoredMedia};
pub use notifications::{Notifications, Notified};
pub use outbox::{Outbox, OutboxEntry, Remaining};
pub use posts::{Delivery, Posts, StoredPost, StoryEntry};
pub use rates::{RateWindow, Rates};
pub use readers::{Activity, Reader, Readers};
pub use rebuilds::{Rebuilds, UnfinishedRebuild};
pub use sessions::{SessionRef, Sessions, Spent, Stored, StoredSession, StoredToken, Successor};
pub use tasks::{StoredTask, Tasks};
pub use transaction::{Committed, Part, Refusal, Transaction, Writes};
pub use users::Users;

use std::{collections::HashMap, hash::Hash};

use domain::{InvalidId, Page, Timestamp};
use ports::store::{Consistency, Item, Key, MalformedItem, QueryPage, Retrying, StoreError, Table};

/// Gets many items and reads each, by identity. Eventually consistent first, then consistently for missing items.
async fn get_all<Id, T>(
    store: &Retrying,
    table: Table,
    ids: &[Id],
    key_of: impl Fn(Id) -> Key,
    read: impl Fn(Id, &Item) -> Result<T, MalformedItem>,
) -> Result<HashMap<Id, T>, StoreError>
where
    Id: Copy + Eq + Hash,
{
    let mut found = HashMap::with_capacity(ids.len());
    for consistency in [Consistency::Eventual, Consistency::Strong] {
        let missing: HashMap<Key, Id> =
            ids.iter().filter(|id| !found.contains_key(*id)).map(|id| (key_of(*id), *id)).collect();
        if missing.is_empty() {
            break;
        }
        let keys: Vec<Key> = missing.keys().cloned().collect();
        for item in store.get_all(table, &keys, consistency).await? {
            if let Some(id) = missing.get(&item.key) {
                found.insert(*id, read(*id, &item)?);
            }
        }
    }
    Ok(found)
}

/// The attribute that marks a post, a comment or an account as deleted: the time of deletion, in milliseconds.
const DELETED_AT: &str = "deleted_at";

/// A timestamp from whole seconds.
const fn in_seconds(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds.cast_unsigned().saturating_mul(1_000))
}

/// Reads a query's items, and its position as an id.
fn page_from<T, C>(page: QueryPage, read: impl Fn(&Item) -> Result<T, MalformedItem>) -> Result<Page<T, C>, StoreError>
where
    C: std::str::FromStr<Err = InvalidId>,
{
    let items = page.items.iter().map(read).collect::<Result<_, _>>()?;
    let next = page.next.map(|sort| sort.parse()).transpose().map_err(|_| MalformedItem { attribute: "SK" })?;
    Ok(Page { items, next })
}

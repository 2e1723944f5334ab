//! The index by which expired items are found: one row for each put of an item that expires.
//!
//! ```text
//! seconds (8 bytes, big-endian) · table (1 byte) · the item's key
//! ```
//!
//! A row is written in the same batch as its item and never taken back: when the item has since another expiry, or is
//! gone, the sweep drops the row alone.

use std::ops::Bound;

use fjall::{Readable, UserKey};

use super::{
    super::{
        codec::{self, Corrupt},
        engine::Shared,
        failure::Failure,
        stripes::Stripe,
    },
    write::Filling,
};
use crate::{
    domain::Timestamp,
    store::{Attributes, EXPIRES_AT, Table, Value},
};

/// Rows looked at with one set of stripes, in one commit.
const ROWS_PER_SWEEP: usize = 256;

/// What one commit of the sweep did.
pub struct Swept {
    /// Items removed.
    pub removed: u64,
    /// Whether no more rows are due.
    pub is_last: bool,
}

/// The row for an item, when it expires.
pub fn row_of(table: Table, key: &[u8], attributes: &Attributes) -> Option<UserKey> {
    let seconds = expiry_of(attributes)?;
    let mut row = Vec::with_capacity(9 + key.len());
    row.extend_from_slice(&seconds.to_be_bytes());
    row.push(tag_of(table));
    row.extend_from_slice(key);
    Some(UserKey::from(row))
}

fn expiry_of(attributes: &Attributes) -> Option<u64> {
    match attributes.get(EXPIRES_AT) {
        Some(Value::N(seconds)) => u64::try_from(*seconds).ok(),
        _ => None,
    }
}

/// Removes items whose expiry is at or before `now`: those of the first rows that are due.
///
/// Nothing while a change has waited for a day: the process was off, or nothing could be applied. The change may have
/// been applied and not been passed before that, and only its ledger entry says so, which is over after two days.
pub fn sweep_some(shared: &Shared, now: Timestamp) -> Result<Swept, Failure> {
    if shared.changes.is_overdue(shared, now)? {
        return Ok(Swept { removed: 0, is_last: true });
    }
    let end = now.as_secs().saturating_add(1).to_be_bytes().to_vec();
    let due = shared.snapshot().range(&shared.expiry, (Bound::Unbounded, Bound::Excluded(end)));
    let rows: Vec<Row> = due.take(ROWS_PER_SWEEP).map(|row| Row::read(row.key()?)).collect::<Result<_, _>>()?;
    let is_last = rows.len() < ROWS_PER_SWEEP;
    if rows.is_empty() {
        return Ok(Swept { removed: 0, is_last });
    }
    let _guards = shared.stripes.lock(rows.iter().map(|row| Stripe::of(row.table, &row.key)).collect());
    let mut filling = Filling::new(shared);
    let mut removed = 0;
    for row in rows {
        let stored = shared.table(row.table).get(&row.key)?;
        let attributes = stored.as_ref().map(|value| codec::decode_attributes(value)).transpose()?;
        if attributes.and_then(|attributes| expiry_of(&attributes)) == Some(row.seconds) {
            filling.remove(row.table, row.key, stored);
            removed += 1;
        }
        filling.remove_expiry_row(row.itself);
    }
    filling.commit()?;
    Ok(Swept { removed, is_last })
}

struct Row {
    itself: UserKey,
    seconds: u64,
    table: Table,
    key: UserKey,
}

impl Row {
    fn read(itself: UserKey) -> Result<Self, Failure> {
        let (seconds, rest) = itself.split_first_chunk::<8>().ok_or(Corrupt)?;
        let (tag, key) = rest.split_first().ok_or(Corrupt)?;
        let table = Table::ALL.into_iter().find(|table| tag_of(*table) == *tag).ok_or(Corrupt)?;
        let (seconds, key) = (u64::from_be_bytes(*seconds), UserKey::from(key));
        Ok(Self { itself, seconds, table, key })
    }
}

/// Written to disk: never to be changed.
const fn tag_of(table: Table) -> u8 {
    match table {
        Table::Auth => 1,
        Table::Social => 2,
        Table::Feed => 3,
    }
}

//! The index by which expired items are found: one row for each put of an item that expires.
//!
//! ```text
//! seconds (8 bytes, big-endian) · table (1 byte) · the item's key
//! ```
//!
//! A row is written in the same batch as its item and never taken back: when the item has since another expiry, or is
//! gone, the sweep drops the row alone.

use fjall::UserKey;

use super::super::{codec::Corrupt, failure::Failure};
use ports::store::{Attributes, EXPIRES_AT, Table, Value};

/// The row for an item, when it expires and its table removes what has expired.
pub fn row_of(table: Table, key: &[u8], attributes: &Attributes) -> Option<UserKey> {
    if !table.expires() {
        return None;
    }
    let seconds = expiry_of(attributes)?;
    let mut row = Vec::with_capacity(9 + key.len());
    row.extend_from_slice(&seconds.to_be_bytes());
    row.push(tag_of(table));
    row.extend_from_slice(key);
    Some(UserKey::from(row))
}

/// When an item expires, in seconds.
pub fn expiry_of(attributes: &Attributes) -> Option<u64> {
    match attributes.get(EXPIRES_AT) {
        Some(Value::N(seconds)) => u64::try_from(*seconds).ok(),
        _ => None,
    }
}

/// A row of the index, read.
pub struct Row {
    pub itself: UserKey,
    pub seconds: u64,
    pub table: Table,
    pub key: UserKey,
}

impl Row {
    pub fn read(itself: UserKey) -> Result<Self, Failure> {
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

//! The index of expiring items: one row for each put of an item that expires.
//!
//! ```text
//! seconds (8 bytes, big-endian) · table (1 byte) · the item's key
//! ```
//!
//! A row is written in the same batch as its item and never removed with it: if the item now has another expiry, or
//! does not exist, the sweep removes only the row.
//!
//! Feed has no rows, which would double its writes: [`super::expired_entries`].

use fjall::UserKey;

use super::super::{codec::Corrupt, failure::Failure};
use ports::store::{Attributes, EXPIRES_AT, Table, Value};

/// The row for an item, if the item expires and its table is indexed.
pub fn row_of(table: Table, key: &[u8], attributes: &Attributes) -> Option<UserKey> {
    if !is_indexed(table) {
        return None;
    }
    let seconds = expiry_of(attributes)?;
    let mut row = Vec::with_capacity(9 + key.len());
    row.extend_from_slice(&seconds.to_be_bytes());
    row.push(tag_of(table));
    row.extend_from_slice(key);
    Some(UserKey::from(row))
}

const fn is_indexed(table: Table) -> bool {
    match table {
        Table::Auth | Table::Social => true,
        Table::Feed => false,
    }
}

/// The expiry of an item in seconds.
pub fn expiry_of(attributes: &Attributes) -> Option<u64> {
    match attributes.get(EXPIRES_AT) {
        Some(Value::N(seconds)) => u64::try_from(*seconds).ok(),
        _ => None,
    }
}

/// A decoded row of the index.
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

/// Part of the format on disk: must never change.
const fn tag_of(table: Table) -> u8 {
    match table {
        Table::Auth => 1,
        Table::Social => 2,
        Table::Feed => 3,
    }
}

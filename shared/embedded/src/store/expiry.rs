//! The index by which expired items are found: one row for each put of an item that expires.
//!
//! ```text
//! seconds (8 bytes, big-endian) · table (1 byte) · the item's key
//! ```
//!
//! A row is written in the same batch as its item and never taken back: when the item has since another expiry, or is
//! gone, the sweep drops the row alone.
//!
//! **A sweep starts at the mark**, before which there is no row: [`ExpiryMark`]. What was removed leaves tombstones until
//! the engine has compacted them away, and from the beginning each chunk would walk over those of all chunks before it.
//! The mark is in memory alone: the first chunk after a start walks over what tombstones there are, once.

use std::ops::Bound;

use fjall::{Readable, UserKey};
use parking_lot::{Mutex, MutexGuard};

use super::{
    super::{
        codec::{self, Corrupt},
        engine::Shared,
        failure::Failure,
        stripes::Stripe,
    },
    write::Filling,
};
use domain::Timestamp;
use ports::store::{Attributes, EXPIRES_AT, Table, Value};

/// Rows looked at with one set of stripes, in one commit.
const ROWS_PER_SWEEP: usize = 256;

/// What one commit of the sweep did.
pub struct Swept {
    /// Items removed.
    pub removed: u64,
    /// Whether no more rows are due.
    pub is_last: bool,
}

/// Where the sweep goes on: no row lies before it.
///
/// A row may be written before it later, by an item that has expired already. So writers lower the mark, after their commit;
/// and the sweep takes it away before it looks, and puts it back behind what it removed unless a writer was lower. A row that
/// the sweep does not see was committed after its look, hence lowers the mark after the sweep took it.
#[derive(Debug)]
pub struct ExpiryMark {
    /// `None` while a sweep has it and no writer was by.
    lowest: Mutex<Option<UserKey>>,
    sweeping: Mutex<()>,
}

impl ExpiryMark {
    /// Before every row.
    pub fn new() -> Self {
        Self { lowest: Mutex::new(Some(UserKey::from([]))), sweeping: Mutex::new(()) }
    }

    /// Has the next sweep find this row.
    pub fn lower(&self, row: UserKey) {
        let mut lowest = self.lowest.lock();
        if lowest.as_ref().is_none_or(|lowest| row < *lowest) {
            *lowest = Some(row);
        }
    }

    /// Takes the mark away for one chunk of a sweep; others wait.
    fn take(&self) -> Sweep<'_> {
        let alone = self.sweeping.lock();
        let from = self.lowest.lock().take().unwrap_or_else(|| UserKey::from([]));
        Sweep { mark: self, from, _alone: alone }
    }
}

/// One chunk of a sweep. Dropped, it puts the mark back.
struct Sweep<'a> {
    mark: &'a ExpiryMark,
    /// Where this chunk starts, and once it is committed the next one.
    from: UserKey,
    _alone: MutexGuard<'a, ()>,
}

impl Drop for Sweep<'_> {
    fn drop(&mut self) {
        self.mark.lower(self.from.clone());
    }
}

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

fn expiry_of(attributes: &Attributes) -> Option<u64> {
    match attributes.get(EXPIRES_AT) {
        Some(Value::N(seconds)) => u64::try_from(*seconds).ok(),
        _ => None,
    }
}

/// Removes items whose expiry is at or before `now`: those of the first rows that are due. Costs the same for each, however
/// many were removed before.
///
/// Nothing while a change has waited for a day: the process was off, or nothing could be applied. The change may have
/// been applied and not been passed before that, and only its ledger entry says so, which is over after two days.
pub fn sweep_some(shared: &Shared, now: Timestamp) -> Result<Swept, Failure> {
    if shared.changes.is_overdue(shared, now)? {
        return Ok(Swept { removed: 0, is_last: true });
    }
    let mut sweep = shared.expiry_mark.take();
    let end = UserKey::from(now.as_secs().saturating_add(1).to_be_bytes());
    if sweep.from >= end {
        return Ok(Swept { removed: 0, is_last: true });
    }
    let due = shared.snapshot().range(&shared.expiry, (Bound::Included(sweep.from.clone()), Bound::Excluded(end)));
    let rows: Vec<Row> = due.take(ROWS_PER_SWEEP).map(|row| Row::read(row.key()?)).collect::<Result<_, _>>()?;
    let is_last = rows.len() < ROWS_PER_SWEEP;
    let Some(last) = rows.last().map(|row| row.itself.clone()) else { return Ok(Swept { removed: 0, is_last }) };
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
    sweep.from = last;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn row(seconds: u64) -> UserKey {
        UserKey::from(seconds.to_be_bytes())
    }

    fn lowest(mark: &ExpiryMark) -> Option<UserKey> {
        mark.lowest.lock().clone()
    }

    #[test]
    fn a_sweep_goes_on_behind_what_it_removed() {
        let mark = ExpiryMark::new();
        let mut sweep = mark.take();
        assert_eq!(sweep.from, UserKey::from([]));
        mark.lower(row(9));
        sweep.from = row(5);
        drop(sweep);
        assert_eq!(mark.take().from, row(5));
    }

    #[test]
    fn a_row_written_during_a_sweep_is_found_next() {
        let mark = ExpiryMark::new();
        let mut sweep = mark.take();
        mark.lower(row(2));
        mark.lower(row(3));
        sweep.from = row(5);
        drop(sweep);
        assert_eq!(lowest(&mark), Some(row(2)));
    }

    #[test]
    fn a_sweep_that_fails_starts_there_again() {
        let mark = ExpiryMark::new();
        mark.take().from = row(5);
        drop(mark.take());
        assert_eq!(lowest(&mark), Some(row(5)));
    }
}

//! Removes expired items.

use std::ops::Bound;

use fjall::{Readable as _, UserKey};

use super::{
    super::{codec, database::Database, failure::Failure, stripes::Stripe},
    expiry::{Row, expiry_of},
    filling::Filling,
};
use domain::Timestamp;

/// Rows per commit, read while holding one set of stripes.
const ROWS_PER_SWEEP: usize = 256;

/// The result of one commit of a sweep.
pub struct Swept {
    /// Items removed.
    pub removed: u64,
    /// Whether no more rows are due.
    pub is_last: bool,
}

/// Removes items whose expiry is at or before `now`: those of the first due rows. The cost per item is constant,
/// however many were removed before.
///
/// Removes no items while a change has waited for a day: the process was off, or changes could not be applied. Such a
/// change may have been applied but not passed before that, and only its ledger entry, which expires after two days,
/// shows it.
pub fn sweep_some(database: &Database, now: Timestamp) -> Result<Swept, Failure> {
    if database.changes.is_overdue(&database.snapshot(), now)? {
        return Ok(Swept { removed: 0, is_last: true });
    }
    let mut sweep = database.expiry_mark.take();
    let end = UserKey::from(now.as_secs().saturating_add(1).to_be_bytes());
    if sweep.from >= end {
        return Ok(Swept { removed: 0, is_last: true });
    }
    let due = database.snapshot().range(&database.expiry, (Bound::Included(sweep.from.clone()), Bound::Excluded(end)));
    let rows: Vec<Row> = due.take(ROWS_PER_SWEEP).map(|row| Row::read(row.key()?)).collect::<Result<_, _>>()?;
    let is_last = rows.len() < ROWS_PER_SWEEP;
    let Some(last) = rows.last().map(|row| row.itself.clone()) else { return Ok(Swept { removed: 0, is_last }) };
    let _guards = database.stripes.lock(rows.iter().map(|row| Stripe::of(row.table, &row.key)).collect());
    let mut filling = Filling::new(database);
    let mut removed = 0;
    for row in rows {
        let stored = database.table(row.table).get(&row.key)?;
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

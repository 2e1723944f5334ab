//! The clock state that a process alone on its store persists, so that a clock that is set, across a restart or not,
//! neither repeats ids nor removes items too early.

use std::time::Duration;

use crate::{Db, keys};
use domain::Timestamp;
use ports::store::{Consistency, Item, MalformedItem, Retrying, StoreError, Table, Write};

mod attr {
    pub const IDS_UP_TO: &str = "ids_up_to";
    pub const SEEN_AT: &str = "seen_at";
    pub const HELD_FOR: &str = "held_for";
}

/// The persisted clock state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockMark {
    /// The latest millisecond of any id made.
    pub ids_up_to: Timestamp,
    /// The time used by the last removals.
    pub seen_at: Timestamp,
    /// The remaining hold, during which that time does not follow a clock that jumped forward; zero when it follows.
    pub held_for: Duration,
}

/// The mark, in Auth: the only table with updatable items and no change stream.
#[derive(Debug, Clone)]
pub struct ClockMarks {
    store: Retrying,
}

impl ClockMarks {
    /// The mark in `store`.
    pub fn new(db: impl Into<Db>) -> Self {
        Self { store: db.into().0 }
    }

    /// The mark; `None` before the first process of a version with marks. Read consistently.
    pub async fn get(&self) -> Result<Option<ClockMark>, StoreError> {
        let key = keys::clock_mark();
        let item = self.store.get(Table::Auth, &key, Consistency::Strong).await?;
        Ok(item.as_ref().map(mark_from).transpose()?)
    }

    /// Replaces the mark. Does not wait for durability: on a store that preserves the order of commits across a power
    /// loss, any later commit that survives implies that the mark survives.
    pub async fn put(&self, mark: &ClockMark) -> Result<(), StoreError> {
        let item = Item::new(keys::clock_mark())
            .with(attr::IDS_UP_TO, mark.ids_up_to.as_millis().cast_signed())
            .with(attr::SEEN_AT, mark.seen_at.as_millis().cast_signed())
            .with(attr::HELD_FOR, i64::try_from(mark.held_for.as_millis()).unwrap_or(i64::MAX));
        let write = Write::put(item);
        let _applied = self.store.write(Table::Auth, write).await?;
        Ok(())
    }
}

fn mark_from(item: &Item) -> Result<ClockMark, MalformedItem> {
    let millis = |name| item.number(name).map(i64::cast_unsigned);
    Ok(ClockMark {
        ids_up_to: Timestamp::from_millis(millis(attr::IDS_UP_TO)?),
        seen_at: Timestamp::from_millis(millis(attr::SEEN_AT)?),
        held_for: Duration::from_millis(millis(attr::HELD_FOR)?),
    })
}

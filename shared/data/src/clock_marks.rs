//! What a process that is alone on its store remembers of the time, so that a clock that is set, with or without a
//! restart in between, neither repeats ids nor has things removed too soon.

use std::time::Duration;

use crate::{Db, keys};
use domain::Timestamp;
use ports::store::{Consistency, Item, MalformedItem, Retrying, StoreError, Table, Write};

mod attr {
    pub const IDS_UP_TO: &str = "ids_up_to";
    pub const SEEN_AT: &str = "seen_at";
    pub const HELD_FOR: &str = "held_for";
}

/// What is remembered of the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockMark {
    /// No id was made with a later millisecond.
    pub ids_up_to: Timestamp,
    /// The time by which things were last removed.
    pub seen_at: Timestamp,
    /// For how much longer that time does not follow a clock that went forward; zero when it follows.
    pub held_for: Duration,
}

/// The mark, in Auth: of the tables whose items may be updated it is the one without a change stream.
#[derive(Debug, Clone)]
pub struct ClockMarks {
    store: Retrying,
}

impl ClockMarks {
    /// The mark in `store`.
    pub fn new(db: impl Into<Db>) -> Self {
        Self { store: db.into().0 }
    }

    /// The mark; `None` before the first process of this version. Read consistently.
    pub async fn get(&self) -> Result<Option<ClockMark>, StoreError> {
        let key = keys::clock_mark();
        let item = self.store.get(Table::Auth, &key, Consistency::Strong).await?;
        Ok(item.as_ref().map(mark_from).transpose()?)
    }

    /// Replaces the mark. Not waited for to be durable: on a store whose commits survive a loss of power in their order,
    /// whatever is committed behind it and survives does so together with it.
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

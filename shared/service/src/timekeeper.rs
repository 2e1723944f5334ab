//! A process's clock state: the ids that it may assign, and the time that governs its removals.

use std::sync::Arc;

use super::safe_time::SafeTime;
use data::{ClockMark, ClockMarks, Db};
use domain::{Clock, IdGenerator, Timestamp, limits};
use ports::store::StoreError;

/// Keeps a process's ids above all ids assigned before, and its removals from running ahead of time.
///
/// A process alone on its store persists both with [`Timekeeper::keep`], every [`limits::CLOCK_MARK_INTERVAL`]. Ids are
/// reserved in advance and never assigned above the reservation, so a new process's ids are above its predecessor's,
/// whenever that died.
#[derive(Debug, Clone)]
pub struct Timekeeper {
    ids: Arc<IdGenerator>,
    safe: SafeTime,
    clock: Clock,
    marks: Option<ClockMarks>,
}

impl Timekeeper {
    /// For one of several processes on a store, whose clocks agree: persists nothing.
    pub fn among_others(clock: Clock) -> Self {
        Self { ids: Arc::new(IdGenerator::new()), safe: SafeTime::new(clock.clone()), clock, marks: None }
    }

    /// For a process alone on `store`: continues from its predecessor's mark, and reserves the first ids.
    ///
    /// # Errors
    /// When the mark cannot be read or written.
    pub async fn alone_on(db: impl Into<Db>, clock: Clock) -> Result<Self, StoreError> {
        let db = db.into();
        let marks = ClockMarks::new(db);
        let (ids, safe) = match marks.get().await? {
            Some(mark) => {
                let safe = SafeTime::resumed(clock.clone(), mark.seen_at, mark.held_for);
                (IdGenerator::above(mark.ids_up_to), safe)
            }
            // A new store, or one of a version without marks: the clock is trusted.
            None => (IdGenerator::above(Timestamp::default()), SafeTime::new(clock.clone())),
        };
        let timekeeper = Self { ids: Arc::new(ids), safe, clock, marks: Some(marks) };
        timekeeper.keep().await?;
        Ok(timekeeper)
    }

    /// The generator of the process's ids.
    pub fn ids(&self) -> &Arc<IdGenerator> {
        &self.ids
    }

    /// The time that governs permanent removals.
    pub fn safe_time(&self) -> &SafeTime {
        &self.safe
    }

    /// Reserves ids for the next [`limits::RESERVED_IDS`] and persists the time. Does nothing beside other processes.
    ///
    /// # Errors
    /// When the mark cannot be written: ids then keep the time of the last reservation until it can.
    pub async fn keep(&self) -> Result<(), StoreError> {
        let Some(marks) = &self.marks else { return Ok(()) };
        let ids_up_to = self.ids.to_reserve(self.clock.now(), limits::RESERVED_IDS);
        let (seen_at, held_for) = self.safe.held();
        marks.put(&ClockMark { ids_up_to, seen_at, held_for }).await?;
        self.ids.allow_up_to(ids_up_to);
        Ok(())
    }

    /// Returns the unused reservation, so that the next process need not start ahead of its clock. Ids made from now on
    /// keep the time of the last one.
    ///
    /// # Errors
    /// When the mark cannot be written: the reservation stays.
    pub async fn end(&self) -> Result<(), StoreError> {
        let Some(marks) = &self.marks else { return Ok(()) };
        let ids_up_to = self.ids.stop_at_last();
        let (seen_at, held_for) = self.safe.held();
        marks.put(&ClockMark { ids_up_to, seen_at, held_for }).await
    }
}

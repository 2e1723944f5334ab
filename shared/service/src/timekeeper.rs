//! What a process keeps of the time: the ids that it may give, and how far removal may go.

use std::sync::Arc;

use super::safe_time::SafeTime;
use data::{ClockMark, ClockMarks, Db};
use domain::{Clock, IdGenerator, Timestamp, limits};
use ports::store::StoreError;

/// Keeps a process's ids above every id that was given before, and its removals from running ahead of time.
///
/// Where the process is alone on its store, both are remembered there, by [`Timekeeper::keep`] every
/// [`limits::CLOCK_MARK_INTERVAL`]. Ids are reserved in advance and none above the reservation is given, so they lie above
/// those of the process before at whatever moment it died.
#[derive(Debug, Clone)]
pub struct Timekeeper {
    ids: Arc<IdGenerator>,
    safe: SafeTime,
    clock: Clock,
    marks: Option<ClockMarks>,
}

impl Timekeeper {
    /// For a process beside others on the same store, whose clocks agree: nothing is remembered.
    pub fn among_others(clock: Clock) -> Self {
        Self { ids: Arc::new(IdGenerator::new()), safe: SafeTime::new(clock.clone()), clock, marks: None }
    }

    /// For a process that is alone on `store`: goes on from what the one before it remembered, and reserves the first ids.
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
            // A new db, or one of a version that remembered nothing: the clock is trusted.
            None => (IdGenerator::above(Timestamp::default()), SafeTime::new(clock.clone())),
        };
        let timekeeper = Self { ids: Arc::new(ids), safe, clock, marks: Some(marks) };
        timekeeper.keep().await?;
        Ok(timekeeper)
    }

    /// Makes the process's ids.
    pub fn ids(&self) -> &Arc<IdGenerator> {
        &self.ids
    }

    /// The time by which things are removed for good.
    pub fn safe_time(&self) -> &SafeTime {
        &self.safe
    }

    /// Reserves ids for [`limits::RESERVED_IDS`] from now on, and remembers the time. Nothing where nothing is remembered.
    ///
    /// # Errors
    /// When the mark cannot be written: then ids keep the time of the last reservation until it can.
    pub async fn keep(&self) -> Result<(), StoreError> {
        let Some(marks) = &self.marks else { return Ok(()) };
        let ids_up_to = self.ids.to_reserve(self.clock.now(), limits::RESERVED_IDS);
        let (seen_at, held_for) = self.safe.held();
        marks.put(&ClockMark { ids_up_to, seen_at, held_for }).await?;
        self.ids.allow_up_to(ids_up_to);
        Ok(())
    }

    /// Gives back what was reserved and is not used, so that the next process need not start ahead of its clock. Ids made
    /// from now on keep the time of the last one.
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

//! Where a sweep of expired items starts.
//!
//! **A sweep starts at the mark**, before which there are no rows: [`ExpiryMark`]. Removed rows leave tombstones until
//! the engine compacts them, and a chunk that started at the beginning would walk over those of all chunks before it.
//! The mark exists only in memory: the first chunk after a start walks over the remaining tombstones once.

use fjall::UserKey;
use parking_lot::{Mutex, MutexGuard};

/// The position at which the next sweep starts: no row lies before it.
///
/// A row may later be written before it, for an item that has already expired. Writers therefore lower the mark after
/// their commit. The sweep takes the mark before it reads, and afterwards moves it past the removed rows unless a
/// writer lowered it. A row that the sweep does not see was committed after its read, and so lowers the mark after the
/// sweep took it.
#[derive(Debug)]
pub struct ExpiryMark {
    /// `None` while a sweep holds it and no writer has lowered it.
    lowest: Mutex<Option<UserKey>>,
    sweeping: Mutex<()>,
}

impl ExpiryMark {
    /// The position before every row.
    pub fn new() -> Self {
        Self { lowest: Mutex::new(Some(UserKey::from([]))), sweeping: Mutex::new(()) }
    }

    /// Lowers the mark, so that the next sweep finds this row.
    pub fn lower(&self, row: UserKey) {
        let mut lowest = self.lowest.lock();
        if lowest.as_ref().is_none_or(|lowest| row < *lowest) {
            *lowest = Some(row);
        }
    }

    /// Takes the mark for one chunk of a sweep; other sweeps wait.
    pub fn take(&self) -> Sweep<'_> {
        let alone = self.sweeping.lock();
        let from = self.lowest.lock().take().unwrap_or_else(|| UserKey::from([]));
        Sweep { mark: self, from, _alone: alone }
    }
}

/// One chunk of a sweep. Restores the mark when dropped.
pub struct Sweep<'a> {
    mark: &'a ExpiryMark,
    /// Where this chunk starts; once it is committed, where the next one does.
    pub from: UserKey,
    _alone: MutexGuard<'a, ()>,
}

impl Drop for Sweep<'_> {
    fn drop(&mut self) {
        self.mark.lower(self.from.clone());
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
    fn a_sweep_continues_after_the_removed_rows() {
        let mark = ExpiryMark::new();
        let mut sweep = mark.take();
        assert_eq!(sweep.from, UserKey::from([]));
        mark.lower(row(9));
        sweep.from = row(5);
        drop(sweep);
        assert_eq!(mark.take().from, row(5));
    }

    #[test]
    fn the_next_sweep_finds_rows_written_meanwhile() {
        let mark = ExpiryMark::new();
        let mut sweep = mark.take();
        mark.lower(row(2));
        mark.lower(row(3));
        sweep.from = row(5);
        drop(sweep);
        assert_eq!(lowest(&mark), Some(row(2)));
    }

    #[test]
    fn a_failed_sweep_restarts_at_its_mark() {
        let mark = ExpiryMark::new();
        mark.take().from = row(5);
        drop(mark.take());
        assert_eq!(lowest(&mark), Some(row(5)));
    }
}

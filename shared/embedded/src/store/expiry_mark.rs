//! Where a sweep of expired items starts.
//!
//! **A sweep starts at the mark**, before which there is no row: [`ExpiryMark`]. What was removed leaves tombstones until
//! the engine has compacted them away, and from the beginning each chunk would walk over those of all chunks before it.
//! The mark is in memory alone: the first chunk after a start walks over what tombstones there are, once.

use fjall::UserKey;
use parking_lot::{Mutex, MutexGuard};

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
    pub fn take(&self) -> Sweep<'_> {
        let alone = self.sweeping.lock();
        let from = self.lowest.lock().take().unwrap_or_else(|| UserKey::from([]));
        Sweep { mark: self, from, _alone: alone }
    }
}

/// One chunk of a sweep. Dropped, it puts the mark back.
pub struct Sweep<'a> {
    mark: &'a ExpiryMark,
    /// Where this chunk starts, and once it is committed the next one.
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

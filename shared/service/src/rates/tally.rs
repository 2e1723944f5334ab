//! The uses that one process counts of one subject, in one window.

/// A count. It never exceeds the limit.
#[derive(Debug, Default)]
pub(super) struct Tally {
    window: u64,
    used: u32,
}

impl Tally {
    /// Counts one use in `window`; false when the limit is reached. A later window begins from nothing; an earlier one
    /// does not return, even where a clock is set back: the store alone counts its uses.
    pub(super) fn take(&mut self, window: u64, limit: u32) -> bool {
        if window > self.window {
            *self = Self { window, used: 0 };
        }
        let is_left = self.used < limit;
        if is_left && window == self.window {
            self.used += 1;
        }
        is_left
    }

    /// Notes that the store has refused a use: the other processes have the rest.
    pub(super) fn used_up(&mut self, window: u64, limit: u32) {
        if window == self.window {
            self.used = limit;
        }
    }

    /// Takes a counted use back.
    pub(super) fn give_back(&mut self, window: u64) {
        if window == self.window {
            self.used = self.used.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_counts_up_to_the_limit() {
        let mut tally = Tally::default();
        assert_eq!((0..5).filter(|_| tally.take(7, 3)).count(), 3);
        tally.give_back(7);
        assert!(tally.take(7, 3) && !tally.take(7, 3));
    }

    #[test]
    fn a_refused_window_stays_used_up() {
        let mut tally = Tally::default();
        assert!(tally.take(7, 5));
        tally.used_up(7, 5);
        assert!(!tally.take(7, 5));
        assert!(!tally.take(6, 5), "a clock that is set back opens no window");
        assert!(tally.take(8, 5));
    }

    #[test]
    fn an_earlier_window_counts_nothing() {
        let mut tally = Tally::default();
        assert!(tally.take(8, 2) && tally.take(7, 2));
        tally.used_up(7, 2);
        assert!(tally.take(8, 2), "only the first use was of this window");
        tally.give_back(7);
        assert!(!tally.take(8, 2));
    }
}

//! The uses of one subject that one process counts in one window.

/// A count of uses, at most the limit.
#[derive(Debug, Default)]
pub(super) struct Tally {
    window: u64,
    used: u32,
}

impl Tally {
    /// Counts one use in `window`; false when the limit is reached. A later window starts from zero. An earlier window
    /// does not return, even when a clock is set back: only the store counts its uses.
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

    /// Records that the store has refused a use: other processes have taken the rest.
    pub(super) fn used_up(&mut self, window: u64, limit: u32) {
        if window == self.window {
            self.used = limit;
        }
    }

    /// Uncounts a use.
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

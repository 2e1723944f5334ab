//! The uses of one subject that one process counts in one window.

use domain::{Timestamp, limits};

/// A count of uses, at most the limit, and the store's last refusal.
#[derive(Debug, Default)]
pub(super) struct Tally {
    window: u64,
    used: u32,
    /// When the store may be asked again; `None` if it did not refuse the last use.
    refused_until: Option<Timestamp>,
}

impl Tally {
    /// Counts one use in `window`; false when the limit is reached, or the store refused a use a moment ago. A later
    /// window starts from zero. An earlier window does not return, even when a clock is set back: only the store counts
    /// its uses.
    pub(super) fn take(&mut self, window: u64, limit: u32, now: Timestamp) -> bool {
        if window > self.window {
            *self = Self { window, ..Self::default() };
        }
        if self.used >= limit || self.remembers_refusal(now) {
            return false;
        }
        if window == self.window {
            self.used += 1;
            // After a refusal one use asks the store, and the others are refused until it is answered.
            self.refused_until = self.refused_until.map(|_| now.plus(limits::RATE_REFUSAL_MEMORY));
        }
        true
    }

    fn remembers_refusal(&self, now: Timestamp) -> bool {
        let left = self.refused_until.map(|until| until.since(now)).unwrap_or_default();
        // Longer than the memory only if the clock was set back since.
        !left.is_zero() && left <= limits::RATE_REFUSAL_MEMORY
    }

    /// Records that the store refused a use: other processes have taken the rest.
    pub(super) fn refuse(&mut self, window: u64, now: Timestamp) {
        self.give_back(window);
        if window == self.window {
            self.refused_until = Some(now.plus(limits::RATE_REFUSAL_MEMORY));
        }
    }

    /// Records that a use was granted, by the store or for lack of its answer.
    pub(super) fn grant(&mut self, window: u64) {
        if window == self.window {
            self.refused_until = None;
        }
    }

    /// Uncounts a use.
    pub(super) fn give_back(&mut self, window: u64) {
        if window == self.window {
            self.used = self.used.saturating_sub(1);
            self.refused_until = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_763_700_000_000);

    #[test]
    fn a_window_counts_up_to_the_limit() {
        let mut tally = Tally::default();
        assert_eq!((0..5).filter(|_| tally.take(7, 3, NOW)).count(), 3);
        tally.give_back(7);
        assert!(tally.take(7, 3, NOW) && !tally.take(7, 3, NOW));
    }

    #[test]
    fn a_refusal_is_remembered_for_a_second() {
        let mut tally = Tally::default();
        assert!(tally.take(7, 5, NOW));
        tally.refuse(7, NOW);
        let end = NOW.plus(limits::RATE_REFUSAL_MEMORY);
        assert!(!tally.take(7, 5, end.minus(Duration::from_millis(1))));
        assert!(tally.take(7, 5, end), "one use asks the store again");
        assert!(!tally.take(7, 5, end), "the others wait for its answer");
        tally.grant(7);
        assert_eq!((0..9).filter(|_| tally.take(7, 5, end)).count(), 4);
    }

    #[test]
    fn a_refusal_ends_with_its_window_or_clock() {
        let mut tally = Tally::default();
        assert!(tally.take(7, 5, NOW));
        tally.refuse(7, NOW);
        assert!(!tally.take(6, 5, NOW), "an earlier window does not return");
        assert!(tally.take(7, 5, NOW.minus(Duration::from_hours(1))), "the clock was set back");
        tally.refuse(7, NOW);
        assert!(tally.take(8, 5, NOW));
    }

    #[test]
    fn an_earlier_window_counts_nothing() {
        let mut tally = Tally::default();
        assert!(tally.take(8, 2, NOW) && tally.take(7, 2, NOW));
        tally.refuse(7, NOW);
        assert!(tally.take(8, 2, NOW), "only the first use was of this window");
        tally.give_back(7);
        assert!(!tally.take(8, 2, NOW));
    }
}

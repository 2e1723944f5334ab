//! What one process knows of one subject's uses in one window: the local estimate. No store, no time.

use data::StoredRate;

/// A local estimate.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Tally {
    window: u64,
    /// Uses that the store is known to have, those of other processes included.
    told: u32,
    /// Uses let through here that the store has not been told of.
    untold: u32,
    /// How many of those there may be before the store is asked again.
    free: u32,
    /// Uses that the store is being told of, the one that waits for its answer included. One ask at a time.
    asking: u32,
}

/// What is to be done about one more use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It is let through, and the store need not know yet.
    Admit,
    /// It is refused.
    Refuse,
    /// The store decides; nothing is counted yet.
    Ask,
}

impl Tally {
    /// Looks at one more use in `window`. A new window begins from nothing; one that is over does not come back, even
    /// where a clock is set back.
    pub(super) fn one_more(&mut self, window: u64, limit: u32) -> Step {
        if window > self.window {
            *self = Self { window, ..Self::default() };
        }
        if self.estimate() >= limit {
            return Step::Refuse;
        }
        if window == self.window && self.untold < self.free {
            self.untold += 1;
            return Step::Admit;
        }
        Step::Ask
    }

    /// Takes the uses that the store is to be told of: one more, and those let through untold. Until an answer is noted
    /// by [`Self::settle`], [`Self::used_up`], [`Self::unanswered`] or [`Self::given_up`], no other ask may begin.
    pub(super) fn begin_asking(&mut self, window: u64) -> u32 {
        if window != self.window {
            // A use from just before the window began, or a clock that was set back. It counts in its own window, and
            // takes nothing along that counts in this one.
            return 1;
        }
        // They travel with this use, and what is left of the share is given up for the next one.
        self.free = 0;
        self.asking = std::mem::take(&mut self.untold) + 1;
        self.asking
    }

    /// The store has added `uses` and now says `stored`, if it answered that too.
    pub(super) fn settle(&mut self, window: u64, uses: u32, stored: Option<StoredRate>, limit: u32) {
        if window != self.window {
            return;
        }
        self.asking = 0;
        let Some(StoredRate { used, asked }) = stored else {
            self.told = self.told.saturating_add(uses);
            return;
        };
        self.told = self.told.max(used);
        self.free = share(asked, limit).min((limit / 2).saturating_sub(used));
    }

    /// The store has refused to add: the window is used up. What was let through here untold stays untold.
    pub(super) fn used_up(&mut self, window: u64, limit: u32) {
        if window == self.window {
            self.asking = 0;
            self.told = self.told.max(limit);
        }
    }

    /// Nobody waits for the store's answer any more; it may have added `uses`.
    pub(super) fn given_up(&mut self, window: u64, uses: u32) {
        if window == self.window {
            self.asking = 0;
            self.told = self.told.saturating_add(uses);
        }
    }

    /// The store did not answer an ask. Whether `uses` were added is known (`written` says no) or not; then they count
    /// here as told, since telling of them again could count them twice. Answers whether the use is let through.
    pub(super) fn unanswered(&mut self, window: u64, uses: u32, written: bool, limit: u32) -> bool {
        if window != self.window {
            return true;
        }
        self.asking = 0;
        let admitted = self.estimate().saturating_add(uses) <= limit;
        let kept = if admitted { uses } else { uses - 1 };
        let count = if written { &mut self.told } else { &mut self.untold };
        *count = count.saturating_add(kept);
        admitted
    }

    /// Decides of `uses` that the store could not be asked about: those that it is being told of count as let through.
    pub(super) fn decide_alone(&mut self, window: u64, uses: u32, limit: u32) -> bool {
        if window != self.window {
            return true;
        }
        let admitted = self.estimate().saturating_add(self.asking).saturating_add(uses) <= limit;
        if admitted {
            self.untold = self.untold.saturating_add(uses);
        }
        admitted
    }

    /// A use that was let through does not count after all. Answers whether the store must be told.
    pub(super) fn give_back(&mut self, window: u64) -> bool {
        if window != self.window {
            return true;
        }
        if self.untold > 0 {
            self.untold -= 1;
            return false;
        }
        self.told = self.told.saturating_sub(1);
        true
    }

    fn estimate(&self) -> u32 {
        self.told.saturating_add(self.untold)
    }
}

/// How many uses whoever was the `asked`th to ask the store may let through without telling it.
fn share(asked: u32, limit: u32) -> u32 {
    let asked = u64::from(asked.max(1));
    u32::try_from(u64::from(limit) / (2 * asked * asked)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What becomes of one more use: decided here, or by the store, which is told of so many.
    fn one_more(tally: &mut Tally, window: u64, limit: u32) -> Result<bool, u32> {
        match tally.one_more(window, limit) {
            Step::Admit => Ok(true),
            Step::Refuse => Ok(false),
            Step::Ask => Err(tally.begin_asking(window)),
        }
    }

    #[test]
    fn all_shares_together_are_less_than_the_limit() {
        for limit in [1, 2, 5, 10, 60, 120, 600, 1_000_000] {
            let all: u32 = (1..=10_000).map(|asked| share(asked, limit)).sum();
            assert!(all < limit, "{all} of {limit}");
        }
    }

    #[test]
    fn the_first_use_of_a_window_is_told_and_the_rest_of_the_first_half_not() {
        let mut tally = Tally::default();
        assert_eq!(one_more(&mut tally, 7, 60), Err(1));
        tally.settle(7, 1, Some(StoredRate { used: 1, asked: 1 }), 60);
        for _ in 0..29 {
            assert_eq!(one_more(&mut tally, 7, 60), Ok(true));
        }
        assert_eq!(one_more(&mut tally, 7, 60), Err(30));
        tally.settle(7, 30, Some(StoredRate { used: 31, asked: 2 }), 60);
        assert_eq!(one_more(&mut tally, 7, 60), Err(1), "beyond half the store is asked each time");
    }

    #[test]
    fn a_window_that_is_used_up_is_refused_without_asking_until_it_is_over() {
        let mut tally = Tally::default();
        assert_eq!(one_more(&mut tally, 7, 5), Err(1));
        tally.used_up(7, 5);
        assert_eq!(one_more(&mut tally, 7, 5), Ok(false));
        assert_eq!(one_more(&mut tally, 6, 5), Ok(false), "a clock that is set back opens no window");
        assert_eq!(one_more(&mut tally, 8, 5), Err(1));
    }

    #[test]
    fn a_use_of_the_window_before_does_not_take_this_ones_along() {
        let mut tally = Tally::default();
        assert_eq!(one_more(&mut tally, 8, 6), Err(1));
        tally.settle(8, 1, Some(StoredRate { used: 1, asked: 1 }), 6);
        for _ in 0..2 {
            assert_eq!(one_more(&mut tally, 8, 6), Ok(true));
        }
        assert_eq!(one_more(&mut tally, 7, 6), Err(1));
        tally.settle(7, 1, Some(StoredRate { used: 5, asked: 1 }), 6);
        assert_eq!(one_more(&mut tally, 8, 6), Err(3), "what the store was not told of is told in its window");
    }

    proptest! {
        /// Whatever the store answers or fails to, one process lets no more through than the limit.
        #[test]
        fn one_process_keeps_to_the_limit(limit in 1_u32..100, answers in prop::collection::vec(0_u8..4, 300)) {
            let (mut tally, mut admitted, mut stored) = (Tally::default(), 0, StoredRate::default());
            for answer in answers {
                admitted += match one_more(&mut tally, 1, limit) {
                    Ok(decided) => u32::from(decided),
                    Err(uses) => match answer {
                        0 => u32::from(tally.unanswered(1, uses, false, limit)),
                        _ if stored.used + uses > limit => {
                            tally.used_up(1, limit);
                            0
                        }
                        _ => {
                            stored = StoredRate { used: stored.used + uses, asked: stored.asked + 1 };
                            match answer {
                                1 => u32::from(tally.unanswered(1, uses, true, limit)),
                                2 => { tally.settle(1, uses, None, limit); 1 }
                                _ => { tally.settle(1, uses, Some(stored), limit); 1 }
                            }
                        }
                    },
                };
                prop_assert!(admitted <= limit, "{} of {}", admitted, limit);
            }
        }

        /// Uses that do not wait for the one that asks are decided by the tally, which counts what is being asked.
        #[test]
        fn impatient_uses_keep_to_the_limit(limit in 1_u32..20, impatient in 0_usize..30, refused: bool) {
            let mut tally = Tally::default();
            let Err(uses) = one_more(&mut tally, 1, limit) else { panic!("the first use asks") };
            let alone = (0..impatient).filter(|_| tally.decide_alone(1, 1, limit)).count();
            prop_assert!(alone < limit as usize, "{} beside the one that asks, of {}", alone, limit);
            if refused {
                tally.used_up(1, limit);
                prop_assert_eq!(one_more(&mut tally, 1, limit), Ok(false));
            } else {
                tally.settle(1, uses, Some(StoredRate { used: uses, asked: 1 }), limit);
                if alone + 1 == limit as usize {
                    prop_assert_eq!(one_more(&mut tally, 1, limit), Ok(false));
                }
            }
        }
    }
}

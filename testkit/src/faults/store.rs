//! A store that fails.

use std::sync::Arc;

use ports::store::{Store, StoreError};

use super::{
    dice::{Dice, Fate, FaultCounts, FaultSwitch, Injected},
    hooked::{HookedStore, StoreCall, StoreHook},
};

/// Probabilities, 0 to 1. The first three apply to a call and are mutually exclusive (their sum is at most 1).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct StoreFaults {
    /// The call is throttled and not made.
    pub throttled: f64,
    /// The store is unavailable; the call is not made.
    pub unavailable_before: f64,
    /// The call is made, but answered as if the store were unavailable.
    pub unavailable_after: f64,
    /// An entry of a batch is left unprocessed.
    pub unprocessed: f64,
}

impl StoreFaults {
    /// Every fault with this probability, at most 1/3.
    pub const fn all(probability: f64) -> Self {
        Self {
            throttled: probability,
            unavailable_before: probability,
            unavailable_after: probability,
            unprocessed: probability,
        }
    }
}

/// A store that fails at random. `durable` and `probe` always pass.
pub type FaultyStore = HookedStore<StoreDice>;

/// Fails calls, and leaves entries of batches undone.
#[derive(Debug)]
pub struct StoreDice {
    faults: StoreFaults,
    dice: Dice,
}

impl HookedStore<StoreDice> {
    /// A store with these faults. The same seed and the same calls in the same order meet the same faults.
    pub fn new(inner: Arc<dyn Store>, faults: StoreFaults, seed: u64) -> Self {
        Self::with(inner, StoreDice { faults, dice: Dice::new(seed) })
    }
}

impl StoreDice {
    /// The switch of the faults.
    pub fn switch(&self) -> FaultSwitch {
        self.dice.switch()
    }

    /// The number of faults so far.
    pub fn counts(&self) -> FaultCounts {
        self.dice.counts()
    }
}

impl StoreHook for StoreDice {
    async fn around<T: Send>(
        &self,
        call: StoreCall<'_>,
        make: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        if !call.is_about_items() {
            return make.await;
        }
        let faults = &self.faults;
        match self.dice.fate(faults.throttled, faults.unavailable_before, faults.unavailable_after) {
            Fate::Passes => make.await,
            Fate::Throttled => Err(StoreError::Throttled),
            Fate::FailsBefore => Err(StoreError::Unavailable(Box::new(Injected::before()))),
            Fate::FailsAfter => {
                make.await?;
                Err(StoreError::Unavailable(Box::new(Injected::after())))
            }
        }
    }

    fn leaves_undone(&self) -> bool {
        self.dice.leaves_undone(self.faults.unprocessed)
    }
}

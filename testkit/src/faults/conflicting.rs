//! A store whose transactions conflict.

use std::sync::Arc;

use ports::store::{Store, StoreError};

use super::{
    dice::{Dice, FaultSwitch},
    hooked::{HookedStore, StoreCall, StoreHook},
};

/// A store that refuses some transactions as `DynamoDB` does when another one holds one of their items: nothing is
/// written, and no condition is reported.
pub type ConflictingStore = HookedStore<Conflicts>;

/// Refuses transactions at random.
#[derive(Debug)]
pub struct Conflicts {
    probability: f64,
    dice: Dice,
}

impl HookedStore<Conflicts> {
    /// A store that refuses a transaction with this probability, 0 to 1.
    pub fn new(inner: Arc<dyn Store>, probability: f64, seed: u64) -> Self {
        Self::with(inner, Conflicts { probability, dice: Dice::new(seed) })
    }
}

impl Conflicts {
    /// The switch of the conflicts.
    pub fn switch(&self) -> FaultSwitch {
        self.dice.switch()
    }
}

impl StoreHook for Conflicts {
    async fn around<T: Send>(
        &self,
        call: StoreCall<'_>,
        make: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        if matches!(call, StoreCall::Transact(_)) && self.dice.happens(self.probability) {
            return Err(StoreError::Conflict);
        }
        make.await
    }
}

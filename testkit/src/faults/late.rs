//! A store whose transactions may be applied late.

use std::sync::Arc;

use parking_lot::Mutex;
use ports::store::{Store, StoreError, Table, Write};

use super::{
    dice::{Dice, FaultSwitch, Injected},
    hooked::{HookedStore, StoreCall, StoreHook},
};

/// A store that answers some transactions as if it were unavailable and applies them later, at any time, like a request
/// that hung in the network after its sender had given up.
pub type LateStore = HookedStore<Delays>;

/// Delays transactions at random.
#[derive(Debug)]
pub struct Delays {
    inner: Arc<dyn Store>,
    probability: f64,
    dice: Dice,
    hanging: Mutex<Vec<Vec<(Table, Write)>>>,
}

impl HookedStore<Delays> {
    /// A store in which a transaction hangs with this probability, 0 to 1.
    pub fn new(inner: Arc<dyn Store>, probability: f64, seed: u64) -> Self {
        let delays =
            Delays { inner: Arc::clone(&inner), probability, dice: Dice::new(seed), hanging: Mutex::default() };
        Self::with(inner, delays)
    }
}

impl Delays {
    /// The switch of the faults. A transaction that hangs when they are turned off hangs until [`Self::arrive_all`].
    pub fn switch(&self) -> FaultSwitch {
        self.dice.switch()
    }

    /// Delivers all hanging transactions. Returns how many of them were still applied.
    pub async fn arrive_all(&self) -> usize {
        let hanging = std::mem::take(&mut *self.hanging.lock());
        let mut happened = 0;
        for writes in hanging {
            happened += usize::from(self.inner.transact(writes).await.is_ok_and(|outcome| outcome.is_applied()));
        }
        happened
    }

    async fn arrive_some(&self) {
        while self.dice.happens(0.3) {
            let place = self.dice.place(self.hanging.lock().len());
            let Some(place) = place else { return };
            let writes = self.hanging.lock().swap_remove(place);
            // The sender no longer waits for the answer.
            let _unheard = self.inner.transact(writes).await;
        }
    }
}

impl StoreHook for Delays {
    async fn around<T: Send>(
        &self,
        call: StoreCall<'_>,
        make: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        if let StoreCall::Transact(writes) = call {
            if self.dice.happens(self.probability) {
                self.hanging.lock().push(writes.to_vec());
                return Err(StoreError::Unavailable(Box::new(Injected::before())));
            }
            self.arrive_some().await;
        } else if call.is_read() {
            self.arrive_some().await;
        }
        make.await
    }
}

//! A store whose single writes wait at a gate.

use std::sync::Arc;

use ports::store::{Store, StoreError};
use tokio::sync::Semaphore;

use super::hooked::{HookedStore, StoreCall, StoreHook};

/// A store that holds each single write until the gate lets it through. Every other call passes.
pub type GatedStore = HookedStore<Gate>;

/// The gate at which single writes wait.
#[derive(Debug)]
pub struct Gate(Semaphore);

impl HookedStore<Gate> {
    /// A store with a closed gate.
    pub fn new(inner: Arc<dyn Store>) -> Self {
        Self::with(inner, Gate(Semaphore::new(0)))
    }
}

impl Gate {
    /// Lets this many writes through, in the order of their calls.
    pub fn let_through(&self, writes: usize) {
        self.0.add_permits(writes);
    }
}

impl StoreHook for Gate {
    async fn around<T: Send>(
        &self,
        call: StoreCall<'_>,
        make: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        if matches!(call, StoreCall::Write(..)) {
            self.0.acquire().await.expect("the gate is never closed for good").forget();
        }
        make.await
    }
}

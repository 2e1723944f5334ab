//! The handle by which DAOs reach the store.

use std::sync::Arc;

use ports::store::{Retrying, Store, StoreError};

/// The store as services hold it: they hand it to DAOs and to [`crate::Transaction`], and cannot reach a table by it.
/// Calls are repeated as [`Retrying`] does. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Db(pub(crate) Retrying);

impl Db {
    /// The data in `store`.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self(Retrying::new(store))
    }

    /// As [`Store::durable`]. Not repeated: the caller reports that durability is unknown.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn durable(&self) -> Result<(), StoreError> {
        self.0.without_retries().durable().await
    }
}

impl From<Arc<dyn Store>> for Db {
    fn from(store: Arc<dyn Store>) -> Self {
        Self::new(store)
    }
}

impl<S: Store> From<Arc<S>> for Db {
    fn from(store: Arc<S>) -> Self {
        Self::new(store)
    }
}

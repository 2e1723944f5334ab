//! The handle through which DAOs reach the store.

use std::sync::Arc;

use ports::store::{Retrying, Store, StoreError};

/// The store as services hold it: they pass it to DAOs and to [`crate::Transaction`], but cannot access a table through
/// it. Calls are retried as in [`Retrying`]. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Db(pub(crate) Retrying);

impl Db {
    /// The data in `store`.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self(Retrying::new(store))
    }

    /// As [`Store::durable`]. Not retried: the caller reports that durability is unknown.
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

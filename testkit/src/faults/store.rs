//! A store that fails.

use std::sync::Arc;

use async_trait::async_trait;
use ports::store::{
    BatchGot, BatchWrite, Consistency, Item, Key, Outcome, Query, QueryPage, Store, StoreError, Table, Write,
};

use super::dice::{Dice, Fate, FaultCounts, FaultSwitch, Injected};

/// Probabilities, 0 to 1. The first three are of a call and exclude each other (their sum is at most 1).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct StoreFaults {
    /// The call is throttled; nothing happens.
    pub throttled: f64,
    /// The store is unavailable and nothing happens.
    pub unavailable_before: f64,
    /// The call is made, but answered as if the store were unavailable.
    pub unavailable_after: f64,
    /// An entry of a batch is left unprocessed.
    pub unprocessed: f64,
}

impl StoreFaults {
    /// Everything that can fail does, with this probability each: at most 1/3.
    pub const fn all(probability: f64) -> Self {
        Self {
            throttled: probability,
            unavailable_before: probability,
            unavailable_after: probability,
            unprocessed: probability,
        }
    }
}

/// A store that fails by the dice. `durable` and `probe` always pass through.
#[derive(Debug)]
pub struct FaultyStore {
    inner: Arc<dyn Store>,
    faults: StoreFaults,
    dice: Dice,
}

impl FaultyStore {
    /// A store with these faults. The same seed and the same calls in the same order meet the same faults.
    pub fn new(inner: Arc<dyn Store>, faults: StoreFaults, seed: u64) -> Self {
        Self { inner, faults, dice: Dice::new(seed) }
    }

    /// What turns the faults off.
    pub fn switch(&self) -> FaultSwitch {
        self.dice.switch()
    }

    /// How many faults there were so far.
    pub fn counts(&self) -> FaultCounts {
        self.dice.counts()
    }

    async fn call<T>(&self, call: impl Future<Output = Result<T, StoreError>> + Send) -> Result<T, StoreError> {
        let faults = &self.faults;
        match self.dice.fate(faults.throttled, faults.unavailable_before, faults.unavailable_after) {
            Fate::Passes => call.await,
            Fate::Throttled => Err(StoreError::Throttled),
            Fate::FailsBefore => Err(StoreError::Unavailable(Box::new(Injected::before()))),
            Fate::FailsAfter => {
                call.await?;
                Err(StoreError::Unavailable(Box::new(Injected::after())))
            }
        }
    }
}

#[async_trait]
impl Store for FaultyStore {
    async fn get(&self, table: Table, key: &Key, consistency: Consistency) -> Result<Option<Item>, StoreError> {
        self.call(self.inner.get(table, key, consistency)).await
    }

    async fn batch_get(&self, table: Table, keys: &[Key], consistency: Consistency) -> Result<BatchGot, StoreError> {
        self.call(async {
            let (asked, left) = self.dice.part(keys.to_vec(), self.faults.unprocessed);
            let mut got = self.inner.batch_get(table, &asked, consistency).await?;
            got.unprocessed.extend(left);
            Ok(got)
        })
        .await
    }

    async fn query(&self, query: &Query) -> Result<QueryPage, StoreError> {
        self.call(self.inner.query(query)).await
    }

    async fn batch_write(&self, table: Table, writes: &[BatchWrite]) -> Result<Vec<BatchWrite>, StoreError> {
        self.call(async {
            let (done, left) = self.dice.part(writes.to_vec(), self.faults.unprocessed);
            let mut unprocessed = self.inner.batch_write(table, &done).await?;
            unprocessed.extend(left);
            Ok(unprocessed)
        })
        .await
    }

    async fn write(&self, table: Table, write: Write) -> Result<Outcome, StoreError> {
        self.call(self.inner.write(table, write)).await
    }

    async fn transact(&self, writes: Vec<(Table, Write)>) -> Result<Outcome, StoreError> {
        self.call(self.inner.transact(writes)).await
    }

    async fn durable(&self) -> Result<(), StoreError> {
        self.inner.durable().await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.inner.probe().await
    }
}

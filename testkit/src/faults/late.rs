//! A store whose transactions may arrive late.

use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use ports::store::{
    BatchGot, BatchWrite, Consistency, Item, Key, Outcome, Query, QueryPage, Store, StoreError, Table, Write,
};

use super::dice::{Dice, FaultSwitch, Injected};

/// A store that answers some transactions as if it were unavailable and makes them later, at any time, as a request does
/// that hung in the network while its sender had given up.
#[derive(Debug)]
pub struct LateStore {
    inner: Arc<dyn Store>,
    probability: f64,
    dice: Dice,
    hanging: Mutex<Vec<Vec<(Table, Write)>>>,
}

impl LateStore {
    /// A store in which a transaction hangs with this probability.
    pub fn new(inner: Arc<dyn Store>, probability: f64, seed: u64) -> Self {
        Self { inner, probability, dice: Dice::new(seed), hanging: Mutex::default() }
    }

    /// What turns the faults off. What hangs then hangs on until [`Self::arrive_all`].
    pub fn switch(&self) -> FaultSwitch {
        self.dice.switch()
    }

    /// Everything that hangs arrives. Returns how many of the transactions still happened.
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
            // Nobody waits for the answer.
            let _nobody = self.inner.transact(writes).await;
        }
    }
}

#[async_trait]
impl Store for LateStore {
    async fn get(&self, table: Table, key: &Key, consistency: Consistency) -> Result<Option<Item>, StoreError> {
        self.arrive_some().await;
        self.inner.get(table, key, consistency).await
    }

    async fn batch_get(&self, table: Table, keys: &[Key], consistency: Consistency) -> Result<BatchGot, StoreError> {
        self.arrive_some().await;
        self.inner.batch_get(table, keys, consistency).await
    }

    async fn query(&self, query: &Query) -> Result<QueryPage, StoreError> {
        self.arrive_some().await;
        self.inner.query(query).await
    }

    async fn batch_write(&self, table: Table, writes: &[BatchWrite]) -> Result<Vec<BatchWrite>, StoreError> {
        self.inner.batch_write(table, writes).await
    }

    async fn write(&self, table: Table, write: Write) -> Result<Outcome, StoreError> {
        self.inner.write(table, write).await
    }

    async fn transact(&self, writes: Vec<(Table, Write)>) -> Result<Outcome, StoreError> {
        if self.dice.happens(self.probability) {
            self.hanging.lock().push(writes);
            return Err(StoreError::Unavailable(Box::new(Injected::before())));
        }
        self.arrive_some().await;
        self.inner.transact(writes).await
    }

    async fn durable(&self) -> Result<(), StoreError> {
        self.inner.durable().await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.inner.probe().await
    }
}

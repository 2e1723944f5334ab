//! Reads of a recount: strongly consistent, retried for long, and no faster than the operator allows.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use parking_lot::Mutex;
use ports::store::{
    Consistency, Item, Key, Query, QueryPage, Store, StoreError, Table, Value, batch_get_all, with_retries,
};
use tokio::time::Instant;

/// How long a read is retried before a recount ends: throttling passes, and a scan of an hour is not to be repeated.
const PATIENCE: Duration = Duration::from_mins(2);
/// Bytes of a strongly consistent read unit of `DynamoDB`.
const UNIT_BYTES: usize = 4 * 1024;

/// Spaces reads, so that they take a given number of read units a second on average.
#[derive(Debug)]
pub struct Pace {
    rate: Option<NonZeroU32>,
    free_at: Mutex<Instant>,
}

impl Pace {
    /// At most so many read units a second; without a number as fast as the store answers.
    pub fn of(rate: Option<NonZeroU32>) -> Self {
        Self { rate, free_at: Mutex::new(Instant::now()) }
    }

    /// Waits until these units, which were just read, are paid for. Those who read side by side share the rate.
    pub async fn spend(&self, units: f64) {
        let Some(rate) = self.rate else { return };
        let until = {
            let mut free_at = self.free_at.lock();
            *free_at = (*free_at).max(Instant::now()) + Duration::from_secs_f64(units / f64::from(rate.get()));
            *free_at
        };
        tokio::time::sleep_until(until).await;
    }
}

/// Reads Social.
#[derive(Debug, Clone)]
pub struct Reads {
    store: Arc<dyn Store>,
    pace: Arc<Pace>,
}

impl Reads {
    /// Reads of `store`, no faster than `pace`.
    pub fn new(store: Arc<dyn Store>, pace: Arc<Pace>) -> Self {
        Self { store, pace }
    }

    /// The store, for writes.
    pub fn store(&self) -> &dyn Store {
        self.store.as_ref()
    }

    /// The pace.
    pub fn pace(&self) -> &Pace {
        &self.pace
    }

    /// One item.
    pub async fn get(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        let item = patiently(|| self.store.get(Table::Social, key, Consistency::Strong)).await?;
        self.pace.spend(units(item.iter())).await;
        Ok(item)
    }

    /// Those of these distinct keys that are there.
    pub async fn get_all(&self, keys: &[Key]) -> Result<Vec<Item>, StoreError> {
        let store = self.store.as_ref();
        let items = patiently(|| batch_get_all(store, Table::Social, keys, Consistency::Strong)).await?;
        self.pace.spend(items.iter().map(|item| units([item])).sum()).await;
        Ok(items)
    }

    /// One page of a query.
    pub async fn page(&self, query: &Query) -> Result<QueryPage, StoreError> {
        let page = patiently(|| self.store.query(query)).await?;
        self.pace.spend(units(&page.items)).await;
        Ok(page)
    }
}

/// Calls until the answer is no transient error, for up to [`PATIENCE`]. Only for reads.
pub async fn patiently<T, F>(mut call: impl FnMut() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let started = Instant::now();
    loop {
        match with_retries(&mut call).await {
            Err(error) if error.is_transient() && started.elapsed() < PATIENCE => {}
            outcome => return outcome,
        }
    }
}

/// What one read of these items takes, about: `Store` does not say.
fn units<'a>(items: impl IntoIterator<Item = &'a Item>) -> f64 {
    let bytes: usize = items.into_iter().map(bytes).sum();
    f64::from(u32::try_from(bytes.div_ceil(UNIT_BYTES).max(1)).unwrap_or(u32::MAX))
}

fn bytes(item: &Item) -> usize {
    let value = |value: &Value| match value {
        Value::S(text) => text.len(),
        Value::N(_) => 8,
        Value::Bool(_) => 1,
        Value::B(bytes) => bytes.len(),
    };
    let attributes: usize = item.attributes.iter().map(|(name, it)| name.len() + value(it)).sum();
    item.key.partition.len() + item.key.sort.len() + "PKSK".len() + attributes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn side_by_side_reads_share_the_rate() {
        let (pace, started) = (Pace::of(NonZeroU32::new(100)), Instant::now());
        tokio::join!(pace.spend(150.0), pace.spend(50.0), pace.spend(100.0));
        assert_eq!(started.elapsed().as_millis(), 3_000);
        Pace::of(None).spend(1e9).await;
        assert_eq!(started.elapsed().as_millis(), 3_000);
    }
}

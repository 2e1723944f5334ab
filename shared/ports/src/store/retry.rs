//! Retries of store calls: capped, with exponential backoff and jitter. Unfinished work is returned or reported, never
//! dropped.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use backon::{BackoffBuilder, ExponentialBuilder, Retryable};

use super::{BatchWrite, Consistency, Item, Key, Outcome, Query, QueryPage, Store, StoreError, Table, Write};
use domain::limits;

/// The layer that repeats calls: each until the answer is no transient error, the pauses are used up or
/// [`limits::RETRY_BUDGET`] is spent. A repeated write may have been applied by its first try, whose answer was lost.
///
/// It is no [`Store`] itself, so that a call is never repeated by two layers, and a signature says whether it repeats.
#[derive(Debug, Clone)]
pub struct Retrying {
    store: Arc<dyn Store>,
}

impl Retrying {
    /// Repeats the calls of `store`.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// The store itself, for calls that must not be repeated.
    pub fn without_retries(&self) -> &dyn Store {
        self.store.as_ref()
    }

    /// As [`Store::get`].
    pub async fn get(&self, table: Table, key: &Key, consistency: Consistency) -> Result<Option<Item>, StoreError> {
        with_retries(Instant::now(), || self.store.get(table, key, consistency)).await
    }

    /// As [`batch_get_all`].
    pub async fn get_all(&self, table: Table, keys: &[Key], consistency: Consistency) -> Result<Vec<Item>, StoreError> {
        batch_get_all(self.store.as_ref(), table, keys, consistency).await
    }

    /// As [`Store::query`].
    pub async fn query(&self, query: &Query) -> Result<QueryPage, StoreError> {
        with_retries(Instant::now(), || self.store.query(query)).await
    }

    /// As [`batch_write_all`].
    pub async fn write_all(&self, table: Table, writes: Vec<BatchWrite>) -> Result<Vec<BatchWrite>, StoreError> {
        batch_write_all(self.store.as_ref(), table, writes).await
    }

    /// As [`Store::write`].
    pub async fn write(&self, table: Table, write: Write) -> Result<Outcome, StoreError> {
        with_retries(Instant::now(), || self.store.write(table, write.clone())).await
    }

    /// As [`Store::transact`].
    pub async fn transact(&self, writes: Vec<(Table, Write)>) -> Result<Outcome, StoreError> {
        self.transact_counted(writes).await.map(|(outcome, _)| outcome)
    }

    /// The same, with the number of tries: after more than one a refusal may come from an earlier try.
    pub async fn transact_counted(&self, writes: Vec<(Table, Write)>) -> Result<(Outcome, u32), StoreError> {
        let mut tries = 0;
        let outcome = with_retries(Instant::now(), || {
            tries += 1;
            self.store.transact(writes.clone())
        })
        .await?;
        Ok((outcome, tries))
    }
}

/// Pauses of 20, 40, 80, 160, 320 and 640 ms, each with up to as much jitter: about 2 s at most.
fn pauses() -> ExponentialBuilder {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(20))
        .with_max_delay(Duration::from_millis(640))
        .with_max_times(6)
        .with_jitter()
}

/// Whether the budget allows another attempt.
fn has_time(started: Instant) -> bool {
    started.elapsed() < limits::RETRY_BUDGET
}

/// Calls until the result is not a transient error, the pauses are used up or the budget that began at `started` is
/// spent. Only for calls that may be applied twice.
async fn with_retries<T, F>(started: Instant, call: impl FnMut() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    call.retry(pauses()).when(|error| error.is_transient() && has_time(started)).await
}

/// Gets all existing items under `keys`, in unspecified order: in parallel calls of up to [`limits::MAX_BATCH_GET`]
/// keys, with retries for unprocessed ones.
pub async fn batch_get_all(
    store: &dyn Store,
    table: Table,
    keys: &[Key],
    consistency: Consistency,
) -> Result<Vec<Item>, StoreError> {
    let chunks = keys.chunks(limits::MAX_BATCH_GET).map(|chunk| batch_get_chunk(store, table, chunk, consistency));
    let found = futures::future::try_join_all(chunks).await?;
    Ok(found.into_iter().flatten().collect())
}

async fn batch_get_chunk(
    store: &dyn Store,
    table: Table,
    keys: &[Key],
    consistency: Consistency,
) -> Result<Vec<Item>, StoreError> {
    let started = Instant::now();
    let got = with_retries(started, || store.batch_get(table, keys, consistency)).await?;
    let (mut items, mut left) = (got.items, got.unprocessed);
    let mut pauses = pauses().build();
    while !left.is_empty() {
        let pause = pauses.next().filter(|_| has_time(started)).ok_or(StoreError::Throttled)?;
        tokio::time::sleep(pause).await;
        let got = with_retries(started, || store.batch_get(table, &left, consistency)).await?;
        items.extend(got.items);
        left = got.unprocessed;
    }
    Ok(items)
}

/// Makes up to [`limits::MAX_BATCH_WRITE`] writes and resends unprocessed ones.
///
/// Returns the writes that are still not made when the pauses are used up; the caller must handle them.
pub async fn batch_write_all(
    store: &dyn Store,
    table: Table,
    writes: Vec<BatchWrite>,
) -> Result<Vec<BatchWrite>, StoreError> {
    let started = Instant::now();
    let mut left = writes;
    let mut pauses = pauses().build();
    loop {
        // A throttled batch counts as one of which nothing was processed.
        left = match store.batch_write(table, &left).await {
            Ok(unprocessed) => unprocessed,
            Err(error) if error.is_transient() => left,
            Err(error) => return Err(error),
        };
        if left.is_empty() {
            return Ok(left);
        }
        metrics::counter!(telemetry::names::STORE_UNPROCESSED, "table" => table.name()).increment(left.len() as u64);
        match pauses.next().filter(|_| has_time(started)) {
            Some(pause) => tokio::time::sleep(pause).await,
            None => return Ok(left),
        }
    }
}

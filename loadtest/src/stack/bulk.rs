//! Writes many rows at a bounded rate, with retries of throttled and unprocessed ones until there is no more progress.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use domain::limits;
use futures::StreamExt as _;
use indicatif::ProgressBar;
use ports::store::{BatchWrite, Store, StoreError, Table};
use tokio::time::Instant;

use crate::cost::units::{self, Units};

/// Concurrent batches.
const BATCHES_IN_FLIGHT: usize = 16;
/// Time for which one batch is retried before it fails.
const PATIENCE: Duration = Duration::from_mins(1);
/// Pauses before a batch is retried: the first, which doubles as long as no row is written, and the maximum; minus a
/// random part.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// Writes rows in batches.
#[derive(Debug)]
pub struct BulkWriter {
    store: Arc<dyn Store>,
    pause_per_row: Duration,
    written: AtomicU64,
    units: AtomicU64,
    refused: AtomicBool,
}

/// Some rows could not be written.
#[derive(Debug, thiserror::Error)]
#[error("{rows} rows could not be written")]
pub struct Undone {
    /// The number of rows.
    pub rows: u64,
    /// The error of the first one.
    #[source]
    pub error: StoreError,
}

impl BulkWriter {
    /// Writes to `store` at up to `rows_per_second`, and at least one.
    pub fn new(store: Arc<dyn Store>, rows_per_second: u32) -> Self {
        let pause_per_row = Duration::from_secs(1) / rows_per_second.max(1);
        let (written, units, refused) = (AtomicU64::default(), AtomicU64::default(), AtomicBool::default());
        Self { store, pause_per_row, written, units, refused }
    }

    /// Writes all rows of one table. `progress` counts them.
    ///
    /// # Errors
    /// If a batch made no progress for a minute; other batches are written nevertheless.
    pub async fn write(
        &self,
        table: Table,
        rows: impl Iterator<Item = BatchWrite> + Send,
        progress: &ProgressBar,
    ) -> Result<(), Undone> {
        let begin = Instant::now();
        let mut rows = rows.enumerate().peekable();
        let batches = std::iter::from_fn(move || {
            let (place, _) = rows.peek()?;
            let due = begin + self.pause_per_row.saturating_mul(u32::try_from(*place).unwrap_or(u32::MAX));
            Some((due, rows.by_ref().take(limits::MAX_BATCH_WRITE).map(|(_, row)| row).collect()))
        });
        futures::stream::iter(batches)
            .then(|(due, batch): (Instant, Vec<BatchWrite>)| async move {
                // Rejected calls need no rate limit.
                if !self.refused.load(Ordering::Relaxed) {
                    tokio::time::sleep_until(due).await;
                }
                batch
            })
            .map(|batch| self.write_batch(table, batch, progress))
            .buffer_unordered(BATCHES_IN_FLIGHT)
            .fold(Ok(()), |sum, outcome| async move { both(sum, outcome) })
            .await
    }

    /// Rows written so far.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Write units used; a removal is assumed to be of an item of up to 1 KB.
    pub fn units(&self) -> Units {
        Units::written(self.units.load(Ordering::Relaxed))
    }

    async fn write_batch(&self, table: Table, batch: Vec<BatchWrite>, progress: &ProgressBar) -> Result<(), Undone> {
        let deadline = Instant::now() + PATIENCE;
        let (mut left, mut pause) = (batch, PAUSES.0);
        loop {
            let error = match self.store.batch_write(table, &left).await {
                Ok(undone) => {
                    self.count(&left, &undone, progress);
                    if undone.len() < left.len() {
                        pause = PAUSES.0;
                    }
                    left = undone;
                    StoreError::Throttled
                }
                Err(error) => error,
            };
            if left.is_empty() {
                return Ok(());
            }
            if !error.is_transient() {
                self.refused.store(true, Ordering::Relaxed);
            }
            if !error.is_transient() || Instant::now() > deadline {
                return Err(Undone { rows: left.len() as u64, error });
            }
            tokio::time::sleep(pause.mul_f64(rand::random_range(0.5..1.0))).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    fn count(&self, asked: &[BatchWrite], undone: &[BatchWrite], progress: &ProgressBar) {
        let rows = (asked.len() - undone.len()) as u64;
        let bytes = |row: &BatchWrite| match row {
            BatchWrite::Put(item) => units::item_bytes(item),
            BatchWrite::Delete(_) => 0,
        };
        let units_of = |rows: &[BatchWrite]| rows.iter().map(|row| units::write(0, bytes(row)).writes).sum::<u64>();
        self.written.fetch_add(rows, Ordering::Relaxed);
        self.units.fetch_add(units_of(asked) - units_of(undone), Ordering::Relaxed);
        progress.inc(rows);
    }
}

fn both(sum: Result<(), Undone>, outcome: Result<(), Undone>) -> Result<(), Undone> {
    match (sum, outcome) {
        (Err(sum), Err(more)) => Err(Undone { rows: sum.rows + more.rows, error: sum.error }),
        (Err(undone), Ok(())) | (Ok(()), Err(undone)) => Err(undone),
        (Ok(()), Ok(())) => Ok(()),
    }
}

//! One scan of Social: counts edges and collects the stored counts.

use std::{io, sync::Arc};

use data::{Counted, Counter, ScannedRow};
use futures::future::try_join_all;
use ports::store::{Item, Key, MalformedItem, Segment, StoreError, Table, TableScan};
use tokio::sync::Mutex;

use super::{
    reads::{Pace, patiently},
    tally::{MAX_ROWS, Tally},
    verdict::RecountError,
};

/// Items per read: at most about 1 MB, DynamoDB's limit.
const PAGE: u32 = 4_096;
/// Maximum unreadable items listed; further ones are only counted.
const MAX_NAMED: usize = 1_000;

/// The table to scan, and the number of parallel segments.
#[derive(Debug, Clone)]
pub struct Source {
    /// The table.
    pub scan: Arc<dyn TableScan>,
    /// The segments.
    pub segments: u32,
}

/// The result of a scan.
#[derive(Debug)]
pub struct Census {
    /// The edges and the stored counts.
    pub tally: Tally,
    /// Items that could not be read, up to [`MAX_NAMED`].
    pub unreadable: Vec<Key>,
    /// The number of further unreadable items.
    pub more_unreadable: u64,
}

/// Scans all of Social. Items change meanwhile, so the result only yields suspects for a closer check.
pub async fn take(source: &Source, pace: &Pace) -> Result<Census, RecountError> {
    let census = Mutex::new(Census { tally: Tally::new(MAX_ROWS), unreadable: Vec::new(), more_unreadable: 0 });
    try_join_all(Segment::all_of(source.segments).map(|segment| take_segment(source, segment, pace, &census))).await?;
    Ok(census.into_inner())
}

async fn take_segment(
    source: &Source,
    segment: Segment,
    pace: &Pace,
    census: &Mutex<Census>,
) -> Result<(), RecountError> {
    let mut after = None;
    loop {
        let page = patiently(|| source.scan.scan_segment(Table::Social, segment, after.clone(), PAGE)).await?;
        pace.spend(page.read_units).await;
        census.lock().await.take_in(&page.items).await.map_err(RecountError::Files)?;
        after = match page.next {
            Some(next) => Some(next),
            None => return Ok(()),
        };
    }
}

impl Census {
    async fn take_in(&mut self, items: &[Item]) -> io::Result<()> {
        for item in items {
            if note(&mut self.tally, item).is_ok() {
                continue;
            }
            if self.unreadable.len() < MAX_NAMED {
                self.unreadable.push(item.key.clone());
            } else {
                self.more_unreadable += 1;
            }
        }
        self.tally.make_room().await
    }
}

fn note(tally: &mut Tally, item: &Item) -> Result<(), MalformedItem> {
    match ScannedRow::read(item)? {
        None => {}
        Some(ScannedRow::User(user)) => tally.row(Counted::User(user)).exists = true,
        Some(ScannedRow::Post { post, counts_for }) => {
            tally.row(Counted::Post(post)).exists = true;
            if let Some(author) = counts_for {
                *tally.row(Counted::User(author?)).counted_mut(Counter::Posts) += 1;
            }
        }
        Some(ScannedRow::Edge(of, counter)) => *tally.row(of).counted_mut(counter) += 1,
        Some(ScannedRow::Counts(counts)) => {
            for (of, counter, number) in counts {
                *tally.row(of).kept_mut(counter) = number;
            }
        }
        Some(ScannedRow::Inbox(user)) => tally.row(Counted::User(user)).has_inbox = true,
    }
    Ok(())
}

impl From<StoreError> for RecountError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

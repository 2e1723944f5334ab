//! One scan of Social: how often each thing is there, beside what is stored of it.

use std::{io, sync::Arc};

use data::keys;
use futures::future::try_join_all;
use ports::store::{Item, Key, MalformedItem, Segment, StoreError, Table, TableScan, Value};
use tokio::sync::Mutex;

use super::{
    RecountError, Subject,
    look::is_live,
    reads::{Pace, patiently},
    tally::{MAX_ROWS, Tally},
};

/// Items read at once: at most about 1 MB, the most that `DynamoDB` gives.
const PAGE: u32 = 4_096;
/// Items that cannot be read and are named; more are only counted.
const MAX_NAMED: usize = 1_000;

/// Where whole tables are read, and in how many segments side by side.
#[derive(Debug, Clone)]
pub struct Source {
    /// The table.
    pub scan: Arc<dyn TableScan>,
    /// The segments.
    pub segments: u32,
}

/// What a scan found.
#[derive(Debug)]
pub struct Census {
    /// What is there and what is stored.
    pub tally: Tally,
    /// Items that could not be read, up to [`MAX_NAMED`].
    pub unreadable: Vec<Key>,
    /// How many more.
    pub more_unreadable: u64,
}

/// Scans all of Social. Items come and go meanwhile, so what it finds is only a reason to look closely.
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
    let Some((kind, owner)) = item.key.partition.split_once('#') else { return Ok(()) };
    match (kind, item.key.sort.as_str()) {
        ("USER", "PROFILE") if is_live(item) => tally.row(user(owner)?).exists = true,
        ("FOLLOWERS", _) => tally.row(user(owner)?).counted[0] += 1,
        ("FOLLOWING", _) => tally.row(user(owner)?).counted[1] += 1,
        ("POST", "POST") => {
            tally.row(post(owner)?).exists = true;
            if is_live(item) {
                tally.row(Subject::User(item.parsed("author_id")?)).counted[2] += 1;
            }
        }
        ("POST", sort) if sort.starts_with(keys::COMMENT_PREFIX) && is_live(item) => {
            tally.row(post(owner)?).counted[1] += 1;
        }
        ("LIKERS", _) => tally.row(post(owner.split('#').next().unwrap_or(owner))?).counted[0] += 1,
        ("COUNTS", _) => keep(tally, owner, item)?,
        ("NOTIFICATIONS" | "UNREAD", _) => tally.row(user(owner)?).has_inbox = true,
        _ => {}
    }
    Ok(())
}

/// The names of counts say whether they are a user's or a post's.
fn keep(tally: &mut Tally, owner: &str, item: &Item) -> Result<(), MalformedItem> {
    for of in [user(owner)?, post(owner)?] {
        for (place, name) in of.counters().iter().enumerate() {
            match item.attributes.get(*name) {
                None => {}
                Some(Value::N(number)) => tally.row(of).kept[place] = *number,
                Some(_) => return Err(MalformedItem { attribute: name }),
            }
        }
    }
    Ok(())
}

fn user(text: &str) -> Result<Subject, MalformedItem> {
    text.parse().map(Subject::User).map_err(|_| MalformedItem { attribute: "PK" })
}

fn post(text: &str) -> Result<Subject, MalformedItem> {
    text.parse().map(Subject::Post).map_err(|_| MalformedItem { attribute: "PK" })
}

impl From<StoreError> for RecountError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

//! Draws readers: all of them by a scan, or some at random.

use std::collections::HashSet;

use data::{FeedAudit, ScannedRow};
use domain::UserId;
use ports::store::{Item, Key, Segment, StoreError, Table};

use crate::recount::{
    Source,
    reads::{Pace, patiently},
};

/// Items per read of the scan.
const PAGE: u32 = 1_000;

/// The whole table as one segment.
const WHOLE: Segment = Segment { index: 0, total: 1 };

/// The readers still to be drawn.
#[derive(Debug)]
pub(super) struct Draw<'a> {
    source: &'a Source,
    pace: &'a Pace,
    /// The segments still to be read, the current one last.
    segments: Vec<Segment>,
    /// Where to continue in the current one.
    after: Option<Key>,
    sample: Option<Sample>,
}

#[derive(Debug)]
struct Sample {
    size: usize,
    drawn: HashSet<UserId>,
}

impl<'a> Draw<'a> {
    /// All readers.
    pub(super) fn all(source: &'a Source, pace: &'a Pace) -> Self {
        Self { source, pace, segments: Segment::all_of(source.segments).collect(), after: None, sample: None }
    }

    /// Up to `size` readers: those that follow a random place in the table, and after its end those from its beginning.
    /// User ids are random, so neighbours have nothing in common, in the order of ids as in that of their hashes.
    pub(super) fn sample(source: &'a Source, pace: &'a Pace, size: u32) -> Self {
        let sample = Sample { size: usize::try_from(size).unwrap_or(usize::MAX), drawn: HashSet::new() };
        Self { source, pace, segments: vec![WHOLE; 2], after: Some(FeedAudit::random_place()), sample: Some(sample) }
    }

    /// Some more readers; `None` when all are drawn.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<UserId>>, StoreError> {
        while let Some(segment) = self.segments.last().copied() {
            let scan = &self.source.scan;
            let page = patiently(|| scan.scan_segment(Table::Social, segment, self.after.clone(), PAGE)).await?;
            self.pace.spend(page.read_units).await;
            if page.next.is_none() {
                self.segments.pop();
            }
            self.after = page.next;
            let users = self.take(&page.items);
            if !users.is_empty() {
                return Ok(Some(users));
            }
        }
        Ok(None)
    }

    /// The users of a page. Unreadable items are the recount's concern.
    fn take(&mut self, items: &[Item]) -> Vec<UserId> {
        let users = items.iter().filter_map(|item| match ScannedRow::read(item) {
            Ok(Some(ScannedRow::User(user))) => Some(user),
            _ => None,
        });
        let Some(Sample { size, drawn }) = &mut self.sample else { return users.collect() };
        let mut taken = Vec::new();
        for user in users {
            // A user met again: the second turn has reached the place where the first began.
            let is_new = drawn.insert(user);
            if is_new {
                taken.push(user);
            }
            if !is_new || drawn.len() == *size {
                self.segments.clear();
                break;
            }
        }
        taken
    }
}

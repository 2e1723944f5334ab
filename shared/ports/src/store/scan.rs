//! The operator's port to whole tables. It is apart from [`Store`](super::Store) so that no request can reach it: no
//! service or DAO takes one: no function has the permission to scan, and the tests of their policies run every use case.

use async_trait::async_trait;

use super::{Item, Key, StoreError, Table};

/// One of several parts of a table that are read side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Which one, from 0.
    pub index: u32,
    /// How many there are.
    pub total: u32,
}

impl Segment {
    /// The segments of a table that is cut into `total`.
    pub fn all_of(total: u32) -> impl Iterator<Item = Self> {
        (0..total).map(move |index| Self { index, total })
    }
}

/// One page of a scan.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ScanPage {
    /// The items.
    pub items: Vec<Item>,
    /// The key to continue after; `None` at the end of the segment. May be present although nothing follows.
    pub next: Option<Key>,
    /// The read units that the page took; 0 where nothing is counted.
    pub read_units: f64,
}

/// Reads whole tables. For operator commands only.
#[async_trait]
pub trait TableScan: Send + Sync + std::fmt::Debug + 'static {
    /// Up to `limit` items of a segment, after `after` when given, strongly consistent. The items of one partition
    /// come one after another and in one segment.
    ///
    /// # Errors
    /// As those of [`Store::query`](super::Store::query); `Rejected` for a segment that the adapter does not have.
    async fn scan_segment(
        &self,
        table: Table,
        segment: Segment,
        after: Option<Key>,
        limit: u32,
    ) -> Result<ScanPage, StoreError>;
}

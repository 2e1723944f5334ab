//! The operator's port to whole tables. It is separate from [`Store`](super::Store) so that no request can reach it: no
//! service or DAO takes a scanner, no function has the permission to scan, and the tests of their policies run every
//! use case.

use async_trait::async_trait;

use super::{Item, Key, StoreError, Table};

/// One of several parts of a table that are scanned in parallel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// The segment's index, from 0.
    pub index: u32,
    /// The number of segments.
    pub total: u32,
}

impl Segment {
    /// All segments of a table divided into `total`.
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
    /// The read units consumed; 0 if the store does not count them.
    pub read_units: f64,
}

/// Scans whole tables. For operator commands only.
#[async_trait]
pub trait TableScan: Send + Sync + std::fmt::Debug + 'static {
    /// Reads up to `limit` items of a segment, starting after `after` if given, strongly consistent. The items of one
    /// partition are consecutive and in one segment.
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

//! The store as a check reads it: at the operator's rate, with long retries, and without writing.

use std::sync::Arc;

use async_trait::async_trait;
use data::{FeedAudit, read_units};
use ports::store::{
    BatchGot, BatchWrite, Consistency, Item, Key, Outcome, Query, QueryPage, Store, StoreError, Table, Write,
};

use crate::recount::reads::{Pace, patiently};

/// Reads of a store. Pages of feeds are read through it without effect on the reader: a write that a page makes on the
/// side (a clean-up, the reader's activity) is refused, as if another page had made it first.
#[derive(Debug)]
pub(super) struct PacedReads {
    store: Arc<dyn Store>,
    pace: Arc<Pace>,
    /// Whether pages take every feed as covered, as they could not record a rebuild.
    is_covered: bool,
}

impl PacedReads {
    /// Reads of `store` at this pace.
    pub(super) const fn new(store: Arc<dyn Store>, pace: Arc<Pace>) -> Self {
        Self { store, pace, is_covered: false }
    }

    /// The same for pages of feeds: entries are shown as they are, and nothing is rebuilt.
    pub(super) const fn for_pages(store: Arc<dyn Store>, pace: Arc<Pace>) -> Self {
        Self { store, pace, is_covered: true }
    }

    async fn pay(&self, units: f64, consistency: Consistency) {
        let share = if consistency == Consistency::Strong { 1.0 } else { 0.5 };
        self.pace.spend(units * share).await;
    }
}

#[async_trait]
impl Store for PacedReads {
    async fn get(&self, table: Table, key: &Key, consistency: Consistency) -> Result<Option<Item>, StoreError> {
        let item = patiently(|| self.store.get(table, key, consistency)).await?;
        self.pay(read_units(&item), consistency).await;
        Ok(item)
    }

    async fn batch_get(&self, table: Table, keys: &[Key], consistency: Consistency) -> Result<BatchGot, StoreError> {
        let got = patiently(|| self.store.batch_get(table, keys, consistency)).await?;
        self.pay(got.items.iter().map(|item| read_units([item])).sum(), consistency).await;
        Ok(got)
    }

    async fn query(&self, query: &Query) -> Result<QueryPage, StoreError> {
        let mut page = patiently(|| self.store.query(query)).await?;
        self.pay(read_units(&page.items), query.consistency).await;
        if self.is_covered {
            FeedAudit::cover(query, &mut page)?;
        }
        Ok(page)
    }

    async fn batch_write(&self, _: Table, _: &[BatchWrite]) -> Result<Vec<BatchWrite>, StoreError> {
        Ok(Vec::new())
    }

    async fn write(&self, _: Table, _: Write) -> Result<Outcome, StoreError> {
        Ok(Outcome::Refused(vec![0]))
    }

    async fn transact(&self, _: Vec<(Table, Write)>) -> Result<Outcome, StoreError> {
        Ok(Outcome::Refused(vec![0]))
    }

    async fn durable(&self) -> Result<(), StoreError> {
        self.store.durable().await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.store.probe().await
    }
}

//! A store with stale reads.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use async_trait::async_trait;
use parking_lot::Mutex;
use ports::store::{
    BatchGot, BatchWrite, Consistency, Item, Key, Order, Outcome, Projection, Query, QueryPage, SortRange, Store,
    StoreError, Table, Write, batch_get_all,
};

/// The items under some keys before a write.
type Before = BTreeMap<(Table, Key), Option<Item>>;

/// A store whose reads without [`Consistency::Strong`] permanently lag some writes: code that relies on an eventual
/// read to catch up fails here. Writes are serialised, so that the past is well defined.
#[derive(Debug)]
pub struct StaleStore {
    inner: Arc<dyn Store>,
    /// The items that the last writes replaced, oldest first.
    past: Mutex<VecDeque<Before>>,
    writes_behind: usize,
    one_at_a_time: tokio::sync::Mutex<()>,
}

impl StaleStore {
    /// A store whose eventual reads do not see the last `writes_behind` calls of `write`, `transact` or `batch_write`.
    /// With 1 they miss only the last.
    pub fn new(inner: Arc<dyn Store>, writes_behind: usize) -> Self {
        Self { inner, past: Mutex::default(), writes_behind, one_at_a_time: tokio::sync::Mutex::default() }
    }

    /// Lets eventual reads see everything written so far.
    pub fn catch_up(&self) {
        self.past.lock().clear();
    }

    /// Remembers the items under keys that are about to be written. Runs before the write, so that no eventual read can
    /// see the write in between.
    async fn remember(&self, keys: Vec<(Table, Key)>) -> Result<(), StoreError> {
        let mut before = Before::new();
        for table in Table::ALL {
            let of_table: Vec<_> = keys.iter().filter(|(of, _)| *of == table).map(|(_, key)| key.clone()).collect();
            // The store itself refuses a call that names a key twice.
            let distinct: Vec<_> =
                of_table.iter().collect::<std::collections::BTreeSet<_>>().into_iter().cloned().collect();
            before.extend(distinct.iter().map(|key| ((table, key.clone()), None)));
            for item in batch_get_all(&*self.inner, table, &distinct, Consistency::Strong).await? {
                before.insert((table, item.key.clone()), Some(item));
            }
        }
        let mut past = self.past.lock();
        past.push_back(before);
        while past.len() > self.writes_behind {
            past.pop_front();
        }
        Ok(())
    }

    /// The items that differ from the current ones: for several writes to a key, the item that the first one replaced.
    fn differences(&self) -> Before {
        let mut differences = Before::new();
        for before in self.past.lock().iter().rev() {
            differences.extend(before.clone());
        }
        differences
    }

    async fn whole_range(&self, query: &Query) -> Result<BTreeMap<String, Item>, StoreError> {
        let mut query = Query { limit: None, start_after: None, consistency: Consistency::Strong, ..query.clone() };
        let mut items = BTreeMap::new();
        loop {
            let page = self.inner.query(&query).await?;
            items.extend(page.items.into_iter().map(|item| (item.key.sort.clone(), item)));
            match page.next {
                Some(next) => query.start_after = Some(next),
                None => return Ok(items),
            }
        }
    }
}

#[async_trait]
impl Store for StaleStore {
    async fn get(&self, table: Table, key: &Key, consistency: Consistency) -> Result<Option<Item>, StoreError> {
        if consistency == Consistency::Eventual
            && let Some(before) = self.differences().remove(&(table, key.clone()))
        {
            return Ok(before);
        }
        self.inner.get(table, key, consistency).await
    }

    async fn batch_get(&self, table: Table, keys: &[Key], consistency: Consistency) -> Result<BatchGot, StoreError> {
        let mut got = self.inner.batch_get(table, keys, consistency).await?;
        if consistency == Consistency::Eventual {
            let mut differences = self.differences();
            let old: Vec<_> = keys
                .iter()
                .filter(|key| !got.unprocessed.contains(key))
                .filter_map(|key| Some((key, differences.remove(&(table, key.clone()))?)))
                .collect();
            got.items.retain(|item| old.iter().all(|(key, _)| **key != item.key));
            got.items.extend(old.into_iter().filter_map(|(_, before)| before));
        }
        Ok(got)
    }

    async fn query(&self, query: &Query) -> Result<QueryPage, StoreError> {
        let differences = self.differences();
        let concerns = |(table, key): &(Table, Key)| {
            *table == query.table && key.partition == query.partition && lies_in(&query.range, &key.sort)
        };
        let old: Vec<_> = differences.into_iter().filter(|(place, _)| concerns(place)).collect();
        if query.consistency == Consistency::Strong || old.is_empty() {
            return self.inner.query(query).await;
        }
        let mut items = self.whole_range(query).await?;
        for ((_, key), before) in old {
            match before.map(|item| projected(item, query.projection)) {
                Some(item) => items.insert(key.sort, item),
                None => items.remove(&key.sort),
            };
        }
        Ok(page_of(items, query))
    }

    async fn batch_write(&self, table: Table, writes: &[BatchWrite]) -> Result<Vec<BatchWrite>, StoreError> {
        let _turn = self.one_at_a_time.lock().await;
        self.remember(writes.iter().map(|write| (table, write.key().clone())).collect()).await?;
        self.inner.batch_write(table, writes).await
    }

    async fn write(&self, table: Table, write: Write) -> Result<Outcome, StoreError> {
        let _turn = self.one_at_a_time.lock().await;
        self.remember(vec![(table, write.key().clone())]).await?;
        self.inner.write(table, write).await
    }

    async fn transact(&self, writes: Vec<(Table, Write)>) -> Result<Outcome, StoreError> {
        let _turn = self.one_at_a_time.lock().await;
        self.remember(writes.iter().map(|(table, write)| (*table, write.key().clone())).collect()).await?;
        self.inner.transact(writes).await
    }

    async fn durable(&self) -> Result<(), StoreError> {
        self.inner.durable().await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.inner.probe().await
    }
}

fn lies_in(range: &SortRange, sort: &str) -> bool {
    match range {
        SortRange::All => true,
        SortRange::Prefix(prefix) => sort.starts_with(prefix),
        SortRange::Between(first, last) => first.as_str() <= sort && sort <= last.as_str(),
    }
}

fn projected(item: Item, projection: Projection) -> Item {
    match projection {
        Projection::All => item,
        Projection::Keys => Item::new(item.key),
    }
}

/// The requested page from all items in the query's range.
fn page_of(items: BTreeMap<String, Item>, query: &Query) -> QueryPage {
    let mut items: Vec<_> = items.into_values().collect();
    if query.order == Order::Descending {
        items.reverse();
    }
    if let Some(after) = &query.start_after {
        items.retain(|item| match query.order {
            Order::Ascending => item.key.sort > *after,
            Order::Descending => item.key.sort < *after,
        });
    }
    let limit = query.limit.map_or(usize::MAX, |limit| limit as usize);
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|item| item.key.sort.clone());
    QueryPage { items, next }
}

//! Reads.

use std::ops::Bound;

use fjall::{Guard, Readable};

use super::super::{codec, database::Database, failure::Failure};
use domain::limits;
use ports::store::{Item, Key, Order, Projection, Query, QueryPage, SortRange, Table};

/// One item.
pub fn get(database: &Database, table: Table, key: Key) -> Result<Option<Item>, Failure> {
    let mut bytes = Vec::new();
    codec::encode_key(&key.partition, &key.sort, &mut bytes)?;
    get_encoded(database, table, key, &bytes)
}

fn get_encoded(database: &Database, table: Table, key: Key, bytes: &[u8]) -> Result<Option<Item>, Failure> {
    let Some(value) = database.table(table).get(bytes)? else { return Ok(None) };
    Ok(Some(Item { key, attributes: codec::decode_attributes(&value)? }))
}

/// The existing items of up to [`limits::MAX_BATCH_GET`] distinct keys.
pub fn batch_get(database: &Database, table: Table, keys: Vec<Key>) -> Result<Vec<Item>, Failure> {
    if keys.len() > limits::MAX_BATCH_GET {
        return Err(Failure::Rejected("a batch get may have at most 100 keys"));
    }
    let mut seen: Vec<&Key> = keys.iter().collect();
    seen.sort_unstable();
    if seen.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(Failure::Rejected("a batch get must name each key once"));
    }
    let mut bytes = Vec::new();
    let mut items = Vec::with_capacity(keys.len());
    for key in keys {
        codec::encode_key(&key.partition, &key.sort, &mut bytes)?;
        items.extend(get_encoded(database, table, key, &bytes)?);
    }
    Ok(items)
}

/// Reads a range of one partition from one snapshot. A page ends at its limit, or with the item that brings it to
/// [`limits::MAX_QUERY_BYTES`].
pub fn query(database: &Database, query: &Query) -> Result<QueryPage, Failure> {
    let limit = match query.limit {
        Some(0) => return Err(Failure::Rejected("a query's limit must be at least 1")),
        Some(limit) => limit as usize,
        None => usize::MAX,
    };
    let Some(bounds) = bounds_of(query)? else { return Ok(QueryPage::default()) };
    let rows = database.snapshot().range(database.table(query.table), bounds);
    match query.order {
        Order::Ascending => fill_page(rows, limit, query.projection),
        Order::Descending => fill_page(rows.rev(), limit, query.projection),
    }
}

fn fill_page(rows: impl Iterator<Item = Guard>, limit: usize, projection: Projection) -> Result<QueryPage, Failure> {
    let mut page = QueryPage::default();
    let mut read_bytes = 0;
    for row in rows {
        let (key, value) = row.into_inner()?;
        read_bytes += key.len() + value.len();
        let item = match projection {
            Projection::All => codec::decode_item(&key, &value)?,
            Projection::Keys => Item::new(codec::decode_key(&key)?),
        };
        if page.items.len() + 1 >= limit || read_bytes >= limits::MAX_QUERY_BYTES {
            page.next = Some(item.key.sort.clone());
            page.items.push(item);
            break;
        }
        page.items.push(item);
    }
    Ok(page)
}

type Bounds = (Bound<Vec<u8>>, Bound<Vec<u8>>);

/// The bounds in bytes; `None` if the range is empty, as fjall's ranges must not be inverted.
fn bounds_of(query: &Query) -> Result<Option<Bounds>, Failure> {
    let mut partition = Vec::new();
    codec::encode_partition(&query.partition, &mut partition)?;
    let at = |sort: &str| [&partition, sort.as_bytes()].concat();
    let (mut from, mut to) = match &query.range {
        SortRange::All => (Bound::Included(at("")), Bound::Excluded(after_all(at("")))),
        SortRange::Prefix(prefix) => (Bound::Included(at(prefix)), Bound::Excluded(after_all(at(prefix)))),
        SortRange::Between(first, last) if first <= last => (Bound::Included(at(first)), Bound::Included(at(last))),
        SortRange::Between(..) => return Err(Failure::Rejected("a range must begin before it ends")),
    };
    if let Some(start) = &query.start_after {
        if !contains(&query.range, start) {
            return Err(Failure::Rejected("a query must start within its range"));
        }
        match query.order {
            Order::Ascending => from = Bound::Excluded(at(start)),
            Order::Descending => to = Bound::Excluded(at(start)),
        }
    }
    Ok((!is_empty(&from, &to)).then_some((from, to)))
}

fn contains(range: &SortRange, sort: &str) -> bool {
    match range {
        SortRange::All => true,
        SortRange::Prefix(prefix) => sort.starts_with(prefix),
        SortRange::Between(first, last) => (first.as_str()..=last).contains(&sort),
    }
}

fn is_empty(from: &Bound<Vec<u8>>, to: &Bound<Vec<u8>>) -> bool {
    match (from, to) {
        (Bound::Included(from), Bound::Included(to)) => from > to,
        (Bound::Included(from) | Bound::Excluded(from), Bound::Included(to) | Bound::Excluded(to)) => from >= to,
        _ => false,
    }
}

/// The least bytes greater than everything with this prefix. Neither UTF-8 nor the separator contains 0xff, so the last
/// byte can be incremented.
fn after_all(mut prefix: Vec<u8>) -> Vec<u8> {
    if let Some(last) = prefix.last_mut() {
        *last += 1;
    }
    prefix
}

/// A page of a whole table.
pub fn scan(database: &Database, table: Table, after: Option<&Key>, limit: usize) -> Result<Vec<Item>, Failure> {
    let mut from = Bound::Unbounded;
    if let Some(key) = after {
        let mut bytes = Vec::new();
        codec::encode_key(&key.partition, &key.sort, &mut bytes)?;
        from = Bound::Excluded(bytes);
    }
    let rows = database.snapshot().range(database.table(table), (from, Bound::<Vec<u8>>::Unbounded));
    rows.take(limit)
        .map(|row| {
            let (key, value) = row.into_inner()?;
            Ok(codec::decode_item(&key, &value)?)
        })
        .collect()
}

/// Reads one key of each table; the items need not exist.
pub fn probe(database: &Database) -> Result<(), Failure> {
    for table in Table::ALL {
        database.table(table).contains_key(b"probe")?;
    }
    Ok(())
}

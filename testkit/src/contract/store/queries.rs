//! Queries: ranges, directions, limits, cursors, pages.

use std::collections::BTreeSet;

use domain::limits::MAX_QUERY_BYTES;
use ports::store::{
    BatchWrite, Consistency, Item, Order, Projection, Query, SortRange, Store, StoreError, Write, batch_write_all,
};

use super::{StoreHarness, TABLE, item, key};
use crate::contract::assert_rejected;

const BOTH: [Order; 2] = [Order::Ascending, Order::Descending];

fn query(partition: &str, range: SortRange, order: Order) -> Query {
    Query {
        table: TABLE,
        partition: partition.to_owned(),
        range,
        order,
        start_after: None,
        limit: None,
        consistency: Consistency::Strong,
        projection: Projection::All,
    }
}

/// Reads every page of a query.
async fn pages(store: &dyn Store, mut query: Query) -> Vec<Vec<Item>> {
    let mut pages = Vec::new();
    loop {
        let page = store.query(&query).await.expect("a query passes");
        pages.push(page.items);
        match page.next {
            Some(next) => query.start_after = Some(next),
            None => return pages,
        }
    }
}

async fn sorts(store: &dyn Store, query: Query) -> Vec<String> {
    pages(store, query).await.into_iter().flatten().map(|item| item.key.sort).collect()
}

async fn put_all(store: &dyn Store, partition: &str, sorts: &[&str]) {
    let writes = sorts.iter().map(|sort| BatchWrite::Put(item(partition, sort).with("of", partition)));
    assert_eq!(batch_write_all(store, TABLE, writes.collect()).await.unwrap(), []);
}

fn in_order<'a>(ascending: &[&'a str], order: Order) -> Vec<&'a str> {
    let mut sorts = ascending.to_vec();
    if order == Order::Descending {
        sorts.reverse();
    }
    sorts
}

fn between(first: &str, last: &str) -> SortRange {
    SortRange::Between(first.to_owned(), last.to_owned())
}

/// No item and no cursor.
pub async fn a_query_of_an_empty_partition_is_empty(h: StoreHarness) {
    for order in BOTH {
        let page = h.store.query(&query("p", SortRange::All, order)).await.unwrap();
        assert_eq!((page.items, page.next), (vec![], None));
    }
}

/// Ascending and descending by sort key, with whole items.
pub async fn a_query_reads_in_both_directions(h: StoreHarness) {
    put_all(&*h.store, "p", &["c", "a", "b"]).await;
    for order in BOTH {
        let items: Vec<_> = pages(&*h.store, query("p", SortRange::All, order)).await.concat();
        let expected = in_order(&["a", "b", "c"], order).into_iter().map(|sort| item("p", sort).with("of", "p"));
        assert_eq!(items, expected.collect::<Vec<_>>());
    }
}

/// Partitions are separate even if one key is a prefix of another.
pub async fn a_query_reads_one_partition_alone(h: StoreHarness) {
    let partitions = ["a", "ab", "a#", "A", "b"];
    for partition in partitions {
        put_all(&*h.store, partition, &["b", "1"]).await;
    }
    for partition in partitions {
        for item in pages(&*h.store, query(partition, SortRange::All, Order::Ascending)).await.concat() {
            assert_eq!((item.key.partition.as_str(), item.text("of").unwrap()), (partition, partition));
        }
        assert_eq!(sorts(&*h.store, query(partition, SortRange::All, Order::Ascending)).await, ["1", "b"]);
    }
}

/// The order is neither that of UTF-16 (in which U+1F980 precedes U+FFFD) nor that of any locale.
pub async fn sort_keys_are_ordered_by_their_utf8_bytes(h: StoreHarness) {
    let ascending = ["!", "1", "10", "2", "Z", "a", "aa", "a\u{7f}", "b", "é", "日", "\u{fffd}", "🦀"];
    put_all(&*h.store, "p", &ascending).await;
    for order in BOTH {
        assert_eq!(sorts(&*h.store, query("p", SortRange::All, order)).await, in_order(&ascending, order));
    }
}

/// Includes a prefix that is a whole key, one with multi-byte characters, and the empty one.
pub async fn a_prefix_selects_what_begins_so(h: StoreHarness) {
    put_all(&*h.store, "p", &["a", "ab", "abc", "abd", "ac", "b", "é1", "é2", "ê"]).await;
    let cases: [(&str, &[&str]); 4] = [
        ("ab", &["ab", "abc", "abd"]),
        ("b", &["b"]),
        ("é", &["é1", "é2"]),
        ("", &["a", "ab", "abc", "abd", "ac", "b", "é1", "é2", "ê"]),
    ];
    for (prefix, expected) in cases {
        for order in BOTH {
            let range = SortRange::Prefix(prefix.to_owned());
            assert_eq!(sorts(&*h.store, query("p", range, order)).await, in_order(expected, order), "{prefix}");
        }
    }
}

/// The bounds need not be keys of existing items.
pub async fn between_includes_both_bounds(h: StoreHarness) {
    put_all(&*h.store, "p", &["a", "b", "c", "d", "e"]).await;
    let cases: [(&str, &str, &[&str]); 4] =
        [("b", "d", &["b", "c", "d"]), ("aa", "dd", &["b", "c", "d"]), ("c", "c", &["c"]), ("0", "a", &["a"])];
    for (first, last, expected) in cases {
        for order in BOTH {
            let found = sorts(&*h.store, query("p", between(first, last), order)).await;
            assert_eq!(found, in_order(expected, order), "{first}..={last}");
        }
    }
}

/// Ranges beside or between the items: no item, no cursor, no error.
pub async fn a_range_without_items_is_empty(h: StoreHarness) {
    put_all(&*h.store, "p", &["a", "d"]).await;
    for range in [between("b", "c"), between("e", "f"), SortRange::Prefix("b".to_owned())] {
        for order in BOTH {
            assert_eq!(sorts(&*h.store, query("p", range.clone(), order)).await, [""; 0], "{range:?}");
        }
    }
}

/// Tests every page size and kind of range, in both directions.
pub async fn following_cursors_yields_each_item_once(h: StoreHarness) {
    put_all(&*h.store, "p", &["a", "b1", "b2", "b3", "b4", "c"]).await;
    let ranges: [(SortRange, &[&str]); 3] = [
        (SortRange::All, &["a", "b1", "b2", "b3", "b4", "c"]),
        (SortRange::Prefix("b".to_owned()), &["b1", "b2", "b3", "b4"]),
        (between("b1", "b4"), &["b1", "b2", "b3", "b4"]),
    ];
    for (range, expected) in ranges {
        for order in BOTH {
            for limit in 1..=7 {
                let query = Query { limit: Some(limit), ..query("p", range.clone(), order) };
                let pages = pages(&*h.store, query).await;
                assert!(pages.iter().all(|page| page.len() <= limit as usize));
                let found: Vec<_> = pages.iter().flatten().map(|item| item.key.sort.as_str()).collect();
                assert_eq!(found, in_order(expected, order), "{range:?} by {limit}");
            }
        }
    }
}

/// If the cursor's item is gone, reading continues after its position.
pub async fn a_cursor_need_not_exist(h: StoreHarness) {
    put_all(&*h.store, "p", &["a", "c", "e"]).await;
    for (order, expected) in [(Order::Ascending, "e"), (Order::Descending, "c")] {
        let query = Query { start_after: Some("d".to_owned()), limit: Some(1), ..query("p", SortRange::All, order) };
        let page = h.store.query(&query).await.unwrap();
        assert_eq!(page.items[0].key.sort, expected);
    }
}

/// No item and no cursor after the last item.
pub async fn a_cursor_at_the_end_yields_nothing(h: StoreHarness) {
    put_all(&*h.store, "p", &["a", "b"]).await;
    for (order, last) in [(Order::Ascending, "b"), (Order::Descending, "a")] {
        let query = Query { start_after: Some(last.to_owned()), ..query("p", SortRange::All, order) };
        let page = h.store.query(&query).await.unwrap();
        assert_eq!((page.items, page.next), (vec![], None));
    }
}

/// A query reads about a mebibyte; its cursor continues with the rest.
pub async fn pages_end_by_size_and_nothing_is_lost(h: StoreHarness) {
    let (count, bytes) = (15, 150 * 1024);
    for n in 0..count {
        let large = item("p", &format!("{n:02}")).with("text", "x".repeat(bytes));
        assert!(h.store.write(TABLE, Write::put(large)).await.unwrap().is_applied());
    }
    for order in BOTH {
        let pages = pages(&*h.store, query("p", SortRange::All, order)).await;
        // One item may exceed the bound.
        let most = MAX_QUERY_BYTES / bytes + 1;
        assert!(pages.iter().all(|page| page.len() <= most), "{:?}", pages.iter().map(Vec::len).collect::<Vec<_>>());
        let found: BTreeSet<_> = pages.iter().flatten().map(|item| &item.key.sort).collect();
        assert_eq!((found.len(), pages.iter().flatten().count()), (count, count));
    }
}

/// A consistent query sees every write that was answered before it.
pub async fn a_query_sees_changes_and_deletes(h: StoreHarness) {
    put_all(&*h.store, "p", &["a", "b", "c"]).await;
    let writes = [Write::delete(key("p", "b")), Write::put(item("p", "c").with("n", 2)), Write::put(item("p", "d"))];
    for write in writes {
        assert!(h.store.write(TABLE, write).await.unwrap().is_applied());
    }
    let items = pages(&*h.store, query("p", SortRange::All, Order::Ascending)).await.concat();
    assert_eq!(items, [item("p", "a").with("of", "p"), item("p", "c").with("n", 2), item("p", "d")]);
}

/// Pages and ranges work as in any other query.
pub async fn a_query_for_keys_returns_only_keys(h: StoreHarness) {
    put_all(&*h.store, "p", &["a", "b", "c"]).await;
    for order in BOTH {
        let query = Query { projection: Projection::Keys, limit: Some(2), ..query("p", between("a", "b"), order) };
        let expected: Vec<_> = in_order(&["a", "b"], order).into_iter().map(|sort| item("p", sort)).collect();
        assert_eq!(pages(&*h.store, query).await.concat(), expected);
    }
}

/// Bounds in the wrong order, a limit of zero, a cursor outside the range.
pub async fn an_invalid_query_is_rejected(h: StoreHarness) {
    put_all(&*h.store, "p", &["a", "b", "c"]).await;
    let plain = || query("p", between("b", "c"), Order::Ascending);
    let wrong = [
        query("p", between("c", "b"), Order::Ascending),
        Query { limit: Some(0), ..plain() },
        Query { start_after: Some("a".to_owned()), ..plain() },
        Query { start_after: Some("d".to_owned()), order: Order::Descending, ..plain() },
    ];
    for query in wrong {
        assert_rejected!(StoreError, h.store.query(&query).await);
    }
}

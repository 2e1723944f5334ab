//! The contract of the operator's scan of a whole table, for the tests of each store.

use std::collections::BTreeSet;

use ports::store::{BatchWrite, Item, Key, Segment, Store, Table, TableScan, batch_write_all};

/// Items in 20 partitions, three in each.
pub async fn filled(store: &dyn Store) -> BTreeSet<Key> {
    let keys = (0..60).map(|number| Key { partition: format!("P#{}", number % 20), sort: format!("S#{number}") });
    let keys: BTreeSet<Key> = keys.collect();
    let writes: Vec<_> = keys.iter().map(|key| BatchWrite::Put(Item::new(key.clone()).with("a", 1))).collect();
    for chunk in writes.chunks(25) {
        assert_eq!(batch_write_all(store, Table::Social, chunk.to_vec()).await.expect("the store answers"), []);
    }
    keys
}

/// Every key found by a scan in pages of 7, with its segment.
pub async fn scanned(scan: &dyn TableScan, segments: u32) -> Vec<(Key, u32)> {
    let mut found = Vec::new();
    for segment in Segment::all_of(segments) {
        let mut after = None;
        loop {
            let page = scan.scan_segment(Table::Social, segment, after, 7).await.expect("the store answers");
            assert!(page.items.len() <= 7);
            found.extend(page.items.into_iter().map(|item| (item.key, segment.index)));
            after = match page.next {
                Some(next) => Some(next),
                None => break,
            };
        }
    }
    found
}

//! The operator's scan of a whole table.

use std::collections::{BTreeMap, BTreeSet};

use ports::store::{Segment, Table, TableScan};
use testkit::{
    contract::scan::{filled, scanned},
    engines,
};

#[tokio::test]
async fn segments_hold_every_item_once() {
    let store = engines::dynamo().await.store();
    let keys = filled(&store).await;
    let found = scanned(&store, 3).await;
    assert_eq!(found.len(), keys.len());
    assert_eq!(found.iter().map(|(key, _)| key.clone()).collect::<BTreeSet<_>>(), keys);
    let mut segment_of = BTreeMap::new();
    for (key, segment) in found {
        assert_eq!(*segment_of.entry(key.partition).or_insert(segment), segment, "a partition is in one segment");
    }
    let page = store.scan_segment(Table::Social, Segment { index: 0, total: 1 }, None, 7).await.unwrap();
    assert!(page.read_units > 0.0);
}

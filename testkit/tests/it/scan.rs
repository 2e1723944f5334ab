//! The operator's scan of a whole table, on both stores.

use std::collections::{BTreeMap, BTreeSet};

use embedded::{EmbeddedStore, Engine, EngineOptions};
use ports::store::{BatchWrite, Item, Key, Segment, Store, StoreError, Table, TableScan, batch_write_all};
use testkit::engines;

/// Items in 20 partitions, three in each.
async fn filled(store: &dyn Store) -> BTreeSet<Key> {
    let keys = (0..60).map(|number| Key { partition: format!("P#{}", number % 20), sort: format!("S#{number}") });
    let keys: BTreeSet<Key> = keys.collect();
    let writes: Vec<_> = keys.iter().map(|key| BatchWrite::Put(Item::new(key.clone()).with("a", 1))).collect();
    for chunk in writes.chunks(25) {
        assert_eq!(batch_write_all(store, Table::Social, chunk.to_vec()).await.unwrap(), []);
    }
    keys
}

/// Every key that a scan in pages of 7 finds, and its segment.
async fn scanned(scan: &dyn TableScan, segments: u32) -> Vec<(Key, u32)> {
    let mut found = Vec::new();
    for segment in Segment::all_of(segments) {
        let mut after = None;
        loop {
            let page = scan.scan_segment(Table::Social, segment, after, 7).await.unwrap();
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

#[tokio::test]
async fn the_embedded_store_has_one_segment() {
    let directory = tempfile::tempdir().unwrap();
    let engine = Engine::open(EngineOptions::at(directory.path())).unwrap();
    let store = EmbeddedStore::new(engine.clone());
    let keys = filled(&store).await;
    let found = scanned(&store, 1).await;
    assert_eq!(found.into_iter().map(|(key, _)| key).collect::<Vec<_>>(), keys.into_iter().collect::<Vec<_>>());
    let refused = store.scan_segment(Table::Social, Segment { index: 0, total: 2 }, None, 7).await;
    assert!(matches!(refused, Err(StoreError::Rejected(_))), "{refused:?}");
    engine.close();
}

//! The checks of the change log.

use super::{
    Arc, Attributes, BatchWrite, ChangesHarness, Condition, Duration, Images, Item, Outcome, STREAMED, Table, Value,
    WAIT, WRITERS, Write, add_one, by_item, ids, image, item, key, limits,
};

/// A read of an empty log waits no longer than requested.
pub async fn a_new_log_is_empty(h: ChangesHarness) {
    assert!(h.log.is_empty().await.unwrap());
    assert_eq!(h.log.read(limits::MAX_CHANGES, Duration::ZERO).await.unwrap(), []);
}

/// Old and new images; `None` for an absent item.
pub async fn puts_updates_and_deletes_have_images(h: ChangesHarness) {
    h.write(Write::create(item("a", 1))).await;
    h.write(add_one("a")).await;
    h.write(Write::Delete { key: key(STREAMED, "a"), condition: Condition::Present }).await;
    let changes = h.take(3).await;
    assert!(changes.iter().all(|change| change.key == key(STREAMED, "a")));
    let images = [(None, image(1)), (image(1), image(2)), (image(2), None)];
    assert_eq!(by_item(changes)["a"], images);
}

/// Includes empty values.
pub async fn images_hold_every_kind_of_value(h: ChangesHarness) {
    let values = [
        ("text", Value::from("naïve 日本 \u{0}")),
        ("empty", Value::from("")),
        ("least", Value::N(i64::MIN)),
        ("yes", Value::Bool(true)),
        ("no", Value::Bool(false)),
        ("bytes", Value::B(vec![0, 254, 255].into())),
    ];
    let mut full = Item::new(key(STREAMED, "a"));
    full.attributes.extend(values.map(|(name, value)| (name.into(), value)));
    h.write(Write::put(full.clone())).await;
    h.write(Write::put(Item::new(key(STREAMED, "a")))).await;
    let (full, empty) = (Some(full.attributes), Some(Attributes::new()));
    assert_eq!(by_item(h.take(2).await)["a"], [(None, full.clone()), (full, empty)]);
}

/// The log has them although the write did not request them.
pub async fn unconditional_writes_have_old_images(h: ChangesHarness) {
    h.write(Write::put(item("a", 1))).await;
    h.write(Write::put(item("a", 2))).await;
    h.write(Write::delete(key(STREAMED, "a"))).await;
    let images = [(None, image(1)), (image(1), image(2)), (image(2), None)];
    assert_eq!(by_item(h.take(3).await)["a"], images);
}

/// The changes include their old images.
pub async fn batches_and_transactions_log_each_write(h: ChangesHarness) {
    let puts = ["a", "b"].map(|sort| BatchWrite::Put(item(sort, 1)));
    assert_eq!(h.store.batch_write(Table::Social, &puts).await.unwrap(), []);
    let writes = vec![add_one("a"), Write::delete(key(STREAMED, "b")), Write::create(item("c", 5))];
    let writes = writes.into_iter().map(|write| (Table::Social, write)).collect();
    assert_eq!(h.store.transact(writes).await.unwrap(), Outcome::Applied);
    let batch = [BatchWrite::Delete(key(STREAMED, "a")), BatchWrite::Put(item("c", 6))];
    assert_eq!(h.store.batch_write(Table::Social, &batch).await.unwrap(), []);
    let items = by_item(h.take(7).await);
    assert_eq!(items["a"], [(None, image(1)), (image(1), image(2)), (image(2), None)]);
    assert_eq!(items["b"], [(None, image(1)), (image(1), None)]);
    assert_eq!(items["c"], [(None, image(5)), (image(5), image(6))]);
}

/// Repeating a write, and removing an absent item.
pub async fn a_write_that_changes_nothing_is_no_change(h: ChangesHarness) {
    h.write(Write::put(item("a", 1))).await;
    h.write(Write::put(item("a", 1))).await;
    h.write(Write::delete(key(STREAMED, "never there"))).await;
    let writes = [BatchWrite::Put(item("a", 1)), BatchWrite::Delete(key(STREAMED, "never there"))];
    assert_eq!(h.store.batch_write(Table::Social, &writes).await.unwrap(), []);
    let check = Write::Check { key: key(STREAMED, "a"), condition: Condition::Present };
    assert_eq!(h.store.transact(vec![(Table::Social, check)]).await.unwrap(), Outcome::Applied);
    h.write(Write::put(item("a", 2))).await;
    assert_eq!(by_item(h.take(2).await)["a"], [(None, image(1)), (image(1), image(2))]);
}

/// Neither the refused write nor the rest of its transaction.
pub async fn a_refused_write_is_no_change(h: ChangesHarness) {
    h.write(Write::put(item("a", 1))).await;
    let again = Write::create(item("a", 2));
    assert_eq!(h.store.write(Table::Social, again.clone()).await.unwrap(), Outcome::Refused(vec![0]));
    let writes = vec![(Table::Social, Write::put(item("b", 1))), (Table::Social, again)];
    assert_eq!(h.store.transact(writes).await.unwrap(), Outcome::Refused(vec![1]));
    assert_eq!(h.take(1).await[0].after, image(1));
}

/// Neither other items of the same table nor the same keys in other tables.
pub async fn unstreamed_items_have_no_changes(h: ChangesHarness) {
    let other = |partition: &str| Item::new(key(partition, "s")).with("n", 1);
    let writes = vec![
        (Table::Social, Write::put(other("STORY#p"))),
        (Table::Social, Write::put(other("XPOST#p"))),
        (Table::Social, Write::put(other("POST"))),
        (Table::Feed, Write::put(item("a", 1))),
        (Table::Auth, Write::put(item("a", 1))),
        (Table::Social, Write::put(item("a", 7))),
    ];
    assert_eq!(h.store.transact(writes).await.unwrap(), Outcome::Applied);
    for table in [Table::Feed, Table::Auth] {
        assert_eq!(h.store.batch_write(table, &[BatchWrite::Delete(key(STREAMED, "a"))]).await.unwrap(), []);
    }
    assert_eq!(h.take(1).await[0].after, image(7));
}

/// Delivery is at least once, until the change is passed.
pub async fn an_unpassed_change_is_read_again(h: ChangesHarness) {
    for n in 1..=3 {
        h.write(Write::put(item("a", n))).await;
    }
    let mut first = h.read().await;
    while first.len() < 3 {
        first = h.read().await;
    }
    assert_eq!(h.read().await, first);
    assert!(!h.log.is_empty().await.unwrap());
    assert_eq!(h.take(3).await, first);
}

/// Later changes are still read.
pub async fn a_passed_change_is_not_redelivered(h: ChangesHarness) {
    for n in 1..=3 {
        h.write(Write::put(item("a", n))).await;
    }
    let first = h.log.read(1, WAIT).await.unwrap();
    h.pass(&first[0]).await;
    let rest = by_item(h.take(2).await);
    assert_eq!(rest["a"], [(image(1), image(2)), (image(2), image(3))]);
}

/// A pass whose answer was lost is repeated.
pub async fn passing_is_idempotent_and_never_goes_back(h: ChangesHarness) {
    for n in 1..=3 {
        h.write(Write::put(item("a", n))).await;
    }
    let mut read = Vec::new();
    while read.len() < 2 {
        read = h.log.read(2, WAIT).await.unwrap();
    }
    h.pass(&read[1]).await;
    h.pass(&read[1]).await;
    h.pass(&read[0]).await;
    assert_eq!(h.take(1).await[0].after, image(3));
}

/// The oldest change of an item comes first.
pub async fn a_read_gives_no_more_than_asked_for(h: ChangesHarness) {
    for n in 1..=7 {
        h.write(Write::put(item("a", n))).await;
    }
    for n in 1..=7 {
        let read = h.log.read(1, WAIT).await.unwrap();
        assert_eq!(read.iter().map(|change| change.after.clone()).collect::<Vec<_>>(), [image(n)]);
        h.pass(&read[0]).await;
    }
    assert!(h.log.is_empty().await.unwrap());
}

/// The read returns as soon as the change arrives.
pub async fn a_waiting_read_returns_a_new_change(h: ChangesHarness) {
    let log = Arc::clone(&h.log);
    let waiting = tokio::spawn(async move { log.read(limits::MAX_CHANGES, WAIT).await.expect("the log is read") });
    tokio::task::yield_now().await;
    h.write(Write::put(item("a", 1))).await;
    assert_eq!(waiting.await.unwrap()[0].after, image(1));
}

/// Holds over many items and several batches.
pub async fn an_items_changes_keep_the_write_order(h: ChangesHarness) {
    for n in 1..=20 {
        let puts: Vec<_> = (0..10).map(|sort| BatchWrite::Put(item(&sort.to_string(), n))).collect();
        assert_eq!(h.store.batch_write(Table::Social, &puts).await.unwrap(), []);
    }
    let chain: Vec<Images> = (1..=20).map(|n| (if n == 1 { None } else { image(n - 1) }, image(n))).collect();
    let items = by_item(h.take(200).await);
    assert_eq!(items.len(), 10);
    assert!(items.values().all(|images| *images == chain), "{items:?}");
}

/// In any order of the writers, each change's old image is the previous change's new image, even while the log is read
/// and passed.
pub async fn concurrent_writes_of_one_item_make_one_chain(h: ChangesHarness) {
    const EACH: usize = 50;
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let store = Arc::clone(&h.store);
            tokio::spawn(async move {
                for _ in 0..EACH {
                    let other = Write::put(item(&format!("of {writer}"), 1));
                    let writes = vec![(Table::Social, add_one("a")), (Table::Social, other)];
                    while store.transact(writes.clone()).await.is_err() {}
                }
            })
        })
        .collect();
    // The writers' own items change once each.
    let items = by_item(h.take(WRITERS * EACH + WRITERS).await);
    for writer in writers {
        writer.await.unwrap();
    }
    let most = i64::try_from(WRITERS * EACH).expect("a small number");
    let chain: Vec<Images> = (1..=most).map(|n| (if n == 1 { None } else { image(n - 1) }, image(n))).collect();
    assert_eq!(items["a"], chain);
    assert!(h.log.is_empty().await.unwrap());
}

/// Holds for changes of the same item and of one transaction as well.
pub async fn no_two_changes_have_the_same_id(h: ChangesHarness) {
    for n in 1..=10 {
        let puts: Vec<_> = (0..10).map(|sort| BatchWrite::Put(item(&sort.to_string(), n))).collect();
        assert_eq!(h.store.batch_write(Table::Social, &puts).await.unwrap(), []);
    }
    let changes = h.take(100).await;
    let mut distinct = ids(&changes);
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), 100);
}

/// The changes keep their ids.
pub async fn an_unpassed_change_survives_a_restart(h: ChangesHarness) {
    for n in 1..=3 {
        h.write(Write::put(item("a", n))).await;
    }
    let first = h.log.read(1, WAIT).await.unwrap();
    h.pass(&first[0]).await;
    let mut rest = h.read().await;
    while rest.len() < 2 {
        rest = h.read().await;
    }
    let h = h.restarted();
    assert!(!h.log.is_empty().await.unwrap());
    assert_eq!(h.take(2).await, rest);
}

/// Later writes are still read.
pub async fn a_passed_change_stays_passed_after_a_restart(h: ChangesHarness) {
    h.write(Write::put(item("a", 1))).await;
    h.take(1).await;
    let h = h.restarted();
    assert!(h.log.is_empty().await.unwrap());
    h.write(Write::put(item("a", 2))).await;
    assert_eq!(by_item(h.take(1).await)["a"], [(image(1), image(2))]);
}

/// Holds even if no change was left from which the last id could be derived.
pub async fn ids_are_not_reused_after_a_restart(h: ChangesHarness) {
    let mut seen: Vec<String> = Vec::new();
    let mut h = h;
    for n in 1..=4 {
        h.write(Write::put(item("a", n))).await;
        let change = h.take(1).await.remove(0);
        assert!(!seen.contains(&change.id), "{} was given before", change.id);
        seen.push(change.id);
        h = h.restarted();
    }
}

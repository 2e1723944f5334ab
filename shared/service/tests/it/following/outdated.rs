//! Outdated feed entries are removed from the store, unless a concurrent refollow backfills them.

use std::sync::{Arc, Mutex};

use data::{Backfilled, Created, Follows};
use futures::future::{BoxFuture, OptionFuture, ready};
use ports::{
    queue::QueueName,
    store::{Store, Table, Write},
};
use service_testkit::pipeline::Pipeline;
use testkit::faults::{CountingStore, HookedStore, StoreCall};

use super::{
    BROUGHT, follow, newest,
    town::{feed, story},
};
use service_testkit::Embedded;

/// A step to run once.
type Meanwhile = Arc<Mutex<Option<BoxFuture<'static, ()>>>>;

/// A store that awaits `meanwhile` once, just before a transaction that removes feed entries.
fn before_removal(store: &Arc<dyn Store>, meanwhile: &Meanwhile) -> Arc<dyn Store> {
    let meanwhile = Arc::clone(meanwhile);
    Arc::new(HookedStore::before(Arc::clone(store), move |call| {
        let StoreCall::Transact(writes) = call else { return Box::pin(ready(Ok(()))) };
        let removes =
            writes.iter().any(|(table, write)| *table == Table::Feed && matches!(write, Write::Delete { .. }));
        let meanwhile = if removes { meanwhile.lock().unwrap().take() } else { None };
        Box::pin(async move {
            OptionFuture::from(meanwhile).await;
            Ok(())
        })
    }))
}

#[tokio::test]
async fn a_stale_read_keeps_a_refollows_entries() {
    let home = Embedded::open();
    let pipeline = home.pipeline(20);
    let [alice, bob] = [pipeline.user("alice").await, pipeline.user("bob").await];
    let posts = story(&pipeline, alice, 30).await;
    // Once without an edge when the feed is read, once with an edge that an unfollow and a refollow replace.
    for ends_before in [true, false] {
        follow(&pipeline, bob, alice).await;
        if ends_before {
            pipeline.graph.unfollow(bob, alice, pipeline.clock.now()).await.unwrap();
        } else {
            // As after a follow that shows only the newest posts.
            let follows = Follows::new(home.store.clone());
            let (marker, now) = (posts[29], home.clock.now());
            assert!(follows.remove(bob, alice, now).await.unwrap().is_applied());
            let Created::Now(rule) = follows.create(bob, alice, now, marker, now).await.unwrap() else {
                panic!("followed")
            };
            let done = Backfilled { marker, oldest: Some(posts[20]), rule, is_retry: false };
            assert!(follows.finish_backfill(bob, alice, &done).await.unwrap().is_applied());
        }
        let meanwhile = {
            let pipeline = pipeline.clone();
            Box::pin(async move {
                pipeline.graph.unfollow(bob, alice, pipeline.clock.now()).await.unwrap();
                follow(&pipeline, bob, alice).await;
            })
        };
        let meanwhile: Meanwhile = Arc::new(Mutex::new(Some(meanwhile)));
        let slow = before_removal(&home.store, &meanwhile);
        let reading = Pipeline::on(slow, home.queue.clone(), home.clock.clone(), 20);
        feed(&reading, bob).await;
        reading.feeds.background().idle().await;
        assert!(meanwhile.lock().unwrap().is_none(), "the read must remove entries");
        assert_eq!(feed(&pipeline, bob).await, newest(&posts, BROUGHT), "{ends_before}");
        pipeline.graph.unfollow(bob, alice, pipeline.clock.now()).await.unwrap();
    }
}

#[tokio::test]
async fn reading_the_feed_removes_outdated_entries() {
    let home = Embedded::open();
    let counting = Arc::new(CountingStore::new(home.store.clone()));
    let pipeline = Pipeline::on(counting.clone(), home.queue.clone(), home.clock.clone(), 20);
    let [alice, bob] = [pipeline.user("alice").await, pipeline.user("bob").await];
    story(&pipeline, alice, 100).await;
    follow(&pipeline, bob, alice).await;
    pipeline.graph.unfollow(bob, alice, pipeline.clock.now()).await.unwrap();
    for _ in 0..2 {
        assert_eq!(feed(&pipeline, bob).await, []);
        pipeline.feeds.background().idle().await;
    }
    counting.take_counts();
    assert_eq!(feed(&pipeline, bob).await, []);
    let counts = counting.take_counts();
    assert_eq!((counts.query, counts.batch_get, counts.transact), (2, 0, 0), "the feed is empty");
    assert_eq!(pipeline.messages_in(QueueName::JobQ).await, 0);
}

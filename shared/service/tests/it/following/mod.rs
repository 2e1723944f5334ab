//! The promises of following, on the real embedded engine: for each followee, the feed shows every living post made
//! since the follow and the newest 100 earlier ones, at once, whatever happens concurrently.

mod at_once;
mod deaths;
mod migration;
mod model;
mod outdated;
pub(crate) mod town;

use std::{sync::Arc, time::Duration};

use data::{Backfilled, Created, Feeds, Follows, Window};
use domain::{IdGenerator, PostId, UserId, limits};
use service::{graph::GraphService, rates::RateLimiter, sweep::Swept};
use service_testkit::Embedded;
use service_testkit::pipeline::Pipeline;
use testkit::{
    engines,
    faults::{CountingStore, FaultyStore, StaleStore, StoreCounts, StoreFaults},
};
use town::{delete, erase, feed, restore, story};

/// The number of posts that a follow copies.
const BROUGHT: usize = limits::BACKFILLED_POSTS;

async fn follow(pipeline: &Pipeline, follower: UserId, followee: UserId) {
    pipeline.graph.follow(follower, followee, pipeline.clock.now()).await.unwrap();
}

/// The newest of these, newest first.
fn newest(posts: &[PostId], count: usize) -> Vec<PostId> {
    posts.iter().rev().take(count).copied().collect()
}

#[tokio::test]
async fn a_follow_backfills_the_newest_100_posts() {
    let home = Embedded::open();
    let pipeline = home.pipeline(20);
    for count in [0, 1, 99, 100, 101, 130] {
        let [alice, bob] = [pipeline.user("alice").await, pipeline.user("bob").await];
        let posts = story(&pipeline, alice, count).await;
        follow(&pipeline, bob, alice).await;
        assert_eq!(feed(&pipeline, bob).await, newest(&posts, BROUGHT), "of {count}");
        let since = pipeline.post(alice, "since").await;
        pipeline.drain().await;
        let mut due = newest(&posts, BROUGHT);
        due.insert(0, since);
        assert_eq!(feed(&pipeline, bob).await, due, "of {count}");
        follow(&pipeline, bob, alice).await;
        assert_eq!(feed(&pipeline, bob).await, due, "of {count}, followed again");
    }
}

#[tokio::test]
async fn dead_posts_do_not_displace_living_ones() {
    let home = Embedded::open();
    let pipeline = home.pipeline(20);
    let [alice, bob] = [pipeline.user("alice").await, pipeline.user("bob").await];
    let posts = story(&pipeline, alice, 400).await;
    let (living, dead): (Vec<_>, Vec<_>) = posts.iter().enumerate().partition(|(number, _)| number % 3 == 0);
    for (number, post) in dead {
        if number % 2 == 0 { delete(&pipeline, *post).await } else { erase(&pipeline, alice, *post).await }
    }
    follow(&pipeline, bob, alice).await;
    let living: Vec<PostId> = living.into_iter().map(|(_, post)| *post).collect();
    assert_eq!(feed(&pipeline, bob).await, newest(&living, BROUGHT));
}

#[tokio::test]
async fn a_post_restored_after_a_follow_is_shown() {
    let home = Embedded::open();
    let pipeline = home.pipeline(20);
    for (count, deleted) in [(1, 0), (30, 0), (30, 29), (130, 50), (130, 129)] {
        let [alice, bob] = [pipeline.user("alice").await, pipeline.user("bob").await];
        let mut posts = story(&pipeline, alice, count).await;
        let deleted = posts.remove(deleted);
        delete(&pipeline, deleted).await;
        follow(&pipeline, bob, alice).await;
        let mut due = newest(&posts, BROUGHT);
        assert_eq!(feed(&pipeline, bob).await, due, "of {count}");
        restore(&pipeline, deleted).await;
        due.push(deleted);
        due.sort_by(|a, b| b.cmp(a));
        assert_eq!(feed(&pipeline, bob).await, due, "of {count}, restored");
    }
}

async fn a_refollow_hides_older_entries(left_by_an_earlier_version: bool) {
    let home = Embedded::open();
    let pipeline = home.pipeline(20);
    for (count, dead) in [(105, 0), (115, 10), (125, 20), (130, 10)] {
        let [alice, bob] = [pipeline.user("alice").await, pipeline.user("bob").await];
        let posts = story(&pipeline, alice, count).await;
        let (living, deleted) = posts.split_at(count - dead);
        for post in deleted {
            delete(&pipeline, *post).await;
        }
        follow(&pipeline, bob, alice).await;
        // As fanned out during this follow.
        Feeds::new(home.store.clone()).put_for_reader(bob, &posts, home.clock.now()).await.unwrap();
        pipeline.graph.unfollow(bob, alice, pipeline.clock.now()).await.unwrap();
        if left_by_an_earlier_version {
            migration::predate_rules(&pipeline, bob, alice).await;
        }
        follow(&pipeline, bob, alice).await;
        assert_eq!(feed(&pipeline, bob).await, newest(living, BROUGHT), "of {count}, {dead} deleted");
    }
}

#[tokio::test]
async fn a_refollow_hides_older_entries_left_in_feed() {
    a_refollow_hides_older_entries(false).await;
}

#[tokio::test]
async fn a_refollow_hides_entries_of_earlier_versions() {
    a_refollow_hides_older_entries(true).await;
}

async fn brings_back_what_an_unfollow_took(pipeline: &Pipeline) {
    let [alice, bob] = [pipeline.user("alice").await, pipeline.user("bob").await];
    let mut posts = story(pipeline, alice, 150).await;
    for is_read_between in [false, true] {
        follow(pipeline, bob, alice).await;
        posts.push(pipeline.post(alice, "since").await);
        pipeline.drain().await;
        pipeline.graph.unfollow(bob, alice, pipeline.clock.now()).await.unwrap();
        if is_read_between {
            assert_eq!(feed(pipeline, bob).await, [], "gone at once");
        }
        posts.push(pipeline.post(alice, "missed").await);
        pipeline.drain().await;
        follow(pipeline, bob, alice).await;
        assert_eq!(feed(pipeline, bob).await, newest(&posts, BROUGHT));
        pipeline.graph.unfollow(bob, alice, pipeline.clock.now()).await.unwrap();
    }
    assert_eq!(pipeline.sweep().await, Swept::default());
}

#[tokio::test]
async fn a_refollow_restores_unfollowed_posts() {
    brings_back_what_an_unfollow_took(&Embedded::open().pipeline(20)).await;
}

#[tokio::test]
async fn a_refollow_restores_unfollowed_posts_on_dynamodb() {
    let home = Embedded::open();
    let store = Arc::new(engines::dynamo().await.store());
    brings_back_what_an_unfollow_took(&Pipeline::on(store, home.queue.clone(), home.clock.clone(), 20)).await;
}

#[tokio::test]
async fn a_post_in_the_follows_millisecond_is_shown() {
    let home = Embedded::open();
    let pipeline = home.pipeline(20);
    let [alice, bob] = [pipeline.user("alice").await, pipeline.user("bob").await];
    let before = pipeline.post(alice, "before").await;
    follow(&pipeline, bob, alice).await;
    let after = pipeline.post(alice, "after").await;
    assert_eq!(feed(&pipeline, bob).await, [before], "fan-out has not run");
    pipeline.drain().await;
    assert_eq!(feed(&pipeline, bob).await, [after, before]);
}

#[tokio::test]
async fn differing_clocks_lose_and_double_no_post() {
    const APART: Duration = Duration::from_secs(2);
    let home = Embedded::open();
    let pipeline = home.pipeline(20);
    for follows_ahead in [true, false] {
        for count in [5, 150] {
            let [alice, bob] = [pipeline.user("alice").await, pipeline.user("bob").await];
            let mut posts = story(&pipeline, alice, count).await;
            // Another process, with its own ids and clock.
            let graph = GraphService::new(home.store.clone(), Arc::new(IdGenerator::new()), RateLimiter::off());
            let now = home.clock.now();
            graph.follow(bob, alice, if follows_ahead { now.plus(APART) } else { now.minus(APART) }).await.unwrap();
            posts.push(pipeline.post(alice, "since the follow").await);
            pipeline.drain().await;
            // Whichever clock is right: the feed has the later post and a hundred earlier ones.
            assert_eq!(feed(&pipeline, bob).await, newest(&posts, BROUGHT + 1));
        }
    }
}

#[tokio::test]
async fn posts_fanned_out_before_the_edge_are_backfilled() {
    let home = Embedded::open();
    let pipeline = home.pipeline(20);
    let [alice, bob] = [pipeline.user("alice").await, pipeline.user("bob").await];
    let before = story(&pipeline, alice, 130).await;
    // The marker is made long before the transaction reaches the store.
    let marker = home.clock.now().minus(Duration::from_secs(10));
    let mut since = Vec::new();
    for _ in 0..120 {
        since.push(pipeline.post(alice, "meanwhile").await);
    }
    pipeline.drain().await;
    let graph = GraphService::new(home.store.clone(), Arc::new(IdGenerator::new()), RateLimiter::off());
    graph.follow(bob, alice, marker).await.unwrap();
    let due = [newest(&since, 120), newest(&before, BROUGHT)].concat();
    assert_eq!(feed(&pipeline, bob).await, due);
}

/// The store calls of a follow, without the reads of feeds.
async fn calls_of_a_follow(home: &Embedded, posts: usize, deleted: usize) -> StoreCounts {
    let counting = Arc::new(CountingStore::new(home.store.clone()));
    let pipeline = Pipeline::on(counting.clone(), home.queue.clone(), home.clock.clone(), 20);
    let [alice, bob] = [pipeline.user("alice").await, pipeline.user("bob").await];
    for post in story(&pipeline, alice, posts).await.iter().rev().take(deleted) {
        delete(&pipeline, *post).await;
    }
    counting.take_counts();
    follow(&pipeline, bob, alice).await;
    counting.take_counts()
}

#[tokio::test]
async fn a_follow_costs_a_fixed_number_of_calls() {
    let home = Embedded::open();
    let expected = StoreCounts {
        get: 2,
        query: 1,
        items_queried: 100,
        most_items_queried: 100,
        batch_get: 1,
        batch_get_keys: 100,
        batch_write: 4,
        batch_entries_written: 100,
        transact: 2,
        transact_entries: 7,
        strong_reads: 3,
        ..StoreCounts::default()
    };
    for count in [100, 150, 1_000] {
        assert_eq!(calls_of_a_follow(&home, count, 0).await, expected, "of {count}");
    }
    let past_deleted = calls_of_a_follow(&home, 150, 10).await;
    assert_eq!((past_deleted.query, past_deleted.batch_get, past_deleted.batch_write), (2, 2, 5));
    let of_nothing = calls_of_a_follow(&home, 0, 0).await;
    assert_eq!((of_nothing.batch_get, of_nothing.batch_write, of_nothing.transact), (0, 0, 2));
}

#[tokio::test]
async fn an_earlier_backfill_does_not_end_a_later() {
    let home = Embedded::open();
    let pipeline = home.pipeline(20);
    let [alice, bob] = [pipeline.user("alice").await, pipeline.user("bob").await];
    let (follows, ids, now) = (Follows::new(home.store.clone()), IdGenerator::new(), home.clock.now());
    let [first, second] = [ids.next_post_id(now), ids.next_post_id(now)];
    for marker in [first, second] {
        let _either_way = follows.remove(bob, alice, now).await.unwrap();
        assert!(matches!(follows.create(bob, alice, now, marker, now).await.unwrap(), Created::Now(_)));
    }
    let end = async |marker| {
        let done = Backfilled { marker, oldest: None, rule: None, is_retry: false };
        follows.finish_backfill(bob, alice, &done).await.unwrap().is_applied()
    };
    assert!(!end(first).await);
    let edges = follows.edges_from(bob, &[alice]).await.unwrap();
    assert_eq!(edges[&alice], Window::Backfilling(second));
    assert!(follows.retry_backfill(bob, alice, second).await.unwrap().is_applied());
    assert!(!end(second).await, "its first try");
    let retried = Backfilled { marker: second, oldest: None, rule: None, is_retry: true };
    assert!(follows.finish_backfill(bob, alice, &retried).await.unwrap().is_applied());
    assert!(!end(second).await, "once");
}

#[tokio::test]
async fn eventual_reads_do_not_affect_a_follow() {
    let home = Embedded::open();
    let stale = Arc::new(StaleStore::new(home.store.clone(), 1_000));
    let pipeline = Pipeline::on(stale.clone(), home.queue.clone(), home.clock.clone(), 20);
    let [alice, bob] = [pipeline.user("alice").await, pipeline.user("bob").await];
    let posts = story(&pipeline, alice, 130).await;
    stale.catch_up();
    for post in posts.iter().rev().take(10) {
        delete(&pipeline, *post).await;
    }
    let mut living = posts[..120].to_vec();
    // The deleted ones are copied too, and show up in eventual reads until the replicas have caught up.
    let deleted = &posts[120..];
    let living_in = async || {
        let feed = feed(&pipeline, bob).await.into_iter();
        feed.filter(|post| !deleted.contains(post)).collect::<Vec<_>>()
    };
    follow(&pipeline, bob, alice).await;
    assert_eq!(living_in().await, newest(&living, BROUGHT), "deleted posts displace no living ones");
    living.push(pipeline.post(alice, "since").await);
    pipeline.drain().await;
    pipeline.graph.unfollow(bob, alice, pipeline.clock.now()).await.unwrap();
    assert_eq!(feed(&pipeline, bob).await, []);
    follow(&pipeline, bob, alice).await;
    assert_eq!(living_in().await, newest(&living, BROUGHT));
    living.push(pipeline.post(alice, "since").await);
    pipeline.drain().await;
    assert_eq!(living_in().await, newest(&living, BROUGHT + 1));
    stale.catch_up();
    assert_eq!(feed(&pipeline, bob).await, newest(&living, BROUGHT + 1));
}

#[tokio::test(start_paused = true)]
async fn feeds_are_right_after_a_storm_of_faults() {
    const FAULTS: StoreFaults =
        StoreFaults { throttled: 0.2, unavailable_before: 0.1, unavailable_after: 0.1, unprocessed: 0.2 };
    let home = Embedded::open();
    let store = Arc::new(FaultyStore::new(home.store.clone(), FAULTS, 1));
    let [stormy, calm] = [Pipeline::on(store.clone(), home.queue.clone(), home.clock.clone(), 20), home.pipeline(20)];
    for _ in 0..10 {
        let [alice, bob] = [calm.user("alice").await, calm.user("bob").await];
        let posts = story(&calm, alice, 120).await;
        for _ in 0..3 {
            // Two windows concurrently, each retrying until it succeeds.
            let insist = || async {
                while let Err(error) = stormy.graph.follow(bob, alice, home.clock.now()).await {
                    assert!(error.is_transient(), "{error:?}");
                }
            };
            futures::join!(insist(), insist());
            assert_eq!(feed(&calm, bob).await, newest(&posts, BROUGHT));
            while stormy.graph.unfollow(bob, alice, stormy.clock.now()).await.is_err() {}
            assert_eq!(feed(&calm, bob).await, []);
        }
    }
    home.clock.advance(limits::BACKFILL_LEASE);
    assert_eq!(calm.sweep().await, Swept::default());
    assert!(store.counts().has_every_kind(), "{:?}", store.counts());
}

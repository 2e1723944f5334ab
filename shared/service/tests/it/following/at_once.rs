//! Follows, posts and reads run concurrently, in a random order.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use domain::UserId;
use parking_lot::Mutex;
use ports::{queue::QueueName, store::Store};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use service_testkit::pipeline::Pipeline;
use testkit::faults::HookedStore;

use super::{
    follow,
    town::{feed, story},
};
use service_testkit::Embedded;

/// A store that lets concurrent tasks go first before each of its calls.
fn jostled(store: &Arc<dyn Store>, seed: u64) -> Arc<dyn Store> {
    let rng = Mutex::new(StdRng::seed_from_u64(seed));
    Arc::new(HookedStore::before(Arc::clone(store), move |call| {
        let others = if call.is_about_items() { rng.lock().random_range(0..8) } else { 0 };
        Box::pin(async move {
            for _ in 0..others {
                tokio::task::yield_now().await;
            }
            Ok(())
        })
    }))
}

/// Follows and unfollows, as one client of a user does.
async fn change_mind(pipeline: &Pipeline, follower: UserId, followee: UserId, wishes: &[bool]) {
    for follows in wishes {
        if *follows {
            follow(pipeline, follower, followee).await;
        } else {
            pipeline.graph.unfollow(follower, followee, pipeline.clock.now()).await.unwrap();
        }
    }
}

/// Alice posts, Bob follows and unfollows in two windows and reads in two others, while the queues are worked off.
async fn jostle(home: &Embedded, seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut wishes = || (0..3).map(|_| rng.random_bool(0.6)).collect::<Vec<bool>>();
    let windows = [wishes(), wishes()];
    let pipeline = &Pipeline::on(jostled(&home.store, seed), home.queue.clone(), home.clock.clone(), 20);
    let [alice, bob] = [pipeline.user("alice").await, pipeline.user("bob").await];
    let mut posts = story(pipeline, alice, 10).await;
    let has_decided = AtomicBool::new(false);
    let deciding = async {
        let [one, other] = windows.each_ref().map(|wishes| change_mind(pipeline, bob, alice, wishes));
        futures::join!(one, other);
        has_decided.store(true, Ordering::Relaxed);
    };
    let reading = || async {
        while !has_decided.load(Ordering::Relaxed) {
            feed(pipeline, bob).await;
        }
    };
    let posting = async {
        for _ in 0..5 {
            posts.push(pipeline.post(alice, "in the crowd").await);
        }
    };
    let working = async {
        while !has_decided.load(Ordering::Relaxed) {
            pipeline.turn(QueueName::PostQ).await;
            pipeline.turn(QueueName::JobQ).await;
            tokio::task::yield_now().await;
        }
    };
    futures::join!(posting, deciding, reading(), reading(), working);
    posts.reverse();
    let is_followed = pipeline.graph.follows(bob, alice).await.unwrap();
    pipeline.drain().await;
    let due = if is_followed { posts.clone() } else { vec![] };
    assert_eq!(feed(pipeline, bob).await, due, "seed {seed}");
    follow(pipeline, bob, alice).await;
    assert_eq!(feed(pipeline, bob).await, posts, "seed {seed}");
}

#[tokio::test]
async fn concurrent_follows_posts_and_reads_converge() {
    let home = Embedded::open();
    for seed in 0..150 {
        Box::pin(jostle(&home, seed)).await;
    }
}

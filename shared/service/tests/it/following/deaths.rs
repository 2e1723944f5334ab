//! A follow that is interrupted at any call, and the ways to repair it.

use std::{sync::Arc, time::Duration};

use data::{Backfills, keys};
use domain::{UserId, limits};
use ports::store::{Item, Table, Write};
use service::sweep::Swept;
use service_testkit::pipeline::Pipeline;
use testkit::crash::{Death, Life, MortalStore};

use super::{
    BROUGHT, follow, newest,
    town::{delete, feed, restore, story},
};
use service_testkit::Embedded;

/// The way in which an interrupted follow is finished.
#[derive(Debug, Clone, Copy)]
enum MadeGoodBy {
    FollowingAgain,
    TheSweeper,
    ARestart,
}

async fn make_good(pipeline: &Pipeline, follower: UserId, followee: UserId, by: MadeGoodBy) {
    match by {
        MadeGoodBy::FollowingAgain => follow(pipeline, follower, followee).await,
        MadeGoodBy::TheSweeper => {
            assert_eq!(pipeline.sweep().await, Swept::default(), "the lease still runs");
            pipeline.clock.advance(limits::BACKFILL_LEASE);
            pipeline.sweep().await;
            assert_eq!(pipeline.sweep().await, Swept::default(), "nothing is left");
        }
        MadeGoodBy::ARestart => drop(pipeline.reclaim(&[].into()).await),
    }
}

/// Runs a follow that dies at a call, with reads and a post before it is finished. Returns whether it survived.
async fn dying_follow(home: &Embedded, calls: i64, death: Death, by: MadeGoodBy) -> bool {
    let healthy = home.pipeline(20);
    let [alice, bob] = [healthy.user("alice").await, healthy.user("bob").await];
    let mut posts = story(&healthy, alice, 120).await;
    let life = Life::of(calls, death);
    let store = Arc::new(MortalStore::with(home.store.clone(), life.clone()));
    let mortal = Pipeline::on(store, home.queue.clone(), home.clock.clone(), 20);
    // There are two id generators: only a later millisecond orders their ids.
    home.clock.advance(Duration::from_millis(1));
    let survived = life.live(follow(&mortal, bob, alice)).await.is_some();
    home.clock.advance(Duration::from_millis(1));

    let context = format!("{calls} calls, {death:?}, {by:?}");
    let is_made = healthy.graph.follows(bob, alice).await.unwrap();
    let allowed = if is_made { newest(&posts, BROUGHT) } else { vec![] };
    // Reading removes outdated entries, but must not remove those being backfilled.
    let seen = feed(&healthy, bob).await;
    assert!(seen.iter().all(|post| allowed.contains(post)), "{context}: {seen:?}");
    assert!(!survived || seen == allowed, "{context}");
    let since = healthy.post(alice, "since").await;
    healthy.drain().await;
    posts.push(since);
    make_good(&healthy, bob, alice, by).await;
    let due = match (is_made, by) {
        (true, _) => [vec![since], allowed].concat(),
        // The follow is made now, after the post.
        (false, MadeGoodBy::FollowingAgain) => newest(&posts, BROUGHT),
        (false, _) => vec![],
    };
    assert_eq!(feed(&healthy, bob).await, due, "{context}");
    let backfills = Backfills::new(home.store.clone());
    for shard in 0..limits::TASK_SHARDS {
        let later = home.clock.now().plus(limits::BACKFILL_LEASE);
        assert_eq!(backfills.page_of_expired(shard, later, None).await.unwrap(), (vec![], None), "{context}");
    }
    survived
}

#[tokio::test]
async fn a_follow_recovers_from_death_at_any_call() {
    let home = Embedded::open();
    for by in [MadeGoodBy::FollowingAgain, MadeGoodBy::TheSweeper, MadeGoodBy::ARestart] {
        for death in [Death::Before, Death::After] {
            let mut calls = 0;
            while !dying_follow(&home, calls, death, by).await {
                calls += 1;
            }
            assert!(calls >= 9, "a follow made {calls} calls: too few to be all of it");
        }
    }
}

/// Runs a follow that dies at a call, and whose retry finds newer posts to copy. Returns whether it survived.
async fn dying_follow_before_a_restore(home: &Embedded, calls: i64) -> bool {
    let healthy = home.pipeline(20);
    let [alice, bob] = [healthy.user("alice").await, healthy.user("bob").await];
    let posts = story(&healthy, alice, 105).await;
    for post in &posts[100..] {
        delete(&healthy, *post).await;
    }
    let life = Life::of(calls, Death::Before);
    let store = Arc::new(MortalStore::with(home.store.clone(), life.clone()));
    let mortal = Pipeline::on(store, home.queue.clone(), home.clock.clone(), 20);
    let survived = life.live(follow(&mortal, bob, alice)).await.is_some();
    for post in &posts[100..] {
        restore(&healthy, *post).await;
    }
    home.clock.advance(limits::BACKFILL_LEASE);
    healthy.sweep().await;
    let due = match (survived, healthy.graph.follows(bob, alice).await.unwrap()) {
        // Those deleted at the time of the follow were copied as well.
        (true, _) => newest(&posts, 105),
        (false, true) => newest(&posts, BROUGHT),
        (false, false) => vec![],
    };
    assert_eq!(feed(&healthy, bob).await, due, "{calls} calls");
    survived
}

#[tokio::test]
async fn a_retried_backfill_hides_its_first_trys_posts() {
    let home = Embedded::open();
    let mut calls = 0;
    while !dying_follow_before_a_restore(&home, calls).await {
        calls += 1;
    }
}

#[tokio::test]
async fn an_unfollow_leaves_no_backfill_to_sweep() {
    let home = Embedded::open();
    let healthy = home.pipeline(20);
    let [alice, bob] = [healthy.user("alice").await, healthy.user("bob").await];
    story(&healthy, alice, 3).await;
    let life = Life::of(4, Death::Before);
    let store = Arc::new(MortalStore::with(home.store.clone(), life.clone()));
    let mortal = Pipeline::on(store, home.queue.clone(), home.clock.clone(), 20);
    assert!(life.live(follow(&mortal, bob, alice)).await.is_none());
    assert!(healthy.graph.follows(bob, alice).await.unwrap());
    healthy.graph.unfollow(bob, alice, healthy.clock.now()).await.unwrap();
    home.clock.advance(limits::BACKFILL_LEASE);
    assert_eq!(healthy.sweep().await, Swept::default());
    assert_eq!(feed(&healthy, bob).await, []);
}

#[tokio::test]
async fn the_sweep_removes_rows_without_a_backfill() {
    let home = Embedded::open();
    let pipeline = home.pipeline(20);
    let [alice, bob, carol] = [pipeline.user("alice").await, pipeline.user("bob").await, pipeline.user("carol").await];
    follow(&pipeline, bob, alice).await;
    let backfills = Backfills::new(home.store.clone());
    for follower in [bob, carol] {
        let item = Item::new(keys::backfill(follower, alice)).with("lease_until", 0);
        assert!(home.store.write(Table::Social, Write::put(item)).await.unwrap().is_applied());
    }
    assert_eq!(pipeline.sweep().await, Swept::default());
    for shard in 0..limits::TASK_SHARDS {
        let rows = backfills.page_of_expired(shard, home.clock.now(), None).await.unwrap();
        assert_eq!(rows, (vec![], None));
    }
    assert!(pipeline.graph.follows(bob, alice).await.unwrap());
}

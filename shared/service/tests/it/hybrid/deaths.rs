//! Promotions, follows and posts that are interrupted at any call.

use std::{sync::Arc, time::Duration};

use data::DeliveryMode;
use domain::{PostId, PostText, UserId, limits};
use ports::queue::QueueName;
use service_testkit::{Embedded, pipeline::Pipeline};
use testkit::crash::{Death, Life, MortalQueue, MortalStore};

use super::{THRESHOLD, count, feed, forget_stories, is_pulled, mode, pipeline, pulled_author};
use service::promotion::PullThreshold;

/// A process that dies at a call to one of its ports.
fn mortal(home: &Embedded, life: &Arc<Life>) -> Pipeline {
    let store = Arc::new(MortalStore::with(home.store.clone(), life.clone()));
    let queue = Arc::new(MortalQueue::with(home.queue.clone(), life.clone()));
    // Every process makes its own ids: only a later millisecond orders them.
    home.clock.advance(Duration::from_millis(1));
    Pipeline::on(store, queue, home.clock.clone(), 2).with_pull_threshold(PullThreshold::from(THRESHOLD))
}

async fn check(healthy: &Pipeline, home: &Embedded, followers: &[UserId], expected: &[PostId], context: &str) {
    forget_stories(home);
    for reader in followers {
        assert_eq!(feed(healthy, *reader).await, expected, "{context}");
    }
}

/// Runs `scene` with deaths at the first call, the second and so on, until one survives.
async fn at_any_call(least: i64, scene: impl AsyncFn(Arc<Life>, &str) -> bool) {
    for death in [Death::Before, Death::After] {
        let mut calls = 0;
        while !scene(Life::of(calls, death), &format!("{calls} calls, {death:?}")).await {
            calls += 1;
        }
        assert!(calls >= least, "it survived {calls} calls: too few to be all of it");
    }
}

#[tokio::test]
async fn a_promotion_recovers_from_death_at_any_call() {
    let home = Embedded::open();
    at_any_call(8, async |life, context| {
        let healthy = pipeline(&home);
        let (author, followers) = healthy.author_with_followers(5).await;
        count(&home).await;
        let first = healthy.post(author, "begins the promotion").await;
        // The post's own fan-out, then the promotion.
        healthy.turn(QueueName::PostQ).await;
        let mortal = mortal(&home, &life);
        let survived = life.live(mortal.turn(QueueName::PostQ)).await.is_some();
        let meanwhile = healthy.post(author, "meanwhile").await;
        healthy.drain().await;
        assert!(is_pulled(&home, author).await, "{context}");
        let last = healthy.post(author, "pulled").await;
        assert_eq!(healthy.messages_in(QueueName::PostQ).await, 0, "{context}");
        check(&healthy, &home, &followers, &[last, meanwhile, first], context).await;
        survived
    })
    .await;
}

#[tokio::test]
async fn a_promoting_post_recovers_from_death_at_any_call() {
    let home = Embedded::open();
    at_any_call(6, async |life, context| {
        let healthy = pipeline(&home);
        let (author, followers) = healthy.author_with_followers(3).await;
        count(&home).await;
        let mortal = mortal(&home, &life);
        let text = PostText::parse("begins the promotion").unwrap();
        let survived = life.live(mortal.publish.publish(author, text, None, home.clock.now())).await.is_some();
        home.clock.advance(Duration::from_millis(1));
        let next = healthy.post(author, "retries the promotion").await;
        healthy.drain().await;
        assert!(is_pulled(&home, author).await, "{context}");
        let last = healthy.post(author, "pulled").await;
        let mut expected = feed(&healthy, author).await;
        assert_eq!(expected[..2], [last, next], "{context}");
        assert!(!survived || expected.len() == 3, "{context}");
        expected.truncate(3);
        check(&healthy, &home, &followers, &expected, context).await;
        survived
    })
    .await;
}

#[tokio::test]
async fn a_pulled_post_recovers_from_death_at_any_call() {
    let home = Embedded::open();
    at_any_call(4, async |life, context| {
        let healthy = pipeline(&home);
        let (author, followers, first) = pulled_author(&home, &healthy).await;
        // Noticed by the post: it takes the promotion back.
        healthy.graph.unfollow(followers[0], author, home.clock.now()).await.unwrap();
        count(&home).await;
        let mortal = mortal(&home, &life);
        let text = PostText::parse("pulled").unwrap();
        let survived = life.live(mortal.publish.publish(author, text, None, home.clock.now())).await.is_some();
        home.clock.advance(Duration::from_millis(1));
        let posts = [healthy.post(author, "next").await, healthy.post(author, "pushed").await];
        healthy.drain().await;
        assert!(matches!(mode(&home, author).await, DeliveryMode::Push { pulled_until: Some(_) }), "{context}");
        let expected = feed(&healthy, author).await;
        assert_eq!((expected[0], expected[1], *expected.last().unwrap()), (posts[1], posts[0], first), "{context}");
        assert!(!survived || expected.len() == 4, "{context}");
        check(&healthy, &home, &followers[1..], &expected, context).await;
        survived
    })
    .await;
}

#[tokio::test]
async fn a_pulled_authors_follow_recovers_from_death() {
    let home = Embedded::open();
    at_any_call(8, async |life, context| {
        let healthy = pipeline(&home);
        let (author, _, first) = pulled_author(&home, &healthy).await;
        let reader = healthy.user("late").await;
        let mortal = mortal(&home, &life);
        let survived = life.live(mortal.graph.follow(reader, author, home.clock.now())).await.is_some();
        home.clock.advance(Duration::from_millis(1));
        let is_made = healthy.graph.follows(reader, author).await.unwrap();
        let since = healthy.post(author, "since").await;
        home.clock.advance(limits::BACKFILL_LEASE);
        healthy.sweep().await;
        let expected = if is_made { vec![since, first] } else { vec![] };
        check(&healthy, &home, &[reader], &expected, context).await;
        let last = healthy.post(author, "after the sweep").await;
        let expected = if is_made { vec![last, since, first] } else { vec![] };
        check(&healthy, &home, &[reader], &expected, context).await;
        survived
    })
    .await;
}

//! Merge rules: how many are found, and when they end.

use data::{Readers, Transaction};
use domain::{PageLimit, Rule, UserId, limits};
use service::graph::GraphService;
use service_testkit::{Embedded, pipeline::Pipeline};

use super::{count, feed, forget_stories, is_pulled, mode, pipeline, pulled_author};
use data::{Db, DeliveryMode};

async fn rule(home: &Embedded, reader: UserId, author: UserId) -> Option<Rule> {
    Readers::new(home.store.clone()).rule(reader, author).await.unwrap()
}

/// An author whose posts were pulled once, and two followers.
async fn demoted_author(home: &Embedded, pipeline: &Pipeline) -> (UserId, Vec<UserId>) {
    let (author, followers, _) = pulled_author(home, pipeline).await;
    pipeline.graph.unfollow(followers[0], author, home.clock.now()).await.unwrap();
    count(home).await;
    pipeline.post(author, "the last one pulled").await;
    assert!(matches!(mode(home, author).await, DeliveryMode::Push { pulled_until: Some(_) }));
    (author, followers[1..].to_vec())
}

#[tokio::test]
async fn a_rule_ends_when_no_pulled_post_is_left() {
    let home = Embedded::open();
    let pipeline = pipeline(&home);
    let (author, followers) = demoted_author(&home, &pipeline).await;
    let reader = followers[0];
    let read = async || {
        forget_stories(&home);
        pipeline.feeds.page(reader, None, PageLimit::new(20).unwrap()).await.unwrap();
        pipeline.feeds.background().idle().await;
    };
    home.clock.advance(limits::FEED_ENTRY_TTL);
    read().await;
    assert!(rule(&home, reader, author).await.is_some_and(|rule| rule.merge_since.is_some()));
    home.clock.advance(limits::PULLED_MARGIN);
    read().await;
    assert_eq!(rule(&home, reader, author).await, None);
}

#[tokio::test]
async fn a_promotion_merges_no_posts_before_the_follow() {
    let home = Embedded::open();
    let pipeline = pipeline(&home);
    let (author, _followers) = pipeline.author_with_followers(2).await;
    // All in one millisecond, and more than a backfill copies.
    for n in 0..limits::BACKFILLED_POSTS + 20 {
        pipeline.post(author, &n.to_string()).await;
    }
    pipeline.drain().await;
    let reader = pipeline.user("reader").await;
    pipeline.graph.follow(reader, author, home.clock.now()).await.unwrap();
    count(&home).await;
    pipeline.post(author, "begins the promotion").await;
    pipeline.drain().await;
    assert!(is_pulled(&home, author).await);
    pipeline.post(author, "pulled").await;
    forget_stories(&home);
    assert_eq!(feed(&pipeline, reader).await.len(), limits::BACKFILLED_POSTS + 2);
}

#[tokio::test]
async fn a_post_older_than_its_promotion_is_pushed() {
    let home = Embedded::open();
    let pipeline = pipeline(&home);
    let (author, followers, _) = pulled_author(&home, &pipeline).await;
    let DeliveryMode::Pull { since } = mode(&home, author).await else { panic!("it is pulled") };
    // The process that publishes is a second behind the one that promoted.
    home.clock.step_to(since.created_at().minus(std::time::Duration::from_secs(1)));
    let other = super::pipeline(&home);
    let post = other.post(author, "by a slow clock").await;
    assert!(post < since, "the ids of another process");
    other.drain().await;
    forget_stories(&home);
    for reader in followers {
        assert!(feed(&pipeline, reader).await.contains(&post));
    }
}

#[tokio::test]
async fn a_second_promotion_keeps_rules_from_ending() {
    let home = Embedded::open();
    let pipeline = pipeline(&home);
    let (author, followers) = demoted_author(&home, &pipeline).await;
    home.clock.advance(limits::FEED_ENTRY_TTL + limits::PULLED_MARGIN);
    for _ in 0..2 {
        let follower = pipeline.user("new").await;
        pipeline.graph.follow(follower, author, home.clock.now()).await.unwrap();
    }
    count(&home).await;
    pipeline.post(author, "begins the second promotion").await;
    forget_stories(&home);
    feed(&pipeline, followers[0]).await;
    pipeline.feeds.background().idle().await;
    assert!(rule(&home, followers[0], author).await.is_some_and(|rule| rule.merge_since.is_some()));
}

#[tokio::test]
async fn merge_rules_beyond_the_first_query_are_found() {
    let home = Embedded::open();
    let pipeline = pipeline(&home);
    let (author, followers, first) = pulled_author(&home, &pipeline).await;
    let pulled = pipeline.post(author, "pulled").await;
    let (reader, now) = (followers[0], home.clock.now());
    let db = Db::from(home.store.clone());
    let left: Vec<UserId> = (0..limits::RULES_READ_WHOLE + 100).map(|_| UserId::random()).collect();
    for some in left.chunks(limits::MAX_TRANSACT) {
        let rules: Transaction = some.iter().map(|author| Readers::leaving(reader, *author, now)).collect();
        assert!(rules.commit(&db).await.unwrap().is_applied());
    }
    forget_stories(&home);
    assert_eq!(feed(&pipeline, reader).await, [pulled, first]);
}

#[tokio::test]
async fn a_late_rule_shows_nothing_after_an_unfollow() {
    let home = Embedded::open();
    let pipeline = pipeline(&home);
    let (author, followers, _) = pulled_author(&home, &pipeline).await;
    let reader = followers[0];
    let since = rule(&home, reader, author).await.and_then(|rule| rule.merge_since).unwrap();
    pipeline.graph.unfollow(reader, author, home.clock.now()).await.unwrap();
    Readers::new(home.store.clone()).merge_from(reader, author, since).await.unwrap();
    assert_eq!(rule(&home, reader, author).await, Some(Rule::LEFT));
    pipeline.post(author, "pulled").await;
    forget_stories(&home);
    assert_eq!(feed(&pipeline, reader).await, []);
    // It merges again because the follow reads the mode, not because of what was left.
    GraphService::clone(&pipeline.graph).follow(reader, author, home.clock.now()).await.unwrap();
    assert!(rule(&home, reader, author).await.is_some_and(|rule| rule.merge_since.is_some() && !rule.left));
}

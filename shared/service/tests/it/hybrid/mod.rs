//! Hybrid delivery: the posts of authors with many followers are merged into feeds when these are read. Feeds are the
//! same as if every post were fanned out, through promotions, demotions, follows in between, and crashes at any call.

mod deaths;
mod model;
mod rules;

use std::{sync::Arc, time::Duration};

use data::{DeliveryMode, DeliveryModes, Readers};
use domain::{IdGenerator, PageLimit, PostId, PostText, UserId, limits};
use futures::FutureExt as _;
use ports::{changes::ChangeLog as _, queue::QueueName};
use service::{
    changes::{Applied, ChangeService},
    live::{Hub, HubOptions, LiveEvent, LiveService, hub::Next},
    promotion::PullThreshold,
};
use service_testkit::{
    Embedded,
    pipeline::{Pipeline, START},
};
use testkit::faults::CountingStore;

/// Followers from which posts are pulled in these tests; with fewer than this they are pushed again.
const THRESHOLD: u64 = 3;

fn pipeline(home: &Embedded) -> Pipeline {
    home.pipeline(2).with_pull_threshold(PullThreshold::from(THRESHOLD))
}

/// Derives all counts from the follows so far.
async fn count(home: &Embedded) {
    let service = ChangeService::new(home.store.clone(), Arc::new(IdGenerator::new()));
    loop {
        let changes = home.changes.read(limits::MAX_CHANGES, Duration::ZERO).await.unwrap();
        let Some(last) = changes.last() else { return };
        let applied = service.apply(&changes, home.clock.now()).await;
        assert!(applied.iter().all(|applied| matches!(applied, Applied::Done)));
        home.changes.pass(last).await.unwrap();
    }
}

async fn mode(home: &Embedded, author: UserId) -> DeliveryMode {
    DeliveryModes::new(home.store.clone()).get(author).await.unwrap()
}

async fn is_pulled(home: &Embedded, author: UserId) -> bool {
    matches!(mode(home, author).await, DeliveryMode::Pull { .. })
}

/// Lets cached stories expire.
fn forget_stories(home: &Embedded) {
    home.clock.advance(limits::NEWEST_TTL);
}

/// The whole feed at each page size, the same at all of them: every page but the last is full, and the last one says
/// that nothing follows.
async fn feed(pipeline: &Pipeline, reader: UserId) -> Vec<PostId> {
    let mut whole: Option<Vec<PostId>> = None;
    for limit in [1, 7, 20, 100] {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = pipeline.feeds.page(reader, after, PageLimit::new(limit).unwrap()).await.unwrap();
            seen.extend(page.items.iter().map(|view| view.post.post_id));
            after = page.next;
            if after.is_none() {
                break;
            }
            assert_eq!(page.items.len(), limit as usize, "a page in the middle is full");
        }
        assert!(seen.is_sorted_by(|newer, older| newer > older), "newest first, none twice");
        assert_eq!(*whole.get_or_insert_with(|| seen.clone()), seen, "pages of {limit}");
    }
    whole.unwrap()
}

/// An author whose posts are pulled, their followers, and the post with which that began.
async fn pulled_author(home: &Embedded, pipeline: &Pipeline) -> (UserId, Vec<UserId>, PostId) {
    let (author, followers) = pipeline.author_with_followers(3).await;
    count(home).await;
    let first = pipeline.post(author, "the last one pushed").await;
    pipeline.drain().await;
    assert!(is_pulled(home, author).await);
    (author, followers, first)
}

#[tokio::test]
async fn a_pulled_post_reaches_followers_without_fan_out() {
    let home = Embedded::open();
    let pipeline = pipeline(&home);
    let (author, followers, first) = pulled_author(&home, &pipeline).await;
    let second = pipeline.post(author, "pulled").await;
    assert_eq!([pipeline.messages_in(QueueName::PostQ).await, pipeline.messages_in(QueueName::JobQ).await], [0, 0]);
    forget_stories(&home);
    for reader in followers.iter().chain([&author]) {
        assert_eq!(feed(&pipeline, *reader).await, [second, first]);
    }
    let stranger = pipeline.user("stranger").await;
    assert_eq!(feed(&pipeline, stranger).await, []);
}

#[tokio::test]
async fn an_author_below_the_threshold_is_pushed() {
    let home = Embedded::open();
    let pipeline = pipeline(&home);
    let (author, _followers) = pipeline.author_with_followers(2).await;
    count(&home).await;
    pipeline.post(author, "pushed").await;
    pipeline.drain().await;
    assert_eq!(mode(&home, author).await, DeliveryMode::DEFAULT);
}

#[tokio::test]
async fn a_demotion_keeps_pulled_posts_in_feeds() {
    let home = Embedded::open();
    let pipeline = pipeline(&home);
    let (author, followers, first) = pulled_author(&home, &pipeline).await;
    let pulled = pipeline.post(author, "pulled").await;
    pipeline.graph.unfollow(followers[0], author, home.clock.now()).await.unwrap();
    count(&home).await;
    let last_pulled = pipeline.post(author, "pulled, and noticed").await;
    assert!(matches!(mode(&home, author).await, DeliveryMode::Push { pulled_until: Some(_) }));
    let pushed = pipeline.post(author, "pushed").await;
    pipeline.drain().await;
    forget_stories(&home);
    assert_eq!(feed(&pipeline, followers[0]).await, []);
    for reader in &followers[1..] {
        assert_eq!(feed(&pipeline, *reader).await, [pushed, last_pulled, pulled, first]);
    }
}

#[tokio::test]
async fn an_unfollow_hides_pulled_posts_at_once() {
    let home = Embedded::open();
    let pipeline = pipeline(&home);
    let (author, followers, first) = pulled_author(&home, &pipeline).await;
    let reader = followers[0];
    let pulled = pipeline.post(author, "pulled").await;
    forget_stories(&home);
    assert_eq!(feed(&pipeline, reader).await, [pulled, first]);
    pipeline.graph.unfollow(reader, author, home.clock.now()).await.unwrap();
    assert_eq!(feed(&pipeline, reader).await, []);
    pipeline.graph.follow(reader, author, home.clock.now()).await.unwrap();
    let since = pipeline.post(author, "since the second follow").await;
    forget_stories(&home);
    assert_eq!(feed(&pipeline, reader).await, [since, pulled, first]);
}

#[tokio::test]
async fn a_follow_of_a_pulled_author_shows_later_posts() {
    let home = Embedded::open();
    let pipeline = pipeline(&home);
    let (author, _, first) = pulled_author(&home, &pipeline).await;
    let before = pipeline.post(author, "before").await;
    let reader = pipeline.user("late").await;
    pipeline.graph.follow(reader, author, home.clock.now()).await.unwrap();
    assert_eq!(feed(&pipeline, reader).await, [before, first], "backfilled");
    let since = pipeline.post(author, "since").await;
    forget_stories(&home);
    assert_eq!(feed(&pipeline, reader).await, [since, before, first]);
}

#[tokio::test]
async fn a_follow_during_a_promotion_is_merged() {
    let home = Embedded::open();
    let pipeline = pipeline(&home);
    let (author, _followers) = pipeline.author_with_followers(3).await;
    count(&home).await;
    let first = pipeline.post(author, "begins the promotion").await;
    let reader = pipeline.user("late").await;
    pipeline.graph.follow(reader, author, home.clock.now()).await.unwrap();
    pipeline.drain().await;
    let rule = Readers::new(home.store.clone()).rule(reader, author).await.unwrap();
    assert!(rule.is_some_and(|rule| rule.merge_since.is_some()));
    let pulled = pipeline.post(author, "pulled").await;
    forget_stories(&home);
    assert_eq!(feed(&pipeline, reader).await, [pulled, first]);
}

#[tokio::test]
async fn a_readers_page_reads_cached_stories_only() {
    let home = Embedded::open();
    let healthy = pipeline(&home);
    let (author, followers, _) = pulled_author(&home, &healthy).await;
    healthy.post(author, "pulled").await;
    let counting = Arc::new(CountingStore::new(home.store.clone()));
    let pipeline = Pipeline::on(counting.clone(), home.queue.clone(), home.clock.clone(), 2);
    let limit = PageLimit::new(20).unwrap();
    let mut queries = Vec::new();
    for reader in &followers {
        counting.take_counts();
        pipeline.feeds.page(*reader, None, limit).await.unwrap();
        queries.push(counting.take_counts().query);
    }
    // The entries, the rules and the reader's likes; for the first reader also the story.
    assert_eq!(queries, [4, 3, 3]);
}

#[tokio::test]
async fn concurrent_readers_share_one_read_of_a_story() {
    let home = Embedded::open();
    let healthy = pipeline(&home);
    let (_, followers, _) = pulled_author(&home, &healthy).await;
    let counting = Arc::new(CountingStore::new(home.store.clone()));
    let pipeline = Pipeline::on(counting.clone(), home.queue.clone(), home.clock.clone(), 2);
    let limit = PageLimit::new(20).unwrap();
    let pages = followers.iter().map(|reader| pipeline.feeds.page(*reader, None, limit));
    futures::future::try_join_all(pages).await.unwrap();
    assert_eq!(counting.take_counts().query, 3 * 3 + 1);
}

#[tokio::test]
async fn a_connected_follower_hears_of_a_pulled_post() {
    let home = Embedded::open();
    let pipeline = pipeline(&home);
    let (author_id, followers, _) = pulled_author(&home, &pipeline).await;
    let hub = Hub::new(home.clock.clone(), HubOptions::default());
    let stranger = pipeline.user("stranger").await;
    let expiry = START.plus(limits::ACCESS_TOKEN_TTL);
    let streams = [followers[0], followers[1], stranger].map(|user| hub.open(user, expiry));
    pipeline.graph.unfollow(followers[1], author_id, home.clock.now()).await.unwrap();
    let live = LiveService::new(home.store.clone(), hub);
    let publish = pipeline.publish.clone().with_live_events(Some(live.clone()));
    let text = PostText::parse("pulled").unwrap();
    let post_id = publish.publish(author_id, text, None, home.clock.now()).await.unwrap().post.post_id;
    assert_eq!(streams[0].next().await, Next::Event(LiveEvent::Feed { post_id, author_id }));
    live.announced().await;
    assert!(streams[1..].iter().all(|stream| stream.next().now_or_never().is_none()));
}

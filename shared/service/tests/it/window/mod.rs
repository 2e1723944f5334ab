//! Feeds beyond their window, after an absence, and after a loss of entries: complete, without a visible seam.

mod model;

use std::{sync::Arc, time::Duration};

use data::{Activity, Backfills, Feeds, Follows, Readers, keys};
use domain::{Clock, PageLimit, PostId, UserId, limits};
use ports::store::{EXPIRES_AT, Query, Table, Write};
use service::{ServiceError, feeds::FeedService, rebuild::RebuildLimits, views::PostViews};
use service_testkit::{Embedded, pipeline::Pipeline};
use testkit::{
    crash::{Death, Life, MortalStore},
    faults::CountingStore,
};

use super::following::town::{delete, restore, story};

const DAY: Duration = Duration::from_hours(24);
const LIMITS: [u32; 4] = [1, 7, 20, 100];

/// Small enough that a few posts and people need several rebuilds, follow pages and requests.
const SMALL: RebuildLimits = RebuildLimits { posts: 10, stories: 1_000, stories_per_page: 2 };

fn small(pipeline: Pipeline) -> Pipeline {
    within(pipeline, SMALL)
}

fn within(mut pipeline: Pipeline, limits: RebuildLimits) -> Pipeline {
    pipeline.feeds = pipeline.feeds.rebuilding_within(limits);
    pipeline
}

async fn follow(pipeline: &Pipeline, follower: UserId, followee: UserId) {
    pipeline.graph.follow(follower, followee, pipeline.clock.now()).await.unwrap();
}

/// The posts, newest first.
fn newest_first(mut posts: Vec<PostId>) -> Vec<PostId> {
    posts.sort_unstable_by(|one, other| other.cmp(one));
    posts
}

/// Removes a reader's expired entries, as the stores do.
async fn expire(pipeline: &Pipeline, reader: UserId) {
    let now = pipeline.clock.now().as_secs().cast_signed();
    let query = Query::all_of(Table::Feed, keys::feed_partition(reader));
    for item in pipeline.store.query(&query).await.unwrap().items {
        if item.number(EXPIRES_AT).unwrap() <= now {
            assert!(pipeline.store.write(Table::Feed, Write::delete(item.key)).await.unwrap().is_applied());
        }
    }
}

/// Removes all entries of a reader. Returns how many there were.
async fn lose_feed(pipeline: &Pipeline, reader: UserId) -> usize {
    let entries = Feeds::new(pipeline.store.clone());
    let lost = entries.page_of_reader(reader, None, 10_000).await.unwrap().items;
    entries.remove_of_reader(reader, &lost).await.unwrap();
    lost.len()
}

async fn activity(pipeline: &Pipeline, reader: UserId) -> Activity {
    Readers::new(pipeline.store.clone()).activity(reader).await.unwrap()
}

/// A post that is delivered to no feed but its author's, as if all followers were dormant.
async fn skipped_post(pipeline: &Pipeline, author: UserId, reader: UserId) -> PostId {
    let post = pipeline.post(author, "while away").await;
    pipeline.drain().await;
    Feeds::new(pipeline.store.clone()).remove_of_reader(reader, &[post]).await.unwrap();
    post
}

async fn assert_feed(pipeline: &Pipeline, reader: UserId, expected: &[PostId], when: &str) {
    for limit in LIMITS {
        assert_eq!(pipeline.feed_by(reader, limit).await, expected, "{when}, pages of {limit}");
    }
}

/// A reader who follows three authors with stories of these lengths, and the posts of their feed.
async fn reader_of(pipeline: &Pipeline, stories: [usize; 3]) -> (UserId, [UserId; 3], Vec<PostId>) {
    let reader = pipeline.user("reader").await;
    let (mut authors, mut posts) = (Vec::new(), Vec::new());
    for count in stories {
        let author = pipeline.user("author").await;
        posts.extend(story(pipeline, author, count).await);
        follow(pipeline, reader, author).await;
        authors.push(author);
    }
    posts.push(pipeline.post(reader, "mine").await);
    (reader, authors.try_into().unwrap(), newest_first(posts))
}

#[tokio::test]
async fn a_feed_continues_beyond_its_window() {
    let home = Embedded::open();
    let pipeline = small(home.pipeline(20));
    let (reader, authors, mut posts) = reader_of(&pipeline, [40, 1, 0]).await;
    home.clock.advance(45 * DAY);
    for author in authors {
        posts.insert(0, pipeline.post(author, "in the middle").await);
        pipeline.drain().await;
    }
    for days in [0, 37, 1, 1, 7, 1, 40, 8, 300] {
        home.clock.advance(days * DAY);
        expire(&pipeline, reader).await;
        assert_feed(&pipeline, reader, &posts, &format!("{days} days later")).await;
    }
}

#[tokio::test]
async fn a_rebuild_merges_more_than_its_limit() {
    let home = Embedded::open();
    let pipeline = home.pipeline(20);
    let reader = pipeline.user("reader").await;
    let mut posts = Vec::new();
    for count in [100, 100, 100, 90, 80, 100, 60] {
        let author = pipeline.user("author").await;
        posts.extend(story(&pipeline, author, count).await);
        follow(&pipeline, reader, author).await;
    }
    home.clock.advance(200 * DAY);
    lose_feed(&pipeline, reader).await;
    assert!(posts.len() > limits::REBUILT_POSTS);
    assert_eq!(pipeline.feed_by(reader, 100).await, newest_first(posts));
}

#[tokio::test]
async fn deleted_posts_return_to_rebuilt_feeds_when_restored() {
    let home = Embedded::open();
    let pipeline = small(home.pipeline(20));
    let (reader, _, posts) = reader_of(&pipeline, [30, 30, 0]).await;
    home.clock.advance(100 * DAY);
    let (gone, left): (Vec<_>, Vec<_>) = posts.iter().skip(1).enumerate().partition(|(at, _)| at % 5 != 0);
    let left: Vec<PostId> = posts.iter().take(1).chain(left.into_iter().map(|(_, post)| post)).copied().collect();
    for (_, post) in &gone {
        delete(&pipeline, **post).await;
    }
    assert_feed(&pipeline, reader, &left, "deleted").await;
    for (_, post) in &gone {
        restore(&pipeline, **post).await;
    }
    assert_feed(&pipeline, reader, &posts, "restored").await;
}

#[tokio::test]
async fn an_unfollow_hides_rebuilt_posts_at_once() {
    let home = Embedded::open();
    let pipeline = small(home.pipeline(20));
    let (reader, [alice, bob, _], posts) = reader_of(&pipeline, [130, 20, 0]).await;
    home.clock.advance(100 * DAY);
    let newest_100 = async |author: UserId| {
        let page = pipeline.posts.story(reader, author, None, PageLimit::new(100).unwrap()).await.unwrap();
        page.items.iter().map(|view| view.post.post_id).collect::<Vec<_>>()
    };
    let (of_alice, rest) = (newest_100(alice).await, [newest_100(bob).await, vec![posts[0]]].concat());
    let shown = newest_first([of_alice, rest.clone()].concat());
    assert_feed(&pipeline, reader, &shown, "at first").await;
    pipeline.graph.unfollow(reader, alice, home.clock.now()).await.unwrap();
    assert_feed(&pipeline, reader, &newest_first(rest), "without Alice").await;
    follow(&pipeline, reader, alice).await;
    assert_feed(&pipeline, reader, &shown, "with Alice again").await;
}

#[tokio::test]
async fn a_new_follow_shows_its_old_posts_in_a_rebuilt_part() {
    let home = Embedded::open();
    let pipeline = small(home.pipeline(20));
    let (reader, _, mut posts) = reader_of(&pipeline, [20, 20, 0]).await;
    let late = pipeline.user("late").await;
    let of_late = story(&pipeline, late, 20).await;
    home.clock.advance(100 * DAY);
    assert_feed(&pipeline, reader, &posts, "before the follow").await;
    home.clock.advance(4 * DAY);
    follow(&pipeline, reader, late).await;
    posts = newest_first([posts, of_late].concat());
    for days in [0, 1, 1, 1, 5, 5] {
        home.clock.advance(days * DAY);
        expire(&pipeline, reader).await;
        assert_feed(&pipeline, reader, &posts, &format!("{days} days later")).await;
    }
}

#[tokio::test]
async fn a_returning_reader_finds_skipped_posts() {
    let home = Embedded::open();
    let pipeline = small(home.pipeline(20));
    let (reader, authors, mut posts) = reader_of(&pipeline, [15, 1, 0]).await;
    for away in [33, 40, 91, 365] {
        pipeline.feed(reader).await;
        pipeline.feeds.background().idle().await;
        home.clock.advance(away * DAY);
        for author in authors {
            posts.insert(0, skipped_post(&pipeline, author, reader).await);
        }
        expire(&pipeline, reader).await;
        assert_feed(&pipeline, reader, &posts, &format!("after {away} days")).await;
        home.clock.advance(DAY);
        let since = pipeline.post(authors[0], "since").await;
        pipeline.drain().await;
        posts.insert(0, since);
        assert_feed(&pipeline, reader, &posts, &format!("a day after {away} days")).await;
    }
}

#[tokio::test]
async fn a_read_keeps_its_reader_active() {
    let home = Embedded::open();
    let pipeline = home.pipeline(20);
    let (reader, _, _) = reader_of(&pipeline, [1, 0, 0]).await;
    for _ in 0..5 {
        home.clock.advance(limits::DORMANT_AFTER.saturating_sub(DAY));
        pipeline.feed(reader).await;
        pipeline.feeds.background().idle().await;
        let read = activity(&pipeline, reader).await;
        assert_eq!((read.active_at, read.complete_since), (Some(home.clock.now()), None));
    }
}

#[tokio::test]
async fn a_return_recovers_from_death_at_any_call() {
    let home = Embedded::open();
    for death in [Death::Before, Death::After] {
        for calls in 0.. {
            let healthy = small(home.pipeline(20));
            let (reader, authors, mut posts) = reader_of(&healthy, [15, 3, 0]).await;
            home.clock.advance(40 * DAY);
            posts.insert(0, skipped_post(&healthy, authors[0], reader).await);
            let life = Life::of(calls, death);
            let store = Arc::new(MortalStore::with(home.store.clone(), life.clone()));
            let mortal = small(Pipeline::on(store, home.queue.clone(), home.clock.clone(), 20));
            let survived = life.live(mortal.feed_by(reader, 20)).await.is_some();
            // Active from the first read on, whatever became of it.
            let marked = activity(&healthy, reader).await.active_at == Some(home.clock.now());
            let since = healthy.post(authors[1], "since").await;
            healthy.drain().await;
            if !marked {
                Feeds::new(home.store.clone()).remove_of_reader(reader, &[since]).await.unwrap();
            }
            posts.insert(0, since);
            assert_eq!(healthy.feed_by(reader, 7).await, posts, "{calls} calls, {death:?}");
            if survived {
                assert!(calls > 10, "{calls} calls are too few for a rebuild");
                break;
            }
        }
    }
}

#[tokio::test]
async fn concurrent_returns_show_the_same_feed() {
    let home = Embedded::open();
    let pipeline = small(home.pipeline(20));
    let (reader, authors, mut posts) = reader_of(&pipeline, [35, 30, 0]).await;
    for _ in 0..20 {
        home.clock.advance(40 * DAY);
        posts.insert(0, skipped_post(&pipeline, authors[0], reader).await);
        let other = small(Pipeline::on(home.store.clone(), home.queue.clone(), home.clock.clone(), 20));
        let feeds = futures::join!(
            pipeline.feed_by(reader, 7),
            other.feed_by(reader, 20),
            pipeline.feed_by(reader, 100),
            other.feed_by(reader, 7)
        );
        for feed in [feeds.0, feeds.1, feeds.2, feeds.3] {
            assert_eq!(feed, posts);
        }
    }
}

#[tokio::test]
async fn a_lost_feed_is_complete_after_repair() {
    let home = Embedded::open();
    let pipeline = small(home.pipeline(20));
    let (reader, authors, mut posts) = reader_of(&pipeline, [35, 30, 0]).await;
    home.clock.advance(84 * DAY);
    posts.insert(0, pipeline.post(authors[0], "recent").await);
    pipeline.drain().await;
    assert_feed(&pipeline, reader, &posts, "before the loss").await;
    pipeline.feeds.background().idle().await;
    assert!(lose_feed(&pipeline, reader).await > 60);
    let was = activity(&pipeline, reader).await;
    assert!(was.built_down_to.is_some(), "a rebuilt part is lost as well");
    let now = PostId::first_of(home.clock.now().plus(Duration::from_millis(1)));
    let repaired = Activity { complete_since: Some(now), ..was };
    assert!(Readers::new(home.store.clone()).put_active(reader, &was, &repaired).await.unwrap().is_applied());
    assert_feed(&pipeline, reader, &posts, "after the repair").await;
}

#[tokio::test]
async fn a_reader_without_activity_reads_on() {
    let home = Embedded::open();
    let pipeline = small(home.pipeline(20));
    let (reader, _, posts) = reader_of(&pipeline, [35, 30, 0]).await;
    assert!(home.store.write(Table::Social, Write::delete(keys::activity(reader))).await.unwrap().is_applied());
    for days in [0, 84, 1, 40] {
        home.clock.advance(days * DAY);
        expire(&pipeline, reader).await;
        assert_feed(&pipeline, reader, &posts, &format!("{days} days later")).await;
    }
}

#[tokio::test]
async fn a_rebuild_of_many_stories_takes_several_requests() {
    let home = Embedded::open();
    let pipeline = within(home.pipeline(20), RebuildLimits { posts: 12, stories: 4, stories_per_page: 2 });
    let reader = pipeline.user("reader").await;
    let mut posts = Vec::new();
    for _ in 0..11 {
        let author = pipeline.user("author").await;
        posts.extend(story(&pipeline, author, 3).await);
        follow(&pipeline, reader, author).await;
    }
    home.clock.advance(100 * DAY);
    let (mut shown, mut after, mut busy) = (Vec::new(), None, 0);
    loop {
        match pipeline.feeds.page(reader, after, PageLimit::new(7).unwrap()).await {
            Ok(page) => {
                shown.extend(page.items.iter().map(|view| view.post.post_id));
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            Err(ServiceError::Busy { .. }) => busy += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(shown, newest_first(posts));
    assert_eq!(busy, 3 * 2, "three rebuilds of two further requests each");
}

#[tokio::test]
async fn a_return_finishes_an_interrupted_backfill() {
    let home = Embedded::open();
    let pipeline = home.pipeline(20);
    let (reader, _, mut posts) = reader_of(&pipeline, [3, 0, 0]).await;
    let author = pipeline.user("author").await;
    let old = story(&pipeline, author, 120).await;
    home.clock.advance(40 * DAY);
    let (now, marker) = (home.clock.now(), PostId::first_of(home.clock.now()));
    let begun = Follows::new(home.store.clone()).create(reader, author, now, marker, now).await.unwrap();
    assert!(matches!(begun, data::Created::Now(_)));
    posts = newest_first([&old[20..], &posts].concat());
    assert_feed(&pipeline, reader, &posts, "returned").await;
    for shard in 0..limits::TASK_SHARDS {
        let rows = Backfills::new(home.store.clone()).page_of_expired(shard, now.plus(DAY), None).await.unwrap();
        assert_eq!(rows, (vec![], None));
    }
}

#[tokio::test]
async fn a_rebuilt_page_costs_no_more_calls() {
    let home = Embedded::open();
    let pipeline = home.pipeline(20);
    let (reader, _, posts) = reader_of(&pipeline, [60, 40, 0]).await;
    home.clock.advance(100 * DAY);
    let counting = Arc::new(CountingStore::new(home.store.clone()));
    let feeds = |clock: Clock| FeedService::new(counting.clone(), PostViews::uncached(counting.clone()), clock);
    let read = async |after| {
        let page = feeds(home.clock.clone()).page(reader, after, PageLimit::new(20).unwrap()).await.unwrap();
        assert_eq!(page.items.len(), 20);
        counting.take_reads()
    };
    let rebuilding = read(None).await;
    assert_eq!(rebuilding.get("query STORY"), Some(&4), "three authors and the reader: {rebuilding:?}");
    home.clock.advance(limits::LONGEST_REBUILD);
    for after in [None, Some(posts[20]), Some(posts[60])] {
        let reads = read(after).await;
        assert_eq!((reads.get("query feed"), reads.get("query READER")), (Some(&1), Some(&1)), "{reads:?}");
        assert!(!reads.keys().any(|kind| kind.contains("STORY") || kind.contains("FOLLOWING")), "{reads:?}");
    }
}

//! Clocks that are set or disagree: no data is lost, repeated or removed too early.

use std::time::Duration;

use data::ClockMarks;
use domain::{Clock, PostId, limits};
use ports::queue::QueueName;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use service::timekeeper::Timekeeper;
use service_testkit::Embedded;
use service_testkit::pipeline::{Pipeline, START};

/// The difference between the clocks of two processes.
const APART: Duration = Duration::from_millis(100);
const HOUR: Duration = Duration::from_hours(1);

/// Two processes on one store: one with the right clock, one with a fast clock.
fn two_processes(embedded: &Embedded) -> (Pipeline, Pipeline) {
    let behind = embedded.pipeline(20);
    let ahead = Pipeline::on(embedded.store.clone(), embedded.queue.clone(), Clock::manual(START.plus(APART)), 20);
    (behind, ahead)
}

fn pass(processes: [&Pipeline; 2], time: Duration) {
    for process in processes {
        process.clock.advance(time);
    }
}

#[tokio::test]
async fn nothing_is_lost_between_clocks_100_ms_apart() {
    let embedded = Embedded::open();
    let (behind, ahead) = two_processes(&embedded);
    for (follows_by, posts_by) in [(&ahead, &behind), (&behind, &ahead), (&ahead, &ahead), (&behind, &behind)] {
        let (author, reader) = (behind.user("author").await, behind.user("reader").await);
        let mut posts = Vec::new();
        // More posts than a backfill copies, so that it ends with a window.
        for number in 0..limits::BACKFILLED_POSTS + 20 {
            let process = if number % 2 == 0 { &ahead } else { &behind };
            posts.push(process.post(author, "before").await);
            pass([&behind, &ahead], Duration::from_secs(1));
        }
        follows_by.graph.follow(reader, author, follows_by.clock.now()).await.unwrap();
        for process in [posts_by, follows_by, posts_by] {
            posts.push(process.post(author, "after").await);
        }
        behind.drain().await;
        assert_shown(&behind, reader, &posts).await;

        follows_by.graph.unfollow(reader, author, follows_by.clock.now()).await.unwrap();
        follows_by.graph.follow(reader, author, follows_by.clock.now()).await.unwrap();
        posts.push(posts_by.post(author, "after a refollow").await);
        behind.drain().await;
        assert_shown(&behind, reader, &posts).await;
    }
}

/// Checks that the feed holds each post made since the follow and the newest earlier ones, in the order of ids.
async fn assert_shown(pipeline: &Pipeline, reader: domain::UserId, posts: &[PostId]) {
    let mut expected = posts.to_vec();
    expected.sort_unstable_by(|a, b| b.cmp(a));
    let feed = pipeline.feed(reader).await;
    assert!(feed.len() >= limits::BACKFILLED_POSTS, "{} posts", feed.len());
    assert_eq!(feed, expected[..feed.len()]);
}

#[tokio::test]
async fn the_sweeper_survives_a_clock_set_back() {
    let embedded = Embedded::open();
    let pipeline = embedded.pipeline(20);
    let (author, followers) = pipeline.author_with_followers(3).await;
    let post = pipeline.post(author, "lost and found").await;
    for message in pipeline.receive(QueueName::PostQ).await {
        embedded.queue.delete(QueueName::PostQ, vec![message.receipt]).await.unwrap();
    }
    assert_eq!(pipeline.sweep().await.fan_outs, 0, "the lease still runs");
    embedded.clock.step_to(START.minus(HOUR));
    assert_eq!(pipeline.sweep().await.fan_outs, 1);
    pipeline.drain().await;
    assert_eq!(pipeline.feed(followers[0]).await, [post]);
}

#[tokio::test]
async fn ids_grow_over_crashes_at_any_moment() {
    let embedded = Embedded::open();
    let mut rng = StdRng::seed_from_u64(9);
    let mut last = None;
    for life in 0..60 {
        let timekeeper = Timekeeper::alone_on(embedded.store.clone(), embedded.clock.clone()).await.unwrap();
        for _ in 0..rng.random_range(0..12) {
            match rng.random_range(0..5) {
                0 => timekeeper.keep().await.unwrap(),
                1 => embedded.clock.step_to(START.plus(HOUR * rng.random_range(0..48))),
                2 => embedded.clock.advance(Duration::from_millis(rng.random_range(0..5_000))),
                _ => {
                    let id = timekeeper.ids().next_post_id(embedded.clock.now());
                    assert!(last < Some(id), "life {life}");
                    last = Some(id);
                }
            }
        }
        if rng.random_bool(0.5) {
            timekeeper.end().await.unwrap();
        }
    }
    assert!(last.is_some());
}

#[tokio::test]
async fn a_clean_restart_does_not_run_ahead() {
    let embedded = Embedded::open();
    let timekeeper = Timekeeper::alone_on(embedded.store.clone(), embedded.clock.clone()).await.unwrap();
    let last = timekeeper.ids().next_post_id(embedded.clock.now());
    timekeeper.end().await.unwrap();
    let mark = ClockMarks::new(embedded.store.clone()).get().await.unwrap().unwrap();
    assert_eq!((mark.ids_up_to, mark.seen_at, mark.held_for), (last.created_at(), START, Duration::ZERO));

    embedded.clock.advance(Duration::from_millis(5));
    let next = Timekeeper::alone_on(embedded.store.clone(), embedded.clock.clone()).await.unwrap();
    assert_eq!(next.ids().next_post_id(embedded.clock.now()).created_at(), embedded.clock.now());
}

#[tokio::test]
async fn a_jump_during_a_restart_holds_removals() {
    let embedded = Embedded::open();
    let month = Duration::from_hours(31 * 24);
    let start = || Timekeeper::alone_on(embedded.store.clone(), embedded.clock.clone());
    drop(start().await.unwrap());
    embedded.clock.step_to(START.plus(month));
    for _ in 0..3 {
        let timekeeper = start().await.unwrap();
        assert!(timekeeper.safe_time().now() < START.plus(limits::CLOCK_HOLD), "the hold survives a restart");
        embedded.clock.advance(limits::CLOCK_HOLD / 4);
        timekeeper.keep().await.unwrap();
    }
    let timekeeper = start().await.unwrap();
    embedded.clock.advance(limits::CLOCK_HOLD / 4);
    assert_eq!(timekeeper.safe_time().now(), embedded.clock.now());
}

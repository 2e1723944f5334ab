//! The promises of the pipeline, on the real embedded engine with a manual clock: every post reaches every follower's
//! feed exactly once, whatever is duplicated, late, lost, throttled or killed.

use std::{collections::HashSet, future::ready, sync::Arc, time::Duration};

use domain::{PostId, UserId};
use ports::{
    queue::{OutgoingMessage, Queue, QueueName},
    store::{Store, StoreError, Table},
};
use rand::{SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};
use service_testkit::Embedded;
use service_testkit::pipeline::Pipeline;
use testkit::{
    crash::{Death, Life, MortalQueue, MortalStore},
    faults::{HookedStore, StoreCall},
};

#[tokio::test]
async fn each_follower_gets_the_post_in_one_job() {
    let home = Embedded::open();
    let pipeline = home.pipeline(1_000);
    for (count, jobs) in [(0, 0), (1, 1), (25, 1), (26, 2), (50, 2), (60, 3)] {
        let (author, followers) = pipeline.author_with_followers(count).await;
        let stranger = pipeline.user("eve").await;
        let post = pipeline.post(author, "hello").await;
        assert_eq!(pipeline.turn(QueueName::PostQ).await, 1);
        assert_eq!(pipeline.messages_in(QueueName::JobQ).await, jobs, "{count} followers");
        pipeline.drain().await;
        for follower in followers {
            assert_eq!(pipeline.feed(follower).await, [post]);
        }
        assert_eq!(pipeline.feed(author).await, [post]);
        assert_eq!(pipeline.feed(stranger).await, []);
    }
}

#[tokio::test]
async fn an_empty_last_page_sends_no_job() {
    let home = Embedded::open();
    let pipeline = home.pipeline(25);
    let (author, _) = pipeline.author_with_followers(50).await;
    pipeline.post(author, "two full pages").await;
    pipeline.turn(QueueName::PostQ).await;
    assert_eq!(pipeline.messages_in(QueueName::JobQ).await, 2);
}

#[tokio::test]
async fn an_unfollow_hides_posts_during_the_fan_out() {
    let home = Embedded::open();
    let pipeline = home.pipeline(1_000);
    let (author, followers) = pipeline.author_with_followers(30).await;
    let before = pipeline.post(author, "delivered").await;
    pipeline.drain().await;
    let under_way = pipeline.post(author, "under way").await;
    pipeline.turn(QueueName::PostQ).await;
    let mut jobs = pipeline.receive(QueueName::JobQ).await;
    assert_eq!(pipeline.handle(QueueName::JobQ, vec![jobs.remove(0)]).await.len(), 1);

    let mut leavers = Vec::new();
    for is_delivered in [true, false] {
        for follower in &followers {
            let has_it = pipeline.feed(*follower).await.contains(&under_way);
            if has_it == is_delivered && !leavers.contains(follower) {
                pipeline.graph.unfollow(*follower, author, pipeline.clock.now()).await.unwrap();
                assert_eq!(pipeline.feed(*follower).await, [], "at once");
                leavers.push(*follower);
                break;
            }
        }
    }
    assert_eq!(leavers.len(), 2, "one job is delivered, one is not");
    assert_eq!(pipeline.handle(QueueName::JobQ, jobs).await.len(), 1);
    pipeline.drain().await;
    for follower in followers {
        let due = if leavers.contains(&follower) { vec![] } else { vec![under_way, before] };
        assert_eq!(pipeline.feed(follower).await, due);
    }
}

#[tokio::test]
async fn a_post_deleted_mid_fan_out_is_restorable() {
    let home = Embedded::open();
    // Interrupted before the fan-out, after its jobs are cut, and after some of them are delivered.
    for turns in [&[][..], &[QueueName::PostQ], &[QueueName::PostQ, QueueName::JobQ]] {
        let pipeline = home.pipeline(25);
        let (author, followers) = pipeline.author_with_followers(300).await;
        let kept = pipeline.post(author, "kept").await;
        pipeline.drain().await;
        let post = pipeline.post(author, "regretted").await;
        for name in turns {
            assert_eq!(pipeline.turn(*name).await.min(1), 1);
        }
        pipeline.posts.delete(author, post, pipeline.clock.now()).await.unwrap();
        for reader in [author, followers[0], followers[299]] {
            assert_eq!(pipeline.feed(reader).await, [kept], "at once");
        }
        pipeline.drain().await;
        for reader in followers.iter().chain([&author]) {
            assert_eq!(pipeline.feed(*reader).await, [kept], "when all is delivered");
        }
        pipeline.posts.restore(post, pipeline.clock.now()).await.unwrap();
        for reader in followers.iter().chain([&author]) {
            assert_eq!(pipeline.feed(*reader).await, [post, kept], "restored");
        }
    }
}

#[tokio::test]
async fn posts_of_one_millisecond_stay_distinct_across_pages() {
    let home = Embedded::open();
    let pipeline = home.pipeline(1_000);
    let (alice, bob, carol) = (pipeline.user("alice").await, pipeline.user("bob").await, pipeline.user("carol").await);
    for author in [alice, bob] {
        pipeline.graph.follow(carol, author, pipeline.clock.now()).await.unwrap();
    }
    let mut posts = Vec::new();
    for author in [alice, bob, alice, bob] {
        posts.insert(0, pipeline.post(author, "now").await);
    }
    assert!(posts.iter().all(|post| post.created_at() == posts[0].created_at()));
    pipeline.drain().await;
    for limit in 1..5 {
        assert_eq!(pipeline.feed_by(carol, limit).await, posts, "pages of {limit}");
    }
}

#[tokio::test]
async fn redeliveries_out_of_order_change_no_feed() {
    let home = Embedded::open();
    let pipeline = home.pipeline(20);
    let (author, followers) = pipeline.author_with_followers(60).await;
    let posts = [pipeline.post(author, "one").await, pipeline.post(author, "two").await];
    let leaver = followers[7];

    let mut rng = StdRng::seed_from_u64(7);
    let mut fan_outs = Vec::new();
    while let [message] = pipeline.receive(QueueName::PostQ).await.as_slice() {
        fan_outs.push(message.clone());
    }
    assert_eq!(fan_outs.len(), 2);
    fan_outs.extend(fan_outs.clone());
    fan_outs.shuffle(&mut rng);
    for message in &fan_outs {
        assert_eq!(pipeline.handle(QueueName::PostQ, vec![message.clone()]).await.len(), 1);
    }

    let mut jobs = Vec::new();
    loop {
        let received = pipeline.receive(QueueName::JobQ).await;
        if received.is_empty() {
            break;
        }
        jobs.extend(received);
    }
    pipeline.graph.unfollow(leaver, author, pipeline.clock.now()).await.unwrap();
    for round in 0..2 {
        jobs.shuffle(&mut rng);
        for job in &jobs {
            assert_eq!(pipeline.handle(QueueName::JobQ, vec![job.clone()]).await.len(), 1);
        }
        for follower in followers.iter().filter(|follower| **follower != leaver) {
            assert_eq!(pipeline.feed(*follower).await, [posts[1], posts[0]], "round {round}");
        }
        assert_eq!(pipeline.feed(leaver).await, []);
        // Two weeks pass: SQS keeps a message no longer.
        pipeline.clock.advance(Duration::from_hours(14 * 24));
    }
}

/// Checks the result of a run, whatever happened during it.
async fn assert_delivered(pipeline: &Pipeline, author: UserId, followers: &[UserId], posts: &[PostId]) {
    for reader in followers.iter().chain([&author]) {
        assert_eq!(pipeline.feed(*reader).await, posts);
    }
}

#[tokio::test]
async fn a_death_loses_and_doubles_no_post() {
    let home = Embedded::open();
    let healthy = home.pipeline(20);
    for death in [Death::Before, Death::After] {
        let mut calls = 0;
        loop {
            let (author, followers) = healthy.author_with_followers(45).await;
            let post = healthy.post(author, "to whom it may concern").await;

            let life = Life::of(calls, death);
            let store: Arc<dyn Store> = Arc::new(MortalStore::with(home.store.clone(), life.clone()));
            let queue: Arc<dyn Queue> = Arc::new(MortalQueue::with(home.queue.clone(), life.clone()));
            let mortal = Pipeline::on(store, queue, home.clock.clone(), 20);
            let work = async { while mortal.turn(QueueName::PostQ).await + mortal.turn(QueueName::JobQ).await > 0 {} };
            let survived = life.live(work).await.is_some();
            healthy.drain().await;
            assert_delivered(&healthy, author, &followers, &[post]).await;
            assert_eq!(healthy.messages_in(QueueName::PostDlq).await, 0);
            assert_eq!(healthy.messages_in(QueueName::JobDlq).await, 0);
            if survived {
                break;
            }
            calls += 1;
        }
        assert!(calls > 10, "the run made {calls} calls: too few to be the whole pipeline");
    }
}

#[tokio::test]
async fn a_death_while_publishing_leaves_no_partial_post() {
    let home = Embedded::open();
    let healthy = home.pipeline(20);
    for death in [Death::Before, Death::After] {
        for calls in 0..6 {
            let (author, followers) = healthy.author_with_followers(3).await;
            // The dying process has its own id generator: only a later millisecond orders its ids after the follows.
            healthy.clock.advance(Duration::from_millis(1));
            let life = Life::of(calls, death);
            let store: Arc<dyn Store> = Arc::new(MortalStore::with(home.store.clone(), life.clone()));
            let queue: Arc<dyn Queue> = Arc::new(MortalQueue::with(home.queue.clone(), life.clone()));
            let mortal = Pipeline::on(store, queue, home.clock.clone(), 20);
            let answered = life.live(mortal.post(author, "now or never")).await;
            healthy.drain().await;
            let own = healthy.feed(author).await;
            if let Some(post) = answered {
                assert_eq!(own, [post], "an acknowledged post exists");
            }
            assert_delivered(&healthy, author, &followers, &own).await;
        }
    }
}

#[tokio::test]
async fn a_stalled_queue_costs_four_messages_per_post() {
    let home = Embedded::open();
    let pipeline = home.pipeline(20);
    let (author, followers) = pipeline.author_with_followers(45).await;
    let post = pipeline.post(author, "slow").await;
    for _ in 0..10 {
        pipeline.clock.advance(Duration::from_mins(1));
        pipeline.sweep().await;
    }
    let messages = pipeline.messages_in(QueueName::PostQ).await;
    assert!((2..=5).contains(&messages), "{messages} messages for one post");
    while pipeline.turn(QueueName::PostQ).await > 0 {}
    assert_eq!(pipeline.messages_in(QueueName::JobQ).await, 2, "the fan-out ran once");
    pipeline.drain().await;
    assert_delivered(&pipeline, author, &followers, &[post]).await;
}

#[tokio::test]
async fn the_sweeper_recovers_a_lost_message() {
    let home = Embedded::open();
    let pipeline = home.pipeline(20);
    let (author, followers) = pipeline.author_with_followers(3).await;
    let post = pipeline.post(author, "lost and found").await;
    for message in pipeline.receive(QueueName::PostQ).await {
        home.queue.delete(QueueName::PostQ, vec![message.receipt]).await.unwrap();
    }
    assert_eq!(pipeline.sweep().await.fan_outs, 0, "the lease still runs");
    pipeline.clock.advance(Duration::from_mins(1));
    assert_eq!(pipeline.sweep().await.fan_outs, 1);
    pipeline.drain().await;
    assert_delivered(&pipeline, author, &followers, &[post]).await;
}

#[tokio::test]
async fn a_restart_resends_only_unannounced_posts() {
    let home = Embedded::open();
    let pipeline = home.pipeline(20);
    let (author, followers) = pipeline.author_with_followers(3).await;
    let lost = pipeline.post(author, "its message is lost").await;
    for message in pipeline.receive(QueueName::PostQ).await {
        home.queue.delete(QueueName::PostQ, vec![message.receipt]).await.unwrap();
    }
    let announced = pipeline.post(author, "its message is there").await;
    assert_eq!(pipeline.reclaim(&HashSet::from([announced])).await.fan_outs, 1);
    assert_eq!(pipeline.messages_in(QueueName::PostQ).await, 2, "one message a post");
    pipeline.drain().await;
    assert_delivered(&pipeline, author, &followers, &[announced, lost]).await;
}

#[tokio::test]
async fn concurrent_workers_repeat_at_most_one_chunk() {
    let home = Embedded::open();
    let pipeline = home.pipeline(25);
    let (author, followers) = pipeline.author_with_followers(250).await;
    let post = pipeline.post(author, "by two").await;
    let messages = pipeline.receive(QueueName::PostQ).await;
    let (one, other) = tokio::join!(
        pipeline.handle(QueueName::PostQ, messages.clone()),
        pipeline.handle(QueueName::PostQ, messages.clone()),
    );
    assert_eq!((one.len(), other.len()), (1, 1), "both are done");
    let jobs = pipeline.messages_in(QueueName::JobQ).await;
    assert!((10..=20).contains(&jobs), "{jobs} jobs for one chunk of ten");
    pipeline.drain().await;
    assert_delivered(&pipeline, author, &followers, &[post]).await;
}

#[tokio::test]
async fn the_latest_message_redrives_a_dead_fan_out() {
    let home = Embedded::open();
    let healthy = home.pipeline(20);
    let (author, followers) = healthy.author_with_followers(3).await;
    let post = healthy.post(author, "dead for a while").await;
    // A store that refuses every query of Social, like one without the permission.
    let without_permission = HookedStore::before(home.store.clone(), |call| {
        let is_refused = matches!(call, StoreCall::Query(query) if query.table == Table::Social);
        Box::pin(ready(if is_refused { Err(StoreError::Rejected("no permission".into())) } else { Ok(()) }))
    });
    let broken = Pipeline::on(Arc::new(without_permission), home.queue.clone(), home.clock.clone(), 20);
    for _ in 0..12 {
        while broken.turn(QueueName::PostQ).await > 0 {}
        home.clock.advance(Duration::from_mins(1));
        healthy.sweep().await;
    }
    while broken.turn(QueueName::PostQ).await > 0 {
        home.clock.advance(Duration::from_secs(2));
    }
    let dead = home.queue.receive(QueueName::PostDlq, 10, Duration::ZERO, None).await.unwrap();
    assert!(!dead.is_empty(), "nothing is dead");
    assert_eq!(healthy.messages_in(QueueName::PostQ).await, 0);
    for letter in dead {
        let message = OutgoingMessage { body: letter.body, group: letter.group, delay: Duration::ZERO };
        home.queue.send(QueueName::PostQ, vec![message]).await.unwrap();
    }
    while healthy.turn(QueueName::PostQ).await + healthy.turn(QueueName::JobQ).await > 0 {}
    assert_delivered(&healthy, author, &followers, &[post]).await;
}

#[tokio::test]
async fn an_unreadable_message_is_dead_lettered_alone() {
    let home = Embedded::open();
    let pipeline = home.pipeline(1_000);
    let (author, followers) = pipeline.author_with_followers(60).await;
    let post = pipeline.post(author, "beside poison").await;
    let poison = |body: &str| OutgoingMessage { body: body.into(), group: "nobody".into(), delay: Duration::ZERO };
    let bodies = ["not json", "{}", r#"{"type":"deliver","v":99,"post_id":"","author_id":"","followers":[]}"#];
    home.queue.send(QueueName::JobQ, bodies.map(poison).into()).await.unwrap();
    home.queue.send(QueueName::PostQ, vec![poison("not json")]).await.unwrap();
    pipeline.drain().await;
    assert_delivered(&pipeline, author, &followers, &[post]).await;
    assert_eq!(pipeline.messages_in(QueueName::JobDlq).await, 3);
    assert_eq!(pipeline.messages_in(QueueName::PostDlq).await, 1);
}

//! The pipeline on failing ports, with a manual clock and without real pauses: storms by seed, and an outage that
//! outlasts every receive of a message.
//!
//! `TWEETER_FAULT_SEEDS` sets the number of storms (default 4).

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use domain::{PostId, PostText, UserId, limits};
use ports::{
    queue::{Queue, QueueName},
    store::{BatchWrite, Store, StoreError},
};
use service::posts::IdempotencyKey;
use service_testkit::Embedded;
use service_testkit::pipeline::Pipeline;
use testkit::faults::{
    CountingQueue, FaultCounts, FaultSwitch, FaultyQueue, FaultyStore, HookedStore, QueueFaults, StaleStore, StoreCall,
    StoreFaults,
};

/// High enough that one delivery in twenty fails in all its tries, and low enough that none uses up its receives.
const STORE_FAULTS: StoreFaults =
    StoreFaults { throttled: 0.2, unavailable_before: 0.05, unavailable_after: 0.05, unprocessed: 0.2 };
const QUEUE_FAULTS: QueueFaults =
    QueueFaults { throttled: 0.06, unavailable_before: 0.02, unavailable_after: 0.02, undone: 0.06, duplicated: 0.2 };

/// The number of recent writes that eventual reads miss.
const WRITES_BEHIND: usize = 30;

/// Authors with the same followers.
async fn authors_and_followers(pipeline: &Pipeline, authors: usize, followers: usize) -> (Vec<UserId>, Vec<UserId>) {
    let (first, followers) = pipeline.author_with_followers(followers).await;
    let mut all = vec![first];
    while all.len() < authors {
        let author = pipeline.user("author").await;
        for follower in &followers {
            pipeline.graph.follow(*follower, author, pipeline.clock.now()).await.unwrap();
        }
        all.push(author);
    }
    (all, followers)
}

async fn assert_delivered(pipeline: &Pipeline, followers: &[UserId], mut posts: Vec<PostId>, when: &str) {
    posts.sort_by(|a, b| b.cmp(a));
    for follower in followers {
        assert_eq!(pipeline.feed(*follower).await, posts, "{when}");
    }
    for dead in [QueueName::PostDlq, QueueName::JobDlq] {
        assert_eq!(pipeline.messages_in(dead).await, 0, "{when}: {dead:?}");
    }
}

/// Publishes with retries: the same post, by its key.
async fn insist_on_post(pipeline: &Pipeline, author: UserId, key: &str) -> PostId {
    let text = PostText::parse("through the storm").unwrap();
    let key = IdempotencyKey::parse(key).unwrap();
    loop {
        match pipeline.publish.publish(author, text.clone(), Some(&key), pipeline.clock.now()).await {
            Ok(view) => return view.post.post_id,
            Err(error) => assert!(error.is_transient(), "{error:?}"),
        }
    }
}

/// Runs one storm. Returns the faults of the store and of the queues.
async fn storm(seed: u64) -> [FaultCounts; 2] {
    let home = Embedded::open();
    let stale: Arc<dyn Store> = Arc::new(StaleStore::new(home.store.clone(), WRITES_BEHIND));
    let store = Arc::new(FaultyStore::new(stale, STORE_FAULTS, seed));
    let queue = Arc::new(FaultyQueue::new(home.queue.clone(), QUEUE_FAULTS, seed));
    let pipeline = Pipeline::on(store.clone(), queue.clone(), home.clock.clone(), 20);
    store.switch().turn_off();
    let (authors, followers) = authors_and_followers(&pipeline, 3, 60).await;
    store.switch().turn_on();
    let mut posts = Vec::new();
    for number in 0..10 {
        posts.push(insist_on_post(&pipeline, authors[number % authors.len()], &format!("key-{number}")).await);
    }
    pipeline.drain().await;
    while queue.pending_duplicates(QueueName::PostQ) + queue.pending_duplicates(QueueName::JobQ) > 0 {
        pipeline.drain().await;
    }

    let counts = [store.counts(), queue.counts()];
    let when = format!("seed {seed}: {counts:?}");
    assert!(counts.iter().all(|counts| counts.throttled > 0), "{when}");
    assert_delivered(&home.pipeline(1_000), &followers, posts, &when).await;
    counts
}

#[tokio::test(start_paused = true)]
async fn posts_arrive_once_through_a_storm_of_faults() {
    let seeds = std::env::var("TWEETER_FAULT_SEEDS").map_or(4, |seeds| seeds.parse().expect("a number"));
    let (mut of_store, mut of_queue) = (FaultCounts::default(), FaultCounts::default());
    for seed in 1..=seeds {
        let [store, queue] = storm(seed).await;
        (of_store, of_queue) = (of_store + store, of_queue + queue);
    }
    assert!(of_store.has_every_kind() && of_queue.has_every_kind(), "{of_store:?}, {of_queue:?}");
}

/// A store that throttles every write of feed entries while the switch is on, and the number of throttled writes.
fn without_feeds(store: Arc<dyn Store>) -> (Arc<dyn Store>, FaultSwitch, Arc<AtomicU64>) {
    let (outage, throttled) = (FaultSwitch::default(), Arc::new(AtomicU64::new(0)));
    let guarded = HookedStore::before(store, {
        let (outage, throttled) = (outage.clone(), throttled.clone());
        move |call| {
            let fails = outage.is_on() && matches!(call, StoreCall::BatchWrite(_, [BatchWrite::Put(_), ..]));
            throttled.fetch_add(u64::from(fails), Ordering::SeqCst);
            Box::pin(std::future::ready(if fails { Err(StoreError::Throttled) } else { Ok(()) }))
        }
    });
    (Arc::new(guarded), outage, throttled)
}

#[tokio::test(start_paused = true)]
async fn hours_of_throttling_dead_letter_and_duplicate_nothing() {
    const JOBS: u64 = 2 * 3;
    let home = Embedded::open();
    let (store, outage, throttled) = without_feeds(home.store.clone());
    let queue = Arc::new(CountingQueue::new(home.queue.clone()));
    let counted: Arc<dyn Queue> = queue.clone();
    let pipeline = Pipeline::on(store, counted, home.clock.clone(), 1_000);
    let (authors, followers) = authors_and_followers(&pipeline, 2, 60).await;
    let mut posts = Vec::new();
    for author in authors {
        posts.push(pipeline.post(author, "waits for hours").await);
    }

    for _ in 0..2 * 60 * 3 {
        while pipeline.turn(QueueName::PostQ).await + pipeline.turn(QueueName::JobQ).await > 0 {}
        assert_eq!(pipeline.messages_in(QueueName::JobQ).await, JOBS, "a copy replaces its original");
        pipeline.clock.advance(Duration::from_secs(20));
        pipeline.sweep().await;
    }
    let received = queue.counts(QueueName::JobQ).messages_received;
    assert!(received > 4 * JOBS * u64::from(limits::MAX_RECEIVES), "{received} receives are no long outage");
    assert!(throttled.load(Ordering::SeqCst) >= received, "each receive met the outage");
    assert_eq!(pipeline.messages_in(QueueName::JobDlq).await, 0);
    for follower in &followers {
        assert_eq!(pipeline.feed(*follower).await, []);
    }

    outage.turn_off();
    pipeline.drain().await;
    assert_delivered(&pipeline, &followers, posts, "after the outage").await;
}

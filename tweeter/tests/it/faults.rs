//! The whole service on failing ports: every accepted post reaches all followers exactly once, and no message is
//! dead-lettered.
//!
//! `TWEETER_FAULT_SEEDS` sets the number of seeds (default 2). Outages of many receives are tested in service's
//! `pipeline_faults`, with simulated time.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use crate::support::{Answer, PASSWORD, Person, TestApp, Wrapped, hooks, in_time, person_of, wrap_queue, wrap_store};
use domain::{Clock, Timestamp};
use futures::{StreamExt as _, future::join_all, stream};
use http::StatusCode;
use ports::queue::{QueueError, QueueName, QueueSettings};
use serde_json::json;
use testkit::faults::{
    FaultCounts, FaultyQueue, FaultyStore, HookedQueue, QueueCall, QueueFaults, QueueHook, StaleStore, StoreFaults,
};
use worker::RetryPauses;

const FOLLOWERS: usize = 60;
const POSTS: usize = 10;

const STORE_FAULTS: StoreFaults =
    StoreFaults { throttled: 0.15, unavailable_before: 0.05, unavailable_after: 0.05, unprocessed: 0.15 };
const QUEUE_FAULTS: QueueFaults =
    QueueFaults { throttled: 0.06, unavailable_before: 0.02, unavailable_after: 0.02, undone: 0.06, duplicated: 0.2 };

/// Eventual reads miss this many of the last writes.
const WRITES_BEHIND: usize = 30;

/// Queues with short polls: a waiting receive does not notice a manually moved clock.
#[derive(Debug)]
struct ShortPolls;

impl QueueHook for ShortPolls {
    async fn around<T: Send>(
        &self,
        _: QueueCall,
        _: QueueName,
        make: impl Future<Output = Result<T, QueueError>> + Send,
    ) -> Result<T, QueueError> {
        make.await
    }

    fn wait(&self, asked: Duration) -> Duration {
        asked.min(Duration::from_millis(10))
    }
}

/// The service on faulty ports, with a manual clock, as leases, sweeps and visibility timeouts last minutes.
struct Storm {
    app: TestApp,
    store: Wrapped<FaultyStore>,
    queue: Wrapped<FaultyQueue>,
    clock: Clock,
}

impl Storm {
    async fn start(seed: u64) -> Self {
        let clock = Clock::manual(Timestamp::from_millis(1_763_700_000_000));
        let mut hooks = hooks();
        hooks.clock = clock.clone();
        hooks.retry_pauses = RetryPauses { first: Duration::from_millis(500), longest: Duration::from_secs(5) };
        let store = wrap_store(&mut hooks, move |bare| {
            FaultyStore::new(Arc::new(StaleStore::new(bare, WRITES_BEHIND)), STORE_FAULTS, seed)
        });
        let queue = wrap_queue(&mut hooks, move |bare| {
            FaultyQueue::new(Arc::new(HookedQueue::with(bare, ShortPolls)), QUEUE_FAULTS, seed)
        });
        // Two minutes are more than two seconds of the test: longer than a handler whose every call is retried.
        let queues = QueueSettings { visibility_timeout: Duration::from_mins(2), ..QueueSettings::default() };
        let app = TestApp::start_configured(|config| config.queues = queues, hooks).await;
        Self { app, store, queue, clock }
    }

    fn break_out(&self) {
        self.store.switch().turn_on();
        self.queue.switch().turn_on();
    }

    fn calm_down(&self) {
        self.store.switch().turn_off();
        self.queue.switch().turn_off();
    }

    /// Retries while the answer is 503.
    async fn insist(&self, request: impl AsyncFn() -> Answer, status: u16) -> Answer {
        loop {
            let answer = request().await;
            if answer.status != StatusCode::SERVICE_UNAVAILABLE {
                return answer.expect(status);
            }
            assert_eq!(answer.headers["retry-after"], "1");
        }
    }

    /// Makes each follower follow each author.
    async fn follow_all(&self, followers: &[Person], authors: &[Person]) {
        let edges = followers.iter().flat_map(|follower| authors.iter().map(move |author| (follower, author)));
        let follow = async |(follower, author): (&Person, &Person)| {
            self.insist(async || self.app.try_follow(follower, &author.user_id).await, 204).await;
        };
        stream::iter(edges).for_each_concurrent(60, follow).await;
    }

    /// Posts in turns by the authors. Returns the texts.
    async fn post_all(&self, authors: &[Person]) -> BTreeSet<String> {
        let posts: Vec<_> = (0..POSTS).map(|number| (&authors[number % authors.len()], format!("{number}"))).collect();
        let post = async |(author, text): &(&Person, String)| {
            self.insist(async || self.app.post_with_key(author, text, text).await, 201).await;
        };
        join_all(posts.iter().map(post)).await;
        posts.into_iter().map(|(_, text)| text).collect()
    }

    /// Advances time at fifty times its speed; much faster while no message is queued and only the sweeper can help.
    async fn time_passes(&self) {
        loop {
            tokio::time::sleep(Duration::from_millis(10)).await;
            let is_idle = self.messages_in(QueueName::PostQ).await + self.messages_in(QueueName::JobQ).await == 0;
            self.clock.advance(Duration::from_millis(if is_idle { 20_000 } else { 500 }));
        }
    }

    async fn messages_in(&self, name: QueueName) -> u64 {
        let depth = self.app.services().queue.depth(name).await.unwrap();
        depth.visible + depth.in_flight + depth.delayed
    }

    /// Waits until no work is left and no message will be redelivered.
    async fn everything_settles(&self) {
        let settled = async {
            loop {
                self.app.drain().await;
                if [QueueName::PostQ, QueueName::JobQ].iter().all(|name| self.queue.pending_duplicates(*name) == 0) {
                    break;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            () = in_time(settled) => {}
            () = self.time_passes() => {}
        }
    }

    /// The same person with a fresh token.
    async fn logged_in(&self, person: &Person) -> Person {
        let answer = self.app.login(json!({ "handle": person.handle, "password": PASSWORD })).await;
        person_of(&answer.expect(200))
    }
}

/// Runs one storm. Returns the faults of the store and of the queues.
async fn everything_arrives(seed: u64) -> [FaultCounts; 2] {
    let storm = Storm::start(seed).await;
    storm.calm_down();
    let authors = storm.app.register_many("author", 3).await;
    let followers = storm.app.register_many("follower", FOLLOWERS).await;
    storm.break_out();
    storm.follow_all(&followers, &authors).await;
    let posts = storm.post_all(&authors).await;
    storm.everything_settles().await;
    storm.calm_down();

    for follower in &followers {
        let texts = storm.app.whole_feed(&storm.logged_in(follower).await, 7).await;
        assert_eq!(texts.len(), POSTS, "seed {seed}: {} has {texts:?}", follower.handle);
        assert_eq!(texts.into_iter().collect::<BTreeSet<_>>(), posts, "seed {seed}: {}", follower.handle);
    }
    for dead in [QueueName::PostDlq, QueueName::JobDlq, QueueName::ChangeDlq] {
        assert_eq!(storm.messages_in(dead).await, 0, "seed {seed}: {dead:?}");
    }
    let counts = [storm.store.counts(), storm.queue.counts()];
    assert!(counts.iter().all(|counts| counts.throttled > 0), "seed {seed}: {counts:?}");
    counts
}

#[tokio::test]
async fn faulty_ports_deliver_every_post_exactly_once() {
    let seeds = std::env::var("TWEETER_FAULT_SEEDS").map_or(2, |seeds| seeds.parse().expect("a number"));
    let counts: Vec<_> = stream::iter(1..=seeds).map(everything_arrives).buffered(4).collect().await;
    for port in 0..2 {
        let faults = counts.iter().map(|counts| counts[port]).reduce(|a, b| a + b).unwrap_or_default();
        assert!(faults.has_every_kind(), "{faults:?}");
    }
}

//! Random histories of authors around the threshold, compared with a model that knows nothing of delivery.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
    time::Duration,
};

use data::{Follows, Posts, Window};
use domain::{PostText, UserId, limits};
use ports::queue::{QueueName, ReceivedMessage};
use proptest::prelude::*;
use service::promotion::PullThreshold;
use service_testkit::{Embedded, pipeline::Pipeline};
use testkit::{
    crash::{Death, Life, MortalQueue, MortalStore},
    social::{Action, ExpectedFeed, SocialModel},
};

use super::super::following::town::{delete, erase, story};
use super::{THRESHOLD, count, feed, forget_stories};

const USERS: usize = 5;

/// The work of a process before its time is up.
#[derive(Debug, Clone, Copy)]
enum Deed {
    Follow(usize, usize),
    Unfollow(usize, usize),
    /// A post by an author, at a threshold of 1, [`THRESHOLD`] or none: promotes, keeps or demotes.
    Post(usize, usize),
    /// Handles one batch of a queue: PostQ if true.
    Turn(bool),
    Sweep,
}

/// One step of a random history. Post numbers count from the newest.
#[derive(Debug, Clone)]
enum Step {
    Do(Deed),
    /// Does it in a process that dies at a call to the store or a queue, after it if true.
    Die(Deed, i64, bool),
    Delete(usize, usize),
    Erase(usize, usize),
    /// Derives the counts, on which promotions and demotions depend.
    Count,
    /// Keeps a batch of messages, which is redelivered at the next step of this kind.
    Keep(bool),
    Read(usize),
    Restart,
    Settle,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let user = 0..USERS;
    // Most follow the first, who is promoted and demoted most.
    let followee = prop_oneof![3 => Just(0), 1 => user.clone()];
    let pair = (user.clone(), followee.clone()).prop_filter("nobody follows themselves", |(a, b)| a != b);
    let deed = prop_oneof![
        5 => pair.clone().prop_map(|(a, b)| Deed::Follow(a, b)),
        2 => pair.prop_map(|(a, b)| Deed::Unfollow(a, b)),
        6 => (followee.clone(), 0_usize..3).prop_map(|(author, threshold)| Deed::Post(author, threshold)),
        4 => any::<bool>().prop_map(Deed::Turn),
        1 => Just(Deed::Sweep),
    ];
    let step = prop_oneof![
        8 => deed.clone().prop_map(Step::Do),
        5 => (deed, 0_i64..14, any::<bool>()).prop_map(|(deed, calls, is_done)| Step::Die(deed, calls, is_done)),
        1 => (followee.clone(), 0_usize..8).prop_map(|(author, number)| Step::Delete(author, number)),
        1 => (followee, 0_usize..8).prop_map(|(author, number)| Step::Erase(author, number)),
        3 => Just(Step::Count),
        2 => any::<bool>().prop_map(Step::Keep),
        2 => user.prop_map(Step::Read),
        1 => Just(Step::Restart),
        1 => Just(Step::Settle),
    ];
    prop::collection::vec(step, 1..50)
}

struct Lives<'a> {
    home: &'a Embedded,
    pipeline: Pipeline,
    users: Vec<UserId>,
    model: SocialModel,
    kept: HashMap<QueueName, Vec<ReceivedMessage>>,
}

const fn queue_of(is_post_queue: bool) -> QueueName {
    if is_post_queue { QueueName::PostQ } else { QueueName::JobQ }
}

impl<'a> Lives<'a> {
    async fn begin(home: &'a Embedded, stories: &[usize]) -> Self {
        let pipeline = home.pipeline(2);
        let (mut users, mut model) = (Vec::new(), SocialModel::default());
        for count in stories {
            let user = pipeline.user("user").await;
            for post in story(&pipeline, user, *count).await {
                model.apply(Action::Post(user, post));
            }
            users.push(user);
        }
        Self { home, pipeline, users, model, kept: HashMap::new() }
    }

    async fn perform(&self, process: &Pipeline, deed: Deed) {
        let now = self.home.clock.now();
        match deed {
            Deed::Follow(a, b) => process.graph.follow(self.users[a], self.users[b], now).await.unwrap(),
            Deed::Unfollow(a, b) => process.graph.unfollow(self.users[a], self.users[b], now).await.unwrap(),
            Deed::Post(author, threshold) => {
                let threshold = [PullThreshold::from(1), PullThreshold::from(THRESHOLD), PullThreshold::OFF][threshold];
                let publish = process.publish.clone().with_pull_threshold(threshold);
                let text = PostText::parse("new").unwrap();
                publish.publish(self.users[author], text, None, now).await.unwrap();
            }
            Deed::Turn(is_post_queue) => drop(process.turn(queue_of(is_post_queue)).await),
            Deed::Sweep => drop(process.sweep().await),
        }
    }

    /// Learns what a deed did from what is stored.
    async fn observe(&mut self, deed: Deed) {
        match deed {
            Deed::Follow(a, b) => {
                let (follower, followee) = (self.users[a], self.users[b]);
                let edges = Follows::new(self.home.store.clone()).edges_from(follower, &[followee]).await.unwrap();
                match edges.get(&followee) {
                    None => {}
                    Some(Window::Backfilling(_)) => self.model.begin_follow(follower, followee),
                    Some(_) => self.model.apply(Action::Follow(follower, followee)),
                }
            }
            Deed::Unfollow(a, b) => {
                if !self.pipeline.graph.follows(self.users[a], self.users[b]).await.unwrap() {
                    self.model.apply(Action::Unfollow(self.users[a], self.users[b]));
                }
            }
            Deed::Post(author, _) => {
                let author = self.users[author];
                let posts = Posts::new(self.home.store.clone()).page_of_author(author, None, 1).await.unwrap();
                let known = |post| self.model.posts().any(|(known, ..)| known == post);
                if let Some(post) = posts.items.first().copied().filter(|post| !known(*post)) {
                    self.model.apply(Action::Post(author, post));
                }
            }
            Deed::Turn(_) => {}
            Deed::Sweep => {
                // A dying sweep may have finished some backfills.
                let pairs = (0..USERS).flat_map(|a| (0..USERS).map(move |b| (a, b))).filter(|(a, b)| a != b);
                for (a, b) in pairs.collect::<Vec<_>>() {
                    if self.model.follows(self.users[a], self.users[b]) {
                        Box::pin(self.observe(Deed::Follow(a, b))).await;
                    }
                }
            }
        }
    }

    async fn die(&mut self, deed: Deed, calls: i64, death: Death) {
        let life = Life::of(calls, death);
        let store = Arc::new(MortalStore::with(self.home.store.clone(), life.clone()));
        let queue = Arc::new(MortalQueue::with(self.home.queue.clone(), life.clone()));
        let mortal = Pipeline::on(store, queue, self.home.clock.clone(), 2);
        // Every process makes its own ids: only a later millisecond orders them.
        self.home.clock.advance(Duration::from_millis(1));
        life.live(self.perform(&mortal, deed)).await;
        self.home.clock.advance(Duration::from_millis(1));
        self.observe(deed).await;
    }

    /// Checks that a feed shows all posts that it must at once, and no forbidden one.
    async fn check(&self, reader: usize) {
        let ExpectedFeed { at_most, at_once, .. } = self.model.feed(self.users[reader]);
        let seen = feed(&self.pipeline, self.users[reader]).await;
        assert!(seen.iter().all(|post| at_most.contains(post)), "{seen:?} is more than {at_most:?}");
        assert!(at_once.iter().all(|post| seen.contains(post)), "{seen:?} is less than {at_once:?}");
    }

    async fn settle(&mut self) {
        self.home.clock.advance(limits::BACKFILL_LEASE);
        self.pipeline.sweep().await;
        self.model.finish_backfills();
        self.pipeline.drain().await;
        forget_stories(self.home);
        for reader in &self.users {
            assert_eq!(feed(&self.pipeline, *reader).await, self.model.feed(*reader).all);
        }
    }

    fn kill(&mut self, author: usize, number: usize) -> Option<domain::PostId> {
        let post = self.model.living_of(self.users[author]).nth(number)?;
        self.model.apply(Action::Delete(post));
        Some(post)
    }

    async fn step(&mut self, step: Step) {
        match step {
            Step::Do(deed) => {
                self.perform(&self.pipeline.clone(), deed).await;
                self.observe(deed).await;
            }
            Step::Die(deed, calls, is_done) => {
                self.die(deed, calls, if is_done { Death::After } else { Death::Before }).await;
            }
            Step::Delete(author, number) => {
                if let Some(post) = self.kill(author, number) {
                    delete(&self.pipeline, post).await;
                }
            }
            Step::Erase(author, number) => {
                if let Some(post) = self.kill(author, number) {
                    erase(&self.pipeline, self.users[author], post).await;
                }
            }
            Step::Count => count(self.home).await,
            Step::Keep(is_post_queue) => {
                let name = queue_of(is_post_queue);
                let received = self.pipeline.receive(name).await;
                let late = self.kept.insert(name, received).unwrap_or_default();
                if !late.is_empty() {
                    self.pipeline.handle(name, late).await;
                }
            }
            Step::Read(reader) => self.check(reader).await,
            Step::Restart => {
                self.pipeline = self.home.pipeline(2);
                self.home.clock.advance(Duration::from_millis(1));
                self.pipeline.reclaim(&[].into()).await;
                self.model.finish_backfills();
            }
            Step::Settle => self.settle().await,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn feeds_agree_with_a_model_without_modes(
        stories in prop::collection::vec(prop_oneof![4 => 0_usize..4, 1 => 95_usize..110], USERS),
        steps in steps(),
    ) {
        static HOME: LazyLock<Embedded> = LazyLock::new(Embedded::open);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut lives = Lives::begin(&HOME, &stories).await;
            for step in steps {
                lives.step(step).await;
            }
            lives.settle().await;
            // A redelivery of the messages kept throughout changes nothing.
            for _ in 0..2 {
                lives.step(Step::Keep(true)).await;
                lives.step(Step::Keep(false)).await;
            }
            lives.settle().await;
        });
    }
}

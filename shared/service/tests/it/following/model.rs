//! Random histories checked against a model of the social rules.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use data::{Follows, Window};
use domain::{PostId, UserId, limits};
use ports::queue::{QueueName, ReceivedMessage};
use proptest::prelude::*;
use service_testkit::pipeline::Pipeline;
use testkit::{
    crash::{Death, Life, MortalStore},
    social::{Action, ExpectedFeed, SocialModel},
};

use super::town::{delete, erase, feed, story};
use service_testkit::Embedded;

const USERS: usize = 3;

/// One step of a random history. Post numbers count from the newest.
#[derive(Debug, Clone)]
enum Step {
    Follow(usize, usize),
    /// A follow with concurrent reads of the feed, which remove outdated entries.
    FollowWhileReading(usize, usize),
    DyingFollow(usize, usize, i64, bool),
    Unfollow(usize, usize),
    UnfollowWhileReading(usize, usize),
    Post(usize),
    Delete(usize, usize),
    Erase(usize, usize),
    Turn(bool),
    /// Keeps a batch of jobs, which is redelivered late, at the next step of this kind.
    KeepJobs,
    Read(usize),
    Sweep,
    Restart,
    Drain,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let user = 0..USERS;
    let pair = (user.clone(), user.clone()).prop_filter("nobody follows themselves", |(a, b)| a != b);
    let step = prop_oneof![
        3 => pair.clone().prop_map(|(a, b)| Step::Follow(a, b)),
        3 => pair.clone().prop_map(|(a, b)| Step::FollowWhileReading(a, b)),
        4 => (pair.clone(), 0_i64..12, any::<bool>()).prop_map(|((a, b), calls, is_done)| Step::DyingFollow(a, b, calls, is_done)),
        3 => pair.clone().prop_map(|(a, b)| Step::Unfollow(a, b)),
        2 => pair.prop_map(|(a, b)| Step::UnfollowWhileReading(a, b)),
        5 => user.clone().prop_map(Step::Post),
        2 => (user.clone(), 0_usize..110).prop_map(|(author, number)| Step::Delete(author, number)),
        1 => (user.clone(), 0_usize..110).prop_map(|(author, number)| Step::Erase(author, number)),
        4 => any::<bool>().prop_map(Step::Turn),
        2 => Just(Step::KeepJobs),
        3 => user.prop_map(Step::Read),
        1 => Just(Step::Sweep),
        1 => Just(Step::Restart),
        1 => Just(Step::Drain),
    ];
    prop::collection::vec(step, 1..40)
}

struct Lives<'a> {
    home: &'a Embedded,
    pipeline: Pipeline,
    users: Vec<UserId>,
    model: SocialModel,
    kept: Vec<ReceivedMessage>,
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
        Self { home, pipeline, users, model, kept: Vec::new() }
    }

    async fn follow(&self, (a, b): (usize, usize)) {
        self.pipeline.graph.follow(self.users[a], self.users[b], self.pipeline.clock.now()).await.unwrap();
    }

    async fn unfollow(&self, (a, b): (usize, usize)) {
        self.pipeline.graph.unfollow(self.users[a], self.users[b], self.pipeline.clock.now()).await.unwrap();
    }

    async fn read_twice(&self, reader: usize) {
        for _ in 0..2 {
            feed(&self.pipeline, self.users[reader]).await;
        }
    }

    /// A follow in a process that dies at one of its calls. Only the store knows how far it came.
    async fn dying_follow(&mut self, (a, b): (usize, usize), calls: i64, death: Death) {
        let life = Life::of(calls, death);
        let store = Arc::new(MortalStore::with(self.home.store.clone(), life.clone()));
        let mortal = Pipeline::on(store, self.home.queue.clone(), self.home.clock.clone(), 2);
        // There are two id generators: only a later millisecond orders their ids.
        self.pipeline.clock.advance(Duration::from_millis(1));
        let (follower, followee) = (self.users[a], self.users[b]);
        life.live(mortal.graph.follow(follower, followee, self.pipeline.clock.now())).await;
        self.pipeline.clock.advance(Duration::from_millis(1));
        let edges = Follows::new(self.home.store.clone()).edges_from(follower, &[followee]).await.unwrap();
        match edges.get(&followee) {
            None => {}
            Some(Window::Backfilling(_)) => self.model.begin_follow(follower, followee),
            Some(_) => self.model.apply(Action::Follow(follower, followee)),
        }
    }

    /// Checks that a feed shows all required posts and no forbidden one.
    async fn check(&self, reader: usize) {
        let ExpectedFeed { at_most, at_once, .. } = self.model.feed(self.users[reader]);
        let seen = feed(&self.pipeline, self.users[reader]).await;
        assert!(seen.is_sorted_by(|newer, older| newer > older), "newest first, none twice");
        assert!(seen.iter().all(|post| at_most.contains(post)), "{seen:?} is more than {at_most:?}");
        assert!(at_once.iter().all(|post| seen.contains(post)), "{seen:?} is less than {at_once:?}");
    }

    async fn drain(&mut self) {
        self.pipeline.clock.advance(limits::BACKFILL_LEASE);
        self.pipeline.sweep().await;
        self.model.finish_backfills();
        self.pipeline.drain().await;
        for reader in 0..USERS {
            assert_eq!(feed(&self.pipeline, self.users[reader]).await, self.model.feed(self.users[reader]).all);
        }
    }

    fn kill(&mut self, author: usize, number: usize) -> Option<PostId> {
        let post = self.model.living_of(self.users[author]).nth(number)?;
        self.model.apply(Action::Delete(post));
        Some(post)
    }

    async fn step(&mut self, step: Step) {
        match step {
            Step::Follow(a, b) => {
                self.follow((a, b)).await;
                self.model.apply(Action::Follow(self.users[a], self.users[b]));
                self.check(a).await;
            }
            Step::FollowWhileReading(a, b) => {
                futures::join!(self.follow((a, b)), self.read_twice(a), self.read_twice(a));
                self.model.apply(Action::Follow(self.users[a], self.users[b]));
                self.check(a).await;
            }
            Step::DyingFollow(a, b, calls, is_done) => {
                self.dying_follow((a, b), calls, if is_done { Death::After } else { Death::Before }).await;
                self.check(a).await;
            }
            Step::Unfollow(a, b) => {
                self.unfollow((a, b)).await;
                self.model.apply(Action::Unfollow(self.users[a], self.users[b]));
            }
            Step::UnfollowWhileReading(a, b) => {
                futures::join!(self.unfollow((a, b)), self.read_twice(a));
                self.model.apply(Action::Unfollow(self.users[a], self.users[b]));
                self.check(a).await;
            }
            Step::Post(author) => {
                let post = self.pipeline.post(self.users[author], "new").await;
                self.model.apply(Action::Post(self.users[author], post));
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
            Step::Turn(fan_out) => {
                self.pipeline.turn(if fan_out { QueueName::PostQ } else { QueueName::JobQ }).await;
            }
            Step::KeepJobs => {
                let late = std::mem::replace(&mut self.kept, self.pipeline.receive(QueueName::JobQ).await);
                if !late.is_empty() {
                    self.pipeline.handle(QueueName::JobQ, late).await;
                }
            }
            Step::Read(reader) => self.check(reader).await,
            Step::Sweep => {
                self.pipeline.clock.advance(limits::BACKFILL_LEASE);
                self.pipeline.sweep().await;
                self.model.finish_backfills();
            }
            Step::Restart => {
                self.pipeline.reclaim(&[].into()).await;
                self.model.finish_backfills();
            }
            Step::Drain => self.drain().await,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn feeds_agree_with_a_simple_model(
        stories in prop::collection::vec(prop_oneof![0_usize..4, 95_usize..110], USERS),
        steps in steps(),
    ) {
        static HOME: LazyLock<Embedded> = LazyLock::new(Embedded::open);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut life = Lives::begin(&HOME, &stories).await;
            for step in steps {
                life.step(step).await;
            }
            life.drain().await;
            // A redelivery of the jobs kept throughout changes nothing.
            life.step(Step::KeepJobs).await;
            life.step(Step::KeepJobs).await;
            life.drain().await;
        });
    }
}

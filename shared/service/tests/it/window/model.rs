//! Random lives of readers who come and go, checked against the model of the social rules.

use std::sync::LazyLock;

use proptest::prelude::*;
use testkit::social::{Action, SocialModel};

use super::*;

const USERS: usize = 3;

/// One step of a random life. Post numbers count from the newest.
#[derive(Debug, Clone)]
enum Step {
    Follow(usize, usize),
    Unfollow(usize, usize),
    Post(usize),
    Delete(usize, usize),
    Restore(usize),
    PassDays(u32),
    /// Reads in pages of one of [`LIMITS`].
    Read(usize, usize),
    /// Reads in two tabs at once.
    ReadTwice(usize),
    /// A read by a process that dies at one of its calls.
    DyingRead(usize, i64, bool),
    LoseFeed(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let user = 0..USERS;
    let pair = (user.clone(), user.clone()).prop_filter("nobody follows themselves", |(a, b)| a != b);
    let step = prop_oneof![
        4 => pair.clone().prop_map(|(a, b)| Step::Follow(a, b)),
        2 => pair.prop_map(|(a, b)| Step::Unfollow(a, b)),
        6 => user.clone().prop_map(Step::Post),
        2 => (user.clone(), 0_usize..110).prop_map(|(author, number)| Step::Delete(author, number)),
        1 => (0_usize..10).prop_map(Step::Restore),
        3 => (0_u32..8).prop_map(Step::PassDays),
        2 => (20_u32..100).prop_map(Step::PassDays),
        4 => (user.clone(), 0..LIMITS.len()).prop_map(|(reader, limit)| Step::Read(reader, limit)),
        1 => user.clone().prop_map(Step::ReadTwice),
        2 => (user.clone(), 0_i64..25, any::<bool>()).prop_map(|(reader, calls, is_done)| Step::DyingRead(reader, calls, is_done)),
        1 => user.prop_map(Step::LoseFeed),
    ];
    prop::collection::vec(step, 1..30)
}

struct Lives<'a> {
    home: &'a Embedded,
    pipeline: Pipeline,
    users: Vec<UserId>,
    model: SocialModel,
    deleted: Vec<PostId>,
}

impl<'a> Lives<'a> {
    async fn begin(home: &'a Embedded, stories: &[usize]) -> Self {
        let pipeline = small(home.pipeline(2));
        let (mut users, mut model) = (Vec::new(), SocialModel::default());
        for count in stories {
            let user = pipeline.user("user").await;
            for post in story(&pipeline, user, *count).await {
                model.apply(Action::Post(user, post));
            }
            users.push(user);
        }
        Self { home, pipeline, users, model, deleted: Vec::new() }
    }

    /// A post, which the fan-out delivers to all followers but dormant ones.
    async fn post(&mut self, author: usize) {
        let post = self.pipeline.post(self.users[author], "new").await;
        self.pipeline.drain().await;
        self.model.apply(Action::Post(self.users[author], post));
        for (number, reader) in self.users.iter().enumerate() {
            let active_at = activity(&self.pipeline, *reader).await.active_at;
            let absence = active_at.map(|at| self.pipeline.clock.now().since(at)).unwrap_or_default();
            if number != author && absence > limits::DORMANT_AFTER + 2 * DAY {
                Feeds::new(self.home.store.clone()).remove_of_reader(*reader, &[post]).await.unwrap();
            }
        }
    }

    async fn check(&self, reader: usize, limit: u32) {
        let expected = self.model.feed(self.users[reader]).all;
        assert_eq!(self.pipeline.feed_by(self.users[reader], limit).await, expected, "pages of {limit}");
    }

    async fn dying_read(&self, reader: usize, calls: i64, death: Death) {
        let life = Life::of(calls, death);
        let store = Arc::new(MortalStore::with(self.home.store.clone(), life.clone()));
        let mortal = small(Pipeline::on(store, self.home.queue.clone(), self.home.clock.clone(), 2));
        life.live(mortal.feed_by(self.users[reader], 20)).await;
    }

    async fn lose_feed(&self, reader: usize) {
        let reader = self.users[reader];
        self.pipeline.feeds.background().idle().await;
        lose_feed(&self.pipeline, reader).await;
        let was = activity(&self.pipeline, reader).await;
        let lost = service::coverage::nothing_covered(&was);
        let told = Readers::new(self.home.store.clone()).put_active(reader, &was, &lost).await.unwrap();
        assert!(told.is_applied());
    }

    async fn step(&mut self, step: Step) {
        let now = self.pipeline.clock.now();
        match step {
            Step::Follow(a, b) => {
                self.pipeline.graph.follow(self.users[a], self.users[b], now).await.unwrap();
                self.model.apply(Action::Follow(self.users[a], self.users[b]));
            }
            Step::Unfollow(a, b) => {
                self.pipeline.graph.unfollow(self.users[a], self.users[b], now).await.unwrap();
                self.model.apply(Action::Unfollow(self.users[a], self.users[b]));
            }
            Step::Post(author) => self.post(author).await,
            Step::Delete(author, number) => {
                let post = self.model.living_of(self.users[author]).nth(number);
                if let Some(post) = post {
                    self.model.apply(Action::Delete(post));
                    delete(&self.pipeline, post).await;
                    self.deleted.push(post);
                }
            }
            Step::Restore(number) => {
                if number < self.deleted.len() {
                    let post = self.deleted.remove(number);
                    self.model.apply(Action::Restore(post));
                    restore(&self.pipeline, post).await;
                }
            }
            Step::PassDays(days) => {
                self.home.clock.advance(days * DAY);
                for reader in &self.users {
                    expire(&self.pipeline, *reader).await;
                }
            }
            Step::Read(reader, limit) => self.check(reader, LIMITS[limit]).await,
            Step::ReadTwice(reader) => drop(futures::join!(self.check(reader, 7), self.check(reader, 100))),
            Step::DyingRead(reader, calls, is_done) => {
                self.dying_read(reader, calls, if is_done { Death::After } else { Death::Before }).await;
            }
            Step::LoseFeed(reader) => self.lose_feed(reader).await,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn feeds_without_end_agree_with_a_simple_model(
        stories in prop::collection::vec(prop_oneof![0_usize..4, 10_usize..40, 95_usize..110], USERS),
        steps in steps(),
    ) {
        static HOME: LazyLock<Embedded> = LazyLock::new(Embedded::open);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut lives = Lives::begin(&HOME, &stories).await;
            for step in steps {
                lives.step(step).await;
            }
            for reader in 0..USERS {
                for limit in LIMITS {
                    lives.check(reader, limit).await;
                }
            }
        });
    }
}

//! People who act concurrently on a store that fails, refuses and lags, while two competing handlers apply the changes:
//! each act is atomic, and counts and notifications match the stored acts exactly.
//!
//! `TWEETER_FAULT_SEEDS` sets the number of seeds (default 4).

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::support::{TestApp, crash_oracle::assert_both_sides, database::TestDatabase};
use data::{keys, messages::ChangeMessage};
use domain::{Clock, CommentId, CommentText, IdGenerator, PostId, Timestamp, UserId};
use embedded::{EmbeddedChanges, EmbeddedStore};
use futures::future::{join, join_all};
use http::Method;
use ports::{
    changes::ChangeLog as _,
    queue::QueueName,
    store::{Item, Store, Table, Write},
};
use proptest::{prelude::ProptestConfig, proptest};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use service::{
    ServiceError,
    backfill::BackfillService,
    changes::{Applied, ChangeService},
    comments::CommentService,
    graph::GraphService,
    likes::LikeService,
    posts::PostService,
    rates::RateLimiter,
};
use service_testkit::{
    pipeline::START,
    social_harness::{Deed, SocialHarness},
};
use testkit::{
    faults::{ConflictingStore, FaultyStore, LateStore, StaleStore, StoreFaults},
    social::{Action, SocialModel},
};
use tweeter::{
    dead_letters::{DeadLetters, Selection},
    recount::{Recount, Scope},
};

const POSTS: usize = 4;
const ACTS_EACH: usize = 40;
const FAULTS: StoreFaults =
    StoreFaults { throttled: 0.1, unavailable_before: 0.04, unavailable_after: 0.1, unprocessed: 0.1 };

/// All acts that people can take, on one store.
struct Services {
    graph: GraphService,
    likes: LikeService,
    comments: CommentService,
    posts: PostService,
}

impl Services {
    fn on(store: &Arc<dyn Store>) -> Self {
        let ids = Arc::new(IdGenerator::new());
        Self {
            graph: GraphService::new(Arc::clone(store), Arc::clone(&ids), RateLimiter::off()),
            likes: LikeService::new(Arc::clone(store), RateLimiter::off()),
            comments: CommentService::new(Arc::clone(store), ids, RateLimiter::off()),
            posts: PostService::new(Arc::clone(store), RateLimiter::off()),
        }
    }
}

/// One of the social's people.
struct Actor<'a> {
    services: Services,
    me: UserId,
    people: &'a [UserId],
    posts: &'a [(PostId, UserId)],
    said: Vec<(PostId, CommentId)>,
    rng: StdRng,
}

impl Actor<'_> {
    async fn acts(mut self) {
        for step in 0..ACTS_EACH {
            let now = START.plus(Duration::from_millis(step as u64));
            let (kind, number) = (self.rng.random_range(0..20), self.rng.random_range(0..1_000));
            // A person without an answer usually retries.
            while let Err(error) = self.act(kind, number, now).await {
                match error {
                    ServiceError::NotFound | ServiceError::Invalid { .. } => break,
                    ServiceError::Store(error) if error.is_transient() => {}
                    error => panic!("{error:?}"),
                }
                if self.rng.random_bool(0.3) {
                    break;
                }
            }
        }
    }

    async fn act(&mut self, kind: usize, number: usize, now: Timestamp) -> Result<(), ServiceError> {
        let (post, author) = self.posts[number % self.posts.len()];
        let whom = self.people[number % self.people.len()];
        match kind {
            0..6 => self.services.likes.like(self.me, post, now).await,
            6..10 => self.services.likes.unlike(self.me, post, now).await,
            10..12 => self.services.graph.follow(self.me, whom, now).await,
            12..14 => self.services.graph.unfollow(self.me, whom, now).await,
            14..17 => {
                let text = CommentText::parse("well").expect("a text");
                let view = self.services.comments.create(self.me, post, text, now).await?;
                self.said.push((post, view.comment.comment_id));
                Ok(())
            }
            17 => match self.said.get(number.checked_rem(self.said.len()).unwrap_or(0)) {
                Some((post, comment)) => self.services.comments.delete(self.me, *post, *comment, now).await,
                None => Ok(()),
            },
            18 if author == self.me => self.services.posts.delete(author, post, now).await,
            // An operator restores posts at any time, even one that is not deleted.
            _ => self.services.posts.restore(post, now).await,
        }
    }
}

/// Handles the log's changes until stopped: some twice, in different batches, or by two handlers at once.
async fn handles(database: &TestDatabase, store: &Arc<dyn Store>, mut rng: StdRng, is_done: &AtomicBool) {
    let ids = Arc::new(IdGenerator::new());
    let [first, second] = [(); 2].map(|()| ChangeService::new(Arc::clone(store), Arc::clone(&ids)));
    while !is_done.load(Ordering::SeqCst) {
        let changes = database.log.read(rng.random_range(1..60), Duration::from_millis(5)).await.unwrap();
        let some = rng.random_range(0..=changes.len());
        let (outcomes, others) = join(first.apply(&changes, START), second.apply(&changes[some..], START)).await;
        for outcome in outcomes.iter().chain(&others) {
            assert!(!matches!(outcome, Applied::Poison(_)), "{outcome:?}");
        }
        let done = outcomes.iter().take_while(|outcome| matches!(outcome, Applied::Done)).count();
        if let Some(last) = changes[..done].last().filter(|_| rng.random_bool(0.7)) {
            database.log.pass(last).await.unwrap();
        }
    }
}

async fn storm(seed: u64) {
    let (database, mut rng) = (TestDatabase::open(), StdRng::seed_from_u64(seed));
    let mut social = database.social().await;
    for who in 0..POSTS {
        social.does(Deed::Post(who)).await;
    }
    let stale: Arc<dyn Store> = Arc::new(StaleStore::new(Arc::new(database.store.clone()), 30));
    let faulty = Arc::new(FaultyStore::new(stale, FAULTS, seed));
    let conflicting = Arc::new(ConflictingStore::new(faulty.clone(), 0.1, seed));
    let late = Arc::new(LateStore::new(conflicting.clone(), 0.1, seed));
    let store: Arc<dyn Store> = late.clone();
    let posts: Vec<(PostId, UserId)> = social.model.posts().map(|(post, author, _)| (post, author)).collect();
    let actors = social.people.iter().map(|me| {
        let (services, rng) = (Services::on(&store), StdRng::seed_from_u64(rng.random()));
        Actor { services, me: *me, people: &social.people, posts: &posts, said: Vec::new(), rng }.acts()
    });
    let actors: Vec<_> = actors.collect();
    let is_done = AtomicBool::new(false);
    let all = async {
        join_all(actors).await;
        is_done.store(true, Ordering::SeqCst);
    };
    join(all, handles(&database, &store, StdRng::seed_from_u64(seed + 1), &is_done)).await;
    late.switch().turn_off();
    faulty.switch().turn_off();
    conflicting.switch().turn_off();
    late.arrive_all().await;
    assert!(faulty.counts().has_every_kind(), "seed {seed} did not inject every fault: {:?}", faulty.counts());
    assert_settled(&database, &mut social, &format!("seed {seed}")).await;
}

/// Finishes pending work, and compares all derived data with the stored acts.
async fn assert_settled(database: &TestDatabase, social: &mut SocialHarness, when: &str) {
    let backfills = BackfillService::new(Arc::new(database.store.clone()));
    backfills.finish_expired(Timestamp::from_millis(u64::MAX), None).await.unwrap();
    database.apply_all(social).await;
    let recounted = database.recount(false, social).await;
    assert!(recounted.is_right(), "{when}: {recounted:#?}");
    assert_both_sides(&database.store).await;
    social.model = model_of(&database.store).await;
    let acts = social.people.iter().flat_map(|user| social.model.acts_concerning(*user));
    assert!(acts.count() > 0, "{when}: no act was stored");
    let store: Arc<dyn Store> = Arc::new(database.store.clone());
    social.assert_settled(&store, when).await;
}

/// The stored acts, read from the items that are neither counted nor notified.
async fn model_of(store: &EmbeddedStore) -> SocialModel {
    let (mut model, mut after) = (SocialModel::default(), None);
    loop {
        let page = store.scan(Table::Social, after, 1_000).await.unwrap();
        let Some(last) = page.last() else { return model };
        after = Some(last.key.clone());
        for item in &page {
            note_act(&mut model, item);
        }
    }
}

fn note_act(model: &mut SocialModel, item: &Item) {
    let is_deleted = item.attributes.contains_key("deleted_at");
    let author = || item.text("author_id").unwrap().parse().unwrap();
    let (kind, owner) = item.key.partition.split_once('#').unwrap();
    let (owner, sort) = (owner.split('#').next().unwrap(), item.key.sort.as_str());
    match (kind, sort.strip_prefix("COMMENT#")) {
        ("LIKERS", _) => model.apply(Action::Like(sort.parse().unwrap(), owner.parse().unwrap())),
        ("FOLLOWERS", _) => model.apply(Action::Follow(sort.parse().unwrap(), owner.parse().unwrap())),
        ("POST", Some(comment)) => {
            let comment = comment.parse().unwrap();
            model.apply(Action::Comment(author(), owner.parse().unwrap(), comment));
            if is_deleted {
                model.apply(Action::DeleteComment(comment));
            }
        }
        ("POST", None) if sort == "POST" => {
            let post = owner.parse().unwrap();
            model.apply(Action::Post(author(), post));
            if is_deleted {
                model.apply(Action::Delete(post));
            }
        }
        _ => {}
    }
}

#[tokio::test(start_paused = true)]
async fn concurrent_acts_through_faults_are_counted_exactly() {
    let seeds = std::env::var("TWEETER_FAULT_SEEDS").map_or(4, |seeds| seeds.parse().expect("a number"));
    for seed in 1..=seeds {
        storm(seed).await;
    }
}

/// Applies all changes and passes only some, then pauses for days, during which expired items are removed, and applies
/// the rest again.
async fn redeliver_after(days: u32, passed: usize) {
    let database = TestDatabase::open();
    let mut social = database.social().await;
    for deed in [Deed::Post(0), Deed::Like(1, 0), Deed::Comment(2, 0), Deed::Follow(3, 0)] {
        social.does(deed).await;
    }
    let changes = database.log.read(100, Duration::ZERO).await.unwrap();
    let service = ChangeService::new(Arc::new(database.store.clone()), Arc::new(IdGenerator::new()));
    service.apply(&changes, START).await;
    if let Some(last) = changes[..passed.min(changes.len())].last() {
        database.log.pass(last).await.unwrap();
    }
    social.now = START.plus(Duration::from_hours(24) * days);
    database.store.sweep_expired(social.now).await.unwrap();
    database.apply_all(&social).await;
    let whole: Arc<dyn Store> = Arc::new(database.store.clone());
    social.assert_settled(&whole, &format!("after {days} days, {passed} passed")).await;
    assert!(database.recount(false, &social).await.is_right());
    let ledger_expired = days >= 2;
    let removed = database.store.sweep_expired(social.now).await.unwrap();
    assert!(!ledger_expired || removed > 0 || passed >= changes.len(), "expired items are removed in the end");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn applied_changes_are_not_recounted_after_a_pause(days in 0_u32..60, passed in 0_usize..6) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(redeliver_after(days, passed));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redriven_like_is_counted_with_its_images() {
    let app = TestApp::start().await;
    let [alice, bob] = [app.register("alice").await, app.register("bob").await];
    let post = app.post(&alice, "hello").await;
    app.drain().await;
    let store = EmbeddedStore::new(app.handle.engine().unwrap().clone());
    let counts = keys::post_counts(post.parse().unwrap());
    let broken = Item::new(counts.clone()).with("likes", "many");
    assert!(store.write(Table::Social, Write::put(broken)).await.unwrap().is_applied());
    let (like, token) = (format!("/v1/posts/{post}/like"), Some(bob.access_token.as_str()));
    app.request(Method::PUT, &like, token, None).await.expect(204);
    app.drain().await;

    let queue = app.services().queue.as_ref();
    let letters = DeadLetters { queue, name: QueueName::ChangeDlq, patience: Duration::ZERO };
    let found = letters.look(&Selection::All, 10).await.unwrap();
    let [letter] = &found[..] else { panic!("{found:?}") };
    let message = ChangeMessage::decode(&letter.body).unwrap();
    let change = message.into_change();
    assert_eq!((change.key.sort.as_str(), change.before), (bob.user_id.as_str(), None));
    assert!(change.after.unwrap().contains_key("liked_at"));

    assert!(store.write(Table::Social, Write::delete(counts)).await.unwrap().is_applied());
    for moved in [1, 0] {
        assert_eq!(letters.redrive(&Selection::All, Clock::System.now()).await.unwrap(), moved);
        app.drain().await;
    }
    let shown = app.get_post(&alice, &post).await.expect(200).body;
    assert_eq!(shown["likes_count"], 1);
    let page = app.request(Method::GET, "/v1/notifications", Some(&alice.access_token), None).await.expect(200);
    assert_eq!((page.items().len(), &page.body["unread_count"]), (1, &1.into()));
    let log = Arc::new(EmbeddedChanges::new(app.handle.engine().unwrap().clone()));
    assert!(
        Recount::new(store, log)
            .run(Scope::All { inboxes: true }, false, Clock::System.now())
            .await
            .unwrap()
            .is_right()
    );
}

//! Erasure leaves no trace, wherever it is interrupted, and keeps other users' data correct.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use data::{Comments, Db, Erasures, Likes, Posts, Transaction};
use domain::{
    ClientNetwork, Clock, CommentText, Email, Handle, IdGenerator, PageLimit, Password, PostId, PostText, Timestamp,
    UserId, UserRef, limits,
};
use embedded::{EmbeddedQueue, EmbeddedStore, Engine, EngineOptions, QueueSettingsOf};
use ports::signing::TokenKeys;
use ports::{
    changes::Change,
    queue::{Queue, QueueSettings},
    store::{BatchWrite, Item, Outcome, Store, StoreError, Table, batch_write_all},
};
use service::{
    ServiceError,
    accounts::{AccountService, LoginOrigin, Registration},
    changes::{Applied, ChangeService},
    comments::CommentService,
    erasure::ErasureService,
    graph::GraphService,
    likes::LikeService,
    notifications::NotificationService,
    passwords::HashingOptions,
    posts::{IdempotencyKey, PostService, PublishService},
    rates::RateLimiter,
};
use service_testkit::pipeline::START;
use testkit::{
    changing::ChangingStore,
    crash::{Death, Life, MortalStore},
    faults::{HookedStore, StoreCall, StoreHook},
};
use tokio::{sync::Semaphore, time::Instant};

const PASSWORD: &str = "correct horse battery";

/// The services on one store that records its changes.
struct Harness {
    embedded: EmbeddedStore,
    changing: Arc<ChangingStore>,
    store: Arc<dyn Store>,
    ids: Arc<IdGenerator>,
    accounts: AccountService,
    graph: GraphService,
    publishing: PublishService,
    posts: PostService,
    likes: LikeService,
    comments: CommentService,
    notifications: NotificationService,
    now: Timestamp,
    delivered: Vec<Change>,
    _directory: tempfile::TempDir,
}

impl Harness {
    fn open() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let options = EngineOptions {
            clock: Clock::manual(START),
            // Changes are recorded by the port's wrapper. A change log without a consumer would hold up expiry.
            log_changes: false,
            ..EngineOptions::at(directory.path())
        };
        let engine = Engine::open(options).unwrap();
        let settings = QueueSettingsOf::all(QueueSettings::default());
        let queue: Arc<dyn Queue> = Arc::new(EmbeddedQueue::open(engine.clone(), settings).unwrap());
        let embedded = EmbeddedStore::new(engine);
        let changing = Arc::new(ChangingStore::new(Arc::new(embedded.clone())));
        let store: Arc<dyn Store> = changing.clone();
        let ids = Arc::new(IdGenerator::new());
        let graph = GraphService::new(store.clone(), ids.clone(), RateLimiter::off());
        let keys = TokenKeys::new([7; 32]);
        Self {
            accounts: AccountService::new(
                store.clone(),
                graph.clone(),
                &keys,
                &HashingOptions::cheap(),
                RateLimiter::off(),
            ),
            graph,
            publishing: PublishService::new(store.clone(), queue, ids.clone(), RateLimiter::off()),
            posts: PostService::new(store.clone(), RateLimiter::off()),
            likes: LikeService::new(store.clone(), RateLimiter::off()),
            comments: CommentService::new(store.clone(), ids.clone(), RateLimiter::off()),
            notifications: NotificationService::new(store.clone()),
            now: START,
            delivered: Vec::new(),
            embedded,
            changing,
            store,
            ids,
            _directory: directory,
        }
    }

    async fn register(&self, handle: &str) -> UserId {
        let registration = Registration {
            handle: Handle::parse(handle).unwrap(),
            email: Email::parse(&format!("{handle}@example.org")).unwrap(),
            password: Password::parse(PASSWORD).unwrap(),
            display_name: None,
        };
        let origin = LoginOrigin { network: ClientNetwork::UNKNOWN, user_agent: None };
        let logged_in = self.accounts.register(Ok::<_, ServiceError>(registration), origin, self.now).await.unwrap();
        let token = logged_in.tokens.refresh_token.reveal();
        let _rotated = self.accounts.refresh(&token, self.now).await.unwrap();
        logged_in.user.profile.user.user_id
    }

    async fn post(&self, author: UserId, key: &str) -> PostId {
        let (text, key) = (PostText::parse("hello").unwrap(), IdempotencyKey::parse(key).unwrap());
        self.publishing.publish(author, text, Some(&key), self.now).await.unwrap().post.post_id
    }

    async fn react(&self, user: UserId, post: PostId) {
        self.likes.like(user, post, self.now).await.unwrap();
        for _ in 0..2 {
            let text = CommentText::parse("well said").unwrap();
            self.comments.create(user, post, text, self.now).await.unwrap();
        }
    }

    async fn delete_account(&self, user: UserId) {
        let password = Password::parse(PASSWORD).unwrap();
        let origin = LoginOrigin { network: ClientNetwork::UNKNOWN, user_agent: None };
        self.accounts.delete(user, &UserRef::Me, password, origin, self.now).await.unwrap();
    }

    /// Applies the changes recorded since the last call.
    async fn apply_changes(&mut self) {
        loop {
            let changes = self.changing.take_changes();
            if changes.is_empty() {
                return;
            }
            self.apply(&changes).await;
            self.delivered.extend(changes);
        }
    }

    async fn apply(&self, changes: &[Change]) {
        let service = ChangeService::new(self.store.clone(), self.ids.clone());
        for batch in changes.chunks(50) {
            for outcome in service.apply(batch, self.now).await {
                assert!(matches!(outcome, Applied::Done), "{outcome:?}");
            }
        }
    }

    /// Runs erasures until none is due.
    async fn erase(&self) -> u64 {
        let mut ended = 0;
        loop {
            let deadline = Instant::now() + Duration::from_mins(1);
            let erased = ErasureService::new(self.store.clone()).run_due(self.now, deadline).await.unwrap();
            ended += erased.ended;
            if !erased.is_cut_short {
                return ended;
            }
        }
    }

    async fn is_idle(&self) -> bool {
        ErasureService::new(self.store.clone()).is_idle(self.now).await.unwrap()
    }

    /// Every item of every table.
    async fn all(&self) -> Vec<(Table, Item)> {
        let mut all = Vec::new();
        for table in Table::ALL {
            let items = self.embedded.scan(table, None, 1_000_000).await.unwrap();
            all.extend(items.into_iter().map(|item| (table, item)));
        }
        all
    }

    /// The kinds of items that contain `text`.
    async fn kinds_with(&self, text: &str) -> BTreeSet<String> {
        let kind = |item: &Item| item.key.partition.split('#').next().unwrap().to_owned();
        let all = self.all().await;
        all.iter().filter(|(_, item)| format!("{item:?}").contains(text)).map(|(_, item)| kind(item)).collect()
    }

    async fn unread(&self, user: UserId) -> u64 {
        self.notifications.unread_count(user, self.now).await.unwrap()
    }

    /// The stored counts of followers, followees and posts.
    async fn counts(&self, user: UserId) -> (u64, u64, u64) {
        let counts = self.accounts.profile(user, &UserRef::Me).await.unwrap().counts;
        (counts.followers, counts.following, counts.posts)
    }

    async fn reactions(&self, reader: UserId, post: PostId) -> (u64, u64) {
        let counts = self.posts.get(reader, post).await.unwrap().counts;
        (counts.likes, counts.comments)
    }
}

/// Three users who all follow, post, like, comment and have notifications.
struct Fixture {
    harness: Harness,
    alice: UserId,
    bob: UserId,
    carol: UserId,
    bobs_post: PostId,
}

impl Fixture {
    async fn of_three() -> Self {
        let mut harness = Harness::open();
        let [alice, bob, carol] =
            [harness.register("alice").await, harness.register("bob").await, harness.register("carol").await];
        let mut posts = Vec::new();
        for (user, key) in [(alice, "a-1"), (alice, "a-2"), (bob, "b-1"), (carol, "c-1")] {
            posts.push(harness.post(user, key).await);
        }
        for user in [alice, bob, carol] {
            for other in [alice, bob, carol].into_iter().filter(|other| *other != user) {
                harness.graph.follow(user, other, harness.now).await.unwrap();
            }
            for post in &posts {
                harness.react(user, *post).await;
            }
        }
        // One comment and one post of Alice's are already deleted.
        let comments = harness.comments.of_post(alice, posts[2], None, PageLimit::default()).await.unwrap();
        let hers = comments.items.iter().find(|view| view.author.user_id == alice).unwrap().comment.comment_id;
        harness.comments.delete(alice, posts[2], hers, harness.now).await.unwrap();
        harness.apply_changes().await;
        harness.posts.delete(alice, posts[1], harness.now).await.unwrap();
        harness.apply_changes().await;
        assert_eq!(harness.counts(bob).await, (2, 2, 1));
        assert_eq!(harness.reactions(bob, posts[2]).await, (3, 5));
        assert_eq!(harness.unread(bob).await, 2 + 2 + 3);
        Self { harness, alice, bob, carol, bobs_post: posts[2] }
    }

    /// Checks the other users' data after Alice is deleted.
    async fn assert_others_are_right(&self, when: &str) {
        let Self { harness, bob, carol, bobs_post, .. } = self;
        for user in [*bob, *carol] {
            assert_eq!(harness.counts(user).await, (1, 1, 1), "{when}");
            assert_eq!(harness.unread(user).await, 1 + 1 + 2, "{when}");
            let page = harness.notifications.page(user, None, PageLimit::default(), harness.now).await.unwrap();
            assert_eq!(page.page.items.len(), 4, "{when}");
        }
        assert_eq!(harness.reactions(*bob, *bobs_post).await, (2, 4), "{when}");
    }
}

fn kinds<const N: usize>(kinds: [&str; N]) -> BTreeSet<String> {
    kinds.map(str::to_owned).into()
}

#[tokio::test]
async fn a_deleted_account_leaves_nothing_but_the_reserved_handle() {
    let mut fixture = Fixture::of_three().await;
    let id = fixture.alice.to_string();
    let before = fixture.harness.kinds_with(&id).await;
    for kind in ["USER", "HANDLE", "EMAIL", "SESSIONS", "REFRESH", "FOLLOWING", "FOLLOWERS", "LIKES", "LIKERS"] {
        assert!(before.contains(kind), "{kind}: {before:?}");
    }
    for kind in ["POST", "STORY", "COMMENTS", "NOTIFICATIONS", "NOTIFIED", "UNREAD", "COUNTS", "IDEMPOTENCY"] {
        assert!(before.contains(kind), "{kind}: {before:?}");
    }

    fixture.harness.delete_account(fixture.alice).await;
    assert_eq!(fixture.harness.erase().await, 1);
    fixture.harness.apply_changes().await;
    fixture.assert_others_are_right("after the first pass").await;
    assert_eq!(fixture.harness.kinds_with(&id).await, kinds(["ERASURES", "REFRESH"]));

    // The stream redelivers everything, and writes in flight arrive.
    let late = fixture.harness.delivered.clone();
    fixture.harness.apply(&late).await;
    assert!(fixture.harness.store.transact(late_writes(&fixture)).await.unwrap().is_applied());
    fixture.harness.apply_changes().await;
    assert!(fixture.harness.kinds_with(&id).await.len() > 2);
    for after in limits::ERASURE_PASSES {
        fixture.harness.now = START.plus(after);
        fixture.harness.erase().await;
        fixture.harness.apply_changes().await;
        assert!(fixture.harness.is_idle().await);
    }
    fixture.assert_others_are_right("after the last pass").await;
    fixture.harness.embedded.sweep_expired(fixture.harness.now).await.unwrap();
    assert_eq!(fixture.harness.kinds_with(&id).await, kinds([]));
    assert_eq!(fixture.harness.kinds_with("alice").await, kinds(["HANDLE"]));
}

/// A like, a comment and a post of Alice's, requested before her account was deleted.
fn late_writes(fixture: &Fixture) -> Vec<(Table, ports::store::Write)> {
    let Fixture { harness, alice, bobs_post, .. } = fixture;
    let post_id = harness.ids.next_post_id(harness.now);
    let post = domain::Post { post_id, author_id: *alice, text: PostText::parse("late").unwrap(), media: Vec::new() };
    let text = CommentText::parse("late").unwrap();
    let comment_id = harness.ids.next_comment_id(harness.now);
    let comment = domain::Comment { comment_id, post_id: *bobs_post, author_id: *alice, text };
    let items = Likes::both_sides(*alice, *bobs_post, harness.now).into_iter().chain(Comments::both_sides(&comment));
    let writes = items.map(|item| (Table::Social, ports::store::Write::put(item)));
    writes.chain(Posts::creation(&post)).collect()
}

#[tokio::test]
async fn an_eraser_that_dies_anywhere_is_replaced() {
    let mut deaths = 0;
    for death in [Death::Before, Death::After] {
        // Every second call: a fixture takes a while to make, and the two kinds of death together cover each call.
        for calls in (usize::from(death == Death::After)..).step_by(2) {
            let mut fixture = Fixture::of_three().await;
            let id = fixture.alice.to_string();
            fixture.harness.delete_account(fixture.alice).await;
            let life = Life::of(i64::try_from(calls).unwrap(), death);
            let mortal = MortalStore::with(fixture.harness.store.clone(), Arc::clone(&life));
            let deadline = Instant::now() + Duration::from_mins(1);
            let survived = life.live(ErasureService::new(Arc::new(mortal)).run_due(START, deadline)).await.is_some();
            let when = format!("{death:?} call {calls}");
            // The dead eraser's lease must expire first; and a lease it was about to take may still be written after
            // its successor has read the row as free.
            for leases in 1..=2 {
                fixture.harness.now = START.plus(limits::ERASURE_LEASE * leases);
                fixture.harness.erase().await;
                if fixture.harness.is_idle().await {
                    break;
                }
            }
            fixture.harness.apply_changes().await;
            assert!(fixture.harness.is_idle().await, "{when}");
            fixture.assert_others_are_right(&when).await;
            assert_eq!(fixture.harness.kinds_with(&id).await, kinds(["ERASURES", "REFRESH"]), "{when}");
            if survived {
                break;
            }
            deaths += 1;
        }
    }
    assert!(deaths > 20, "{deaths}");
}

/// Makes each write at once, and holds its answer.
#[derive(Debug)]
struct HeldAnswers {
    made: Semaphore,
    answered: Semaphore,
}

impl StoreHook for HeldAnswers {
    async fn around<T: Send>(
        &self,
        call: StoreCall<'_>,
        make: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let made = make.await;
        if !call.written().is_empty() {
            self.made.add_permits(1);
            self.answered.acquire().await.unwrap().forget();
        }
        made
    }
}

/// A killed process does not take back a write that the store is about to answer, and neither does a stream.
#[tokio::test]
async fn a_write_whose_caller_dies_is_streamed() {
    let home = service_testkit::Embedded::open();
    let hook = HeldAnswers { made: Semaphore::new(0), answered: Semaphore::new(0) };
    let held = Arc::new(HookedStore::with(home.store.clone(), hook));
    let changing = Arc::new(ChangingStore::new(held.clone()));
    let like = |number| {
        let post = IdGenerator::new().next_post_id(START.plus(Duration::from_secs(number)));
        let [_, liker] = Likes::both_sides(UserId::random(), post, START);
        (liker.key.clone(), ports::store::Write::put(liker))
    };
    let [(first, first_write), (second, second_write)] = [like(1), like(2)];
    let dying = tokio::spawn({
        let changing = changing.clone();
        async move { changing.write(Table::Social, first_write).await }
    });
    held.made.acquire().await.unwrap().forget();
    dying.abort();
    assert!(dying.await.unwrap_err().is_cancelled());
    held.answered.add_permits(2);
    assert!(changing.write(Table::Social, second_write).await.unwrap().is_applied());
    let changed: Vec<_> = changing.take_changes().into_iter().map(|change| change.key).collect();
    assert_eq!(changed, [first, second]);
}

#[tokio::test]
async fn a_later_run_finishes_a_cut_short_erasure() {
    let harness = Harness::open();
    let alice = harness.register("alice").await;
    let likes = 1_000;
    for _ in 0..likes / 10 {
        let posts = (0..10).map(|_| harness.ids.next_post_id(harness.now));
        let sides = posts.flat_map(|post| Likes::both_sides(alice, post, harness.now)).map(BatchWrite::Put).collect();
        assert_eq!(batch_write_all(harness.store.as_ref(), Table::Social, sides).await.unwrap(), []);
    }
    harness.delete_account(alice).await;
    let service = ErasureService::new(harness.store.clone());
    let erased = service.run_due(harness.now, Instant::now()).await.unwrap();
    assert_eq!((erased.ended, erased.is_cut_short), (0, true));
    // A run with slightly more time gets further, on any machine.
    let mut budget = Duration::from_millis(1);
    while service.run_due(harness.now, Instant::now() + budget).await.unwrap().is_cut_short {
        budget *= 2;
    }
    assert!(harness.is_idle().await);
    assert_eq!(harness.kinds_with(&alice.to_string()).await, kinds(["ERASURES", "REFRESH"]));
}

#[tokio::test]
async fn two_erasers_at_once_end_a_pass_once() {
    let fixture = Fixture::of_three().await;
    fixture.harness.delete_account(fixture.alice).await;
    let ended = futures::future::join_all((0..4).map(|_| fixture.harness.erase())).await;
    assert_eq!(ended.iter().sum::<u64>(), 1);
}

#[tokio::test]
async fn a_post_is_erased_once_restoring_has_expired() {
    let mut fixture = Fixture::of_three().await;
    let (bob, post) = (fixture.bob, fixture.bobs_post);
    fixture.harness.posts.delete(bob, post, fixture.harness.now).await.unwrap();
    fixture.harness.apply_changes().await;
    let due = START.plus(limits::DELETED_TTL);
    fixture.harness.now = Timestamp::from_millis(due.as_millis() - 1);
    assert_eq!(fixture.harness.erase().await, 0);
    assert!(fixture.harness.kinds_with(&post.to_string()).await.contains("LIKERS"));
    fixture.harness.now = due;
    // Alice's post of the same day is due too.
    assert_eq!(fixture.harness.erase().await, 2);
    fixture.harness.apply_changes().await;
    assert_eq!(fixture.harness.unread(bob).await, 2);
    assert_eq!(fixture.harness.counts(bob).await, (2, 2, 0));
    // Followers' feeds keep their entries until they are read, and idempotency keys their answers until they expire.
    let left = fixture.harness.kinds_with(&post.to_string()).await;
    let feeds = [fixture.alice, fixture.carol].map(|user| user.to_string());
    assert!(left.iter().all(|kind| feeds.contains(kind) || kind == "IDEMPOTENCY" || kind == "OUTBOX"), "{left:?}");
    fixture.harness.posts.restore(post, fixture.harness.now).await.unwrap_err();
}

#[tokio::test]
async fn a_started_erasure_cannot_be_cancelled() {
    let harness = Harness::open();
    let (alice, due) = (harness.register("alice").await, START.plus(limits::DELETED_TTL));
    let post = harness.post(alice, "a-1").await;
    harness.posts.delete(alice, post, harness.now).await.unwrap();
    let erasures = Erasures::new(harness.store.clone());
    let mut found = Vec::new();
    for shard in 0..limits::TASK_SHARDS {
        found.extend(erasures.page_of_due(shard, due, None).await.unwrap().0);
    }
    let taken = erasures.take(&found[0], due.plus(limits::ERASURE_LEASE)).await.unwrap().unwrap();
    assert_eq!(erasures.take(&found[0], due).await.unwrap(), None);
    let db = Db::from(Arc::clone(&harness.store));
    let cancel = async || Transaction::from(Erasures::cancel_post(post, due)).commit(&db).await.unwrap();
    assert!(!cancel().await.is_applied());
    assert_eq!(erasures.release(&taken).await.unwrap(), Outcome::Applied);
    assert!(!cancel().await.is_applied());
}

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
    store::{BatchWrite, Item, Outcome, Store, Table, batch_write_all},
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
};
use tokio::time::Instant;

const PASSWORD: &str = "correct horse battery";

/// The services on one store that records its changes.
struct Home {
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

impl Home {
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
struct Town {
    home: Home,
    alice: UserId,
    bob: UserId,
    carol: UserId,
    bobs_post: PostId,
}

impl Town {
    async fn of_three() -> Self {
        let mut home = Home::open();
        let [alice, bob, carol] =
            [home.register("alice").await, home.register("bob").await, home.register("carol").await];
        let mut posts = Vec::new();
        for (user, key) in [(alice, "a-1"), (alice, "a-2"), (bob, "b-1"), (carol, "c-1")] {
            posts.push(home.post(user, key).await);
        }
        for user in [alice, bob, carol] {
            for other in [alice, bob, carol].into_iter().filter(|other| *other != user) {
                home.graph.follow(user, other, home.now).await.unwrap();
            }
            for post in &posts {
                home.react(user, *post).await;
            }
        }
        // One comment and one post of Alice's are already deleted.
        let comments = home.comments.of_post(alice, posts[2], None, PageLimit::default()).await.unwrap();
        let hers = comments.items.iter().find(|view| view.author.user_id == alice).unwrap().comment.comment_id;
        home.comments.delete(alice, posts[2], hers, home.now).await.unwrap();
        home.apply_changes().await;
        home.posts.delete(alice, posts[1], home.now).await.unwrap();
        home.apply_changes().await;
        assert_eq!(home.counts(bob).await, (2, 2, 1));
        assert_eq!(home.reactions(bob, posts[2]).await, (3, 5));
        assert_eq!(home.unread(bob).await, 2 + 2 + 3);
        Self { home, alice, bob, carol, bobs_post: posts[2] }
    }

    /// Checks the other users' data after Alice is deleted.
    async fn assert_others_are_right(&self, when: &str) {
        let Self { home, bob, carol, bobs_post, .. } = self;
        for user in [*bob, *carol] {
            assert_eq!(home.counts(user).await, (1, 1, 1), "{when}");
            assert_eq!(home.unread(user).await, 1 + 1 + 2, "{when}");
            let page = home.notifications.page(user, None, PageLimit::default(), home.now).await.unwrap();
            assert_eq!(page.page.items.len(), 4, "{when}");
        }
        assert_eq!(home.reactions(*bob, *bobs_post).await, (2, 4), "{when}");
    }
}

fn kinds<const N: usize>(kinds: [&str; N]) -> BTreeSet<String> {
    kinds.map(str::to_owned).into()
}

#[tokio::test]
async fn a_deleted_account_leaves_nothing_but_the_reserved_handle() {
    let mut town = Town::of_three().await;
    let id = town.alice.to_string();
    let before = town.home.kinds_with(&id).await;
    for kind in ["USER", "HANDLE", "EMAIL", "SESSIONS", "REFRESH", "FOLLOWING", "FOLLOWERS", "LIKES", "LIKERS"] {
        assert!(before.contains(kind), "{kind}: {before:?}");
    }
    for kind in ["POST", "STORY", "COMMENTS", "NOTIFICATIONS", "NOTIFIED", "UNREAD", "COUNTS", "IDEMPOTENCY"] {
        assert!(before.contains(kind), "{kind}: {before:?}");
    }

    town.home.delete_account(town.alice).await;
    assert_eq!(town.home.erase().await, 1);
    town.home.apply_changes().await;
    town.assert_others_are_right("after the first pass").await;
    assert_eq!(town.home.kinds_with(&id).await, kinds(["ERASURES", "REFRESH"]));

    // The stream redelivers everything, and writes in flight arrive.
    let late = town.home.delivered.clone();
    town.home.apply(&late).await;
    assert!(town.home.store.transact(late_writes(&town)).await.unwrap().is_applied());
    town.home.apply_changes().await;
    assert!(town.home.kinds_with(&id).await.len() > 2);
    for after in limits::ERASURE_PASSES {
        town.home.now = START.plus(after);
        town.home.erase().await;
        town.home.apply_changes().await;
        assert!(town.home.is_idle().await);
    }
    town.assert_others_are_right("after the last pass").await;
    town.home.embedded.sweep_expired(town.home.now).await.unwrap();
    assert_eq!(town.home.kinds_with(&id).await, kinds([]));
    assert_eq!(town.home.kinds_with("alice").await, kinds(["HANDLE"]));
}

/// A like, a comment and a post of Alice's, requested before her account was deleted.
fn late_writes(town: &Town) -> Vec<(Table, ports::store::Write)> {
    let Town { home, alice, bobs_post, .. } = town;
    let post_id = home.ids.next_post_id(home.now);
    let post = domain::Post { post_id, author_id: *alice, text: PostText::parse("late").unwrap() };
    let text = CommentText::parse("late").unwrap();
    let comment_id = home.ids.next_comment_id(home.now);
    let comment = domain::Comment { comment_id, post_id: *bobs_post, author_id: *alice, text };
    let items = Likes::both_sides(*alice, *bobs_post, home.now).into_iter().chain(Comments::both_sides(&comment));
    let writes = items.map(|item| (Table::Social, ports::store::Write::put(item)));
    writes.chain(Posts::creation(&post)).collect()
}

#[tokio::test]
async fn an_eraser_that_dies_anywhere_is_replaced() {
    let mut deaths = 0;
    for death in [Death::Before, Death::After] {
        // Every second call: a town takes a while to make, and the two kinds of death together cover each call.
        for calls in (usize::from(death == Death::After)..).step_by(2) {
            let mut town = Town::of_three().await;
            let id = town.alice.to_string();
            town.home.delete_account(town.alice).await;
            let life = Life::of(i64::try_from(calls).unwrap(), death);
            let mortal = MortalStore::with(town.home.store.clone(), Arc::clone(&life));
            let deadline = Instant::now() + Duration::from_mins(1);
            let survived = life.live(ErasureService::new(Arc::new(mortal)).run_due(START, deadline)).await.is_some();
            let when = format!("{death:?} call {calls}");
            // The dead eraser's lease must expire first; and a lease it was about to take may still be written after
            // its successor has read the row as free.
            for leases in 1..=2 {
                town.home.now = START.plus(limits::ERASURE_LEASE * leases);
                town.home.erase().await;
                if town.home.is_idle().await {
                    break;
                }
            }
            town.home.apply_changes().await;
            assert!(town.home.is_idle().await, "{when}");
            town.assert_others_are_right(&when).await;
            assert_eq!(town.home.kinds_with(&id).await, kinds(["ERASURES", "REFRESH"]), "{when}");
            if survived {
                break;
            }
            deaths += 1;
        }
    }
    assert!(deaths > 20, "{deaths}");
}

#[tokio::test]
async fn a_later_run_finishes_a_cut_short_erasure() {
    let home = Home::open();
    let alice = home.register("alice").await;
    let likes = 1_000;
    for _ in 0..likes / 10 {
        let posts = (0..10).map(|_| home.ids.next_post_id(home.now));
        let sides = posts.flat_map(|post| Likes::both_sides(alice, post, home.now)).map(BatchWrite::Put).collect();
        assert_eq!(batch_write_all(home.store.as_ref(), Table::Social, sides).await.unwrap(), []);
    }
    home.delete_account(alice).await;
    let service = ErasureService::new(home.store.clone());
    let erased = service.run_due(home.now, Instant::now()).await.unwrap();
    assert_eq!((erased.ended, erased.is_cut_short), (0, true));
    // A run with slightly more time gets further, on any machine.
    let mut budget = Duration::from_millis(1);
    while service.run_due(home.now, Instant::now() + budget).await.unwrap().is_cut_short {
        budget *= 2;
    }
    assert!(home.is_idle().await);
    assert_eq!(home.kinds_with(&alice.to_string()).await, kinds(["ERASURES", "REFRESH"]));
}

#[tokio::test]
async fn two_erasers_at_once_end_a_pass_once() {
    let town = Town::of_three().await;
    town.home.delete_account(town.alice).await;
    let ended = futures::future::join_all((0..4).map(|_| town.home.erase())).await;
    assert_eq!(ended.iter().sum::<u64>(), 1);
}

#[tokio::test]
async fn a_post_is_erased_once_restoring_has_expired() {
    let mut town = Town::of_three().await;
    let (bob, post) = (town.bob, town.bobs_post);
    town.home.posts.delete(bob, post, town.home.now).await.unwrap();
    town.home.apply_changes().await;
    let due = START.plus(limits::DELETED_TTL);
    town.home.now = Timestamp::from_millis(due.as_millis() - 1);
    assert_eq!(town.home.erase().await, 0);
    assert!(town.home.kinds_with(&post.to_string()).await.contains("LIKERS"));
    town.home.now = due;
    // Alice's post of the same day is due too.
    assert_eq!(town.home.erase().await, 2);
    town.home.apply_changes().await;
    assert_eq!(town.home.unread(bob).await, 2);
    assert_eq!(town.home.counts(bob).await, (2, 2, 0));
    // Followers' feeds keep their entries until they are read, and idempotency keys their answers until they expire.
    let left = town.home.kinds_with(&post.to_string()).await;
    let feeds = [town.alice, town.carol].map(|user| user.to_string());
    assert!(left.iter().all(|kind| feeds.contains(kind) || kind == "IDEMPOTENCY" || kind == "OUTBOX"), "{left:?}");
    town.home.posts.restore(post, town.home.now).await.unwrap_err();
}

#[tokio::test]
async fn a_started_erasure_cannot_be_cancelled() {
    let home = Home::open();
    let (alice, due) = (home.register("alice").await, START.plus(limits::DELETED_TTL));
    let post = home.post(alice, "a-1").await;
    home.posts.delete(alice, post, home.now).await.unwrap();
    let erasures = Erasures::new(home.store.clone());
    let mut found = Vec::new();
    for shard in 0..limits::TASK_SHARDS {
        found.extend(erasures.page_of_due(shard, due, None).await.unwrap().0);
    }
    let taken = erasures.take(&found[0], due.plus(limits::ERASURE_LEASE)).await.unwrap().unwrap();
    assert_eq!(erasures.take(&found[0], due).await.unwrap(), None);
    let db = Db::from(Arc::clone(&home.store));
    let cancel = async || Transaction::from(Erasures::cancel_post(post, due)).commit(&db).await.unwrap();
    assert!(!cancel().await.is_applied());
    assert_eq!(erasures.release(&taken).await.unwrap(), Outcome::Applied);
    assert!(!cancel().await.is_applied());
}

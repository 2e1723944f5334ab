//! The cost of a page: a fixed number of calls of each kind, independent of its content, pictures included, and of the
//! reader's number of likes, on the port and on the wire; and the read units of a feed page.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use data::{Comments, Feeds, Follows, Likes, Notifications, Posts, Readers, Sessions, StoredSession, Users, keys};
use domain::{
    Act, ActKind, Avatar, Bio, Clock, Comment, CommentText, DisplayName, Handle, IdGenerator, InboxEntry,
    MediaDescription, MediaId, MediaToken, MediaType, Notification, NotificationId, PageLimit, Picture, Post, PostId,
    PostMedia, PostText, Profile, Rule, SessionId, Timestamp, User, UserId, UserRef, limits,
};
use futures::{StreamExt, TryStreamExt, stream};
use ports::store::{BatchWrite, Item, Store, Table, Write, batch_write_all};
use service::{
    comments::CommentService, feeds::FeedService, graph::GraphService, likes::LikeService,
    notifications::NotificationService, posts::PostService, rates::RateLimiter, sessions::SessionService,
    views::PostViews,
};
use service_testkit::Embedded;
use testkit::{
    engines,
    faults::{CountingStore, ReadsByKind},
};

const NOW: Timestamp = Timestamp::from_millis(1_763_700_000_000);
/// Entries in each list: more than the longest page and its look-ahead.
const ENTRIES: usize = 130;
/// Likes by the reader.
const LIKES: usize = 50_000;
/// Batches written concurrently.
const AT_ONCE: usize = 8;

/// The reader, and the subjects of the pages.
struct Fixture {
    reader: UserId,
    /// Followed by many, with a long story.
    author: UserId,
    /// A post of the author, with many likes and comments.
    post: PostId,
}

fn profile(user_id: UserId) -> Item {
    let handle = Handle::parse(&user_id.as_uuid().simple().to_string()[..20]).unwrap();
    let display_name = DisplayName::from(&handle);
    let avatar = Avatar { media_id: picture().media_id, token: picture().token };
    let user = User { user_id, handle, display_name, avatar: Some(avatar) };
    Users::profile_item(&Profile { user, bio: Bio::default(), created_at: NOW })
}

fn picture() -> PostMedia {
    PostMedia {
        media_id: MediaId::first_of(NOW),
        token: MediaToken::random(),
        content_type: MediaType::Jpeg,
        description: MediaDescription::parse("A crab on a beach, waving").unwrap(),
        picture: Picture { width: 2_048, height: 1_365, blurhash: "LEHV6nWB2yk8pyo0adR*.7kCMdnj".to_owned() },
    }
}

/// As many pictures as a post can have.
fn pictures() -> Vec<PostMedia> {
    (0..limits::MAX_MEDIA_PER_POST).map(|_| picture()).collect()
}

fn post_items(post_id: PostId, author_id: UserId) -> impl Iterator<Item = Item> {
    let post = Post { post_id, author_id, text: PostText::parse("hello").unwrap(), media: pictures() };
    let counts = Item::new(keys::post_counts(post_id)).with("likes", 1).with("comments", 1);
    Posts::creation(&post).into_iter().map(item_of).chain([counts])
}

fn item_of((_, write): (Table, Write)) -> Item {
    match write {
        Write::Put { item, .. } => item,
        other => panic!("{other:?}"),
    }
}

/// The author's notification of a like.
fn notification(fixture: &Fixture, notification_id: NotificationId, actor_id: UserId) -> Item {
    let act = Act { actor_id, kind: ActKind::Like(fixture.post) };
    let notification = Notification { notification_id, recipient_id: fixture.author, act };
    let put = Notifications::put(&InboxEntry { notification, undone: false, post_gone: false });
    put.into_iter().map(item_of).next().unwrap()
}

/// The reader's credentials and sessions.
fn auth_items(reader: UserId) -> Vec<Item> {
    let credentials = Item::new(keys::credentials(reader))
        .with("email", "reader@example.org")
        .with("password_hash", "none")
        .with("epoch", 1);
    let sessions = (0..ENTRIES).flat_map(|at| {
        let session = StoredSession::beginning(SessionId::beginning_at(NOW), 1, None, NOW);
        Sessions::beginning(reader, &session, &at.to_string(), NOW).into_iter().map(item_of)
    });
    sessions.chain([credentials]).collect()
}

async fn put_all(store: &dyn Store, table: Table, items: Vec<Item>) {
    let batches = items.chunks(limits::MAX_BATCH_WRITE).map(<[_]>::to_vec).collect::<Vec<_>>();
    stream::iter(batches)
        .map(|batch| batch_write_all(store, table, batch.into_iter().map(BatchWrite::Put).collect()))
        .buffer_unordered(AT_ONCE)
        .try_for_each(async |left| {
            assert!(left.is_empty());
            Ok(())
        })
        .await
        .unwrap();
}

/// A fixture where every entry of each list is by another user, except the newest, which is the reader's own.
async fn build(store: &dyn Store) -> Fixture {
    let ids = IdGenerator::new();
    let fixture = Fixture { reader: UserId::random(), author: UserId::random(), post: ids.next_post_id(NOW) };
    let mut social = vec![profile(fixture.author)];
    social.push(Readers::new_reader(fixture.reader, NOW));
    social.extend(post_items(fixture.post, fixture.author));
    let mut feed = Vec::new();
    let others: Vec<UserId> = (0..ENTRIES).map(|_| UserId::random()).chain([fixture.reader]).collect();
    for person in others {
        social.push(profile(person));
        social.extend(Follows::both_sides(fixture.reader, person, NOW));
        social.extend(Follows::both_sides(person, fixture.author, NOW));
        social.extend(Likes::both_sides(person, fixture.post, NOW));
        social.push(notification(&fixture, ids.next_notification_id(NOW), person));
        let text = CommentText::parse("hello").unwrap();
        let comment = Comment { comment_id: ids.next_comment_id(NOW), post_id: fixture.post, author_id: person, text };
        social.extend(Comments::both_sides(&comment));
        let delivered = ids.next_post_id(NOW);
        social.extend(post_items(delivered, person));
        feed.push(Feeds::entry(fixture.reader, delivered));
        social.extend(post_items(ids.next_post_id(NOW), fixture.author));
    }
    social.extend((0..LIKES).map(|_| {
        let [by_reader, _of_post] = Likes::both_sides(fixture.reader, ids.next_post_id(NOW), NOW);
        by_reader
    }));
    put_all(store, Table::Social, social).await;
    put_all(store, Table::Feed, feed).await;
    put_all(store, Table::Auth, auth_items(fixture.reader)).await;
    fixture
}

/// A counting store, with its wire calls if it has a wire.
struct Counted {
    store: Arc<CountingStore>,
    wire: Option<engines::DynamoEngine>,
    fixture: Fixture,
    _embedded: Option<Embedded>,
}

impl Counted {
    async fn on_the_embedded_store() -> Self {
        let embedded = Embedded::open();
        let store = embedded.store.clone();
        Self { _embedded: Some(embedded), ..Self::around(store, None).await }
    }

    async fn on_dynamodb() -> Self {
        let engine = engines::dynamo().await;
        Self::around(Arc::new(engine.store()), Some(engine)).await
    }

    async fn around(store: Arc<dyn Store>, wire: Option<engines::DynamoEngine>) -> Self {
        let fixture = build(store.as_ref()).await;
        Self { store: Arc::new(CountingStore::new(store)), wire, fixture, _embedded: None }
    }

    /// Reads the first page of a list and returns the reads by kind. Checks that the wire saw the same calls.
    async fn reads(&self, list: List, limit: u32) -> ReadsByKind {
        self.store.take_reads();
        let _seeding = self.wire.as_ref().map(engines::DynamoEngine::take_calls);
        let shown = self.read(list, PageLimit::new(limit).unwrap()).await;
        assert_eq!(shown, limit as usize, "{list:?}");
        let reads = self.store.take_reads();
        if let Some(wire) = &self.wire {
            assert_eq!(by_operation(&reads), wire.take_calls(), "{list:?}: each call of the port is one of the SDK");
        }
        reads
    }

    async fn read(&self, list: List, limit: PageLimit) -> usize {
        let store: Arc<dyn Store> = self.store.clone();
        let (Fixture { reader, author, post }, ids) = (&self.fixture, Arc::new(IdGenerator::new()));
        let (reader, author, post) = (*reader, *author, *post);
        match list {
            List::Feed => FeedService::new(store.clone(), PostViews::uncached(store), Clock::manual(NOW))
                .page(reader, None, limit)
                .await
                .unwrap()
                .items
                .len(),
            List::Story => PostService::new(store, RateLimiter::off())
                .story(reader, author, None, limit)
                .await
                .unwrap()
                .items
                .len(),
            List::Comments => CommentService::new(store, ids, RateLimiter::off())
                .of_post(reader, post, None, limit)
                .await
                .unwrap()
                .items
                .len(),
            List::Likes => {
                LikeService::new(store, RateLimiter::off()).likers(reader, post, None, limit).await.unwrap().items.len()
            }
            List::Followers => GraphService::new(store, ids, RateLimiter::off())
                .followers(reader, author, None, limit)
                .await
                .unwrap()
                .items
                .len(),
            List::Following => GraphService::new(store, ids, RateLimiter::off())
                .following(reader, UserRef::Me, None, limit)
                .await
                .unwrap()
                .items
                .len(),
            List::Notifications => {
                let service = NotificationService::new(store);
                service.page(author, None, limit, NOW).await.unwrap().page.items.len()
            }
            List::Sessions => SessionService::new(store).page(reader, None, limit, NOW).await.unwrap().items.len(),
        }
    }
}

fn by_operation(reads: &ReadsByKind) -> BTreeMap<String, u64> {
    let mut calls = BTreeMap::new();
    for (kind, number) in reads {
        let operation = match kind.split(' ').next().unwrap() {
            "get" => "GetItem",
            "batch_get" => "BatchGetItem",
            _ => "Query",
        };
        *calls.entry(operation.to_owned()).or_default() += number;
    }
    calls
}

#[derive(Debug, Clone, Copy)]
enum List {
    Feed,
    Story,
    Comments,
    Likes,
    Followers,
    Following,
    Notifications,
    Sessions,
}

/// The expected reads of a page, by kind, if its entries and the one after them fit into one batch get.
fn expected(list: List) -> Vec<(&'static str, u64)> {
    match list {
        List::Feed => vec![
            ("query feed", 1),
            ("query READER", 1),
            // The posts with their counts; one extra for the reader's own posts and profile, so that their deletions and
            // edits show at once.
            ("batch_get POST", 2),
            ("query LIKES", 1),
            ("batch_get USER", 1),
        ],
        List::Story => vec![
            ("get USER", 1),
            ("query STORY", 1),
            // With their counts.
            ("batch_get POST", 1),
            ("batch_get LIKES", 1),
        ],
        List::Comments => vec![
            ("batch_get POST", 1),
            ("query POST", 1),
            ("batch_get USER", 1),
            // The author of the post, and the reader.
            ("get USER", 2),
        ],
        List::Likes => {
            vec![
                ("batch_get POST", 1),
                ("query LIKERS", limits::LIKER_SHARDS.into()),
                ("batch_get USER", 1),
                // The author of the post, and the reader.
                ("get USER", 2),
            ]
        }
        List::Followers => vec![("get USER", 1), ("query FOLLOWERS", 1), ("batch_get USER", 1)],
        List::Following => vec![("query FOLLOWING", 1), ("batch_get USER", 1)],
        List::Notifications => vec![
            ("get UNREAD", 1),
            ("query NOTIFICATIONS", 1),
            ("batch_get LIKERS", 1),
            ("batch_get POST", 1),
            ("batch_get USER", 1),
        ],
        List::Sessions => vec![("get USER", 1), ("query SESSIONS", 1)],
    }
}

/// Checks the reads of a page. The longest pages do not fit into one batch get: posts with their counts take two keys
/// each, and the entries with the one after them exceed it by one.
#[track_caller]
fn check(list: List, limit: u32, reads: &ReadsByKind) {
    let expected: ReadsByKind = expected(list).into_iter().map(|(kind, number)| (kind.to_owned(), number)).collect();
    let full_batch = limit as usize + 1 >= limits::MAX_BATCH_GET;
    for (kind, number) in reads {
        let more = if kind == "batch_get POST" { 2 } else { 1 };
        let more = if full_batch && kind.starts_with("batch_get") { more } else { 0 };
        let at_most = expected.get(kind).copied().unwrap_or(0) + more;
        assert!(*number <= at_most, "{list:?} of {limit}: {number} x {kind}, not {at_most}");
    }
    // The number of shards needed to fill a page of likers depends on their ids.
    if !full_batch && !matches!(list, List::Likes) {
        assert_eq!(*reads, expected, "{list:?} of {limit}");
    }
}

const LISTS: [List; 8] = [
    List::Feed,
    List::Story,
    List::Comments,
    List::Likes,
    List::Followers,
    List::Following,
    List::Notifications,
    List::Sessions,
];

async fn pages_cost_the_same_calls(on: Counted) {
    for list in LISTS {
        for limit in [1, 20, 99, 100] {
            check(list, limit, &on.reads(list, limit).await);
        }
    }
}

#[tokio::test]
async fn pages_cost_fixed_port_calls_despite_many_likes() {
    pages_cost_the_same_calls(Counted::on_the_embedded_store().await).await;
}

#[tokio::test]
async fn pages_cost_fixed_sdk_calls_despite_many_likes() {
    pages_cost_the_same_calls(Counted::on_dynamodb().await).await;
}

/// Follows of a reader who follows many.
const FOLLOWS: usize = 5_000;
/// Unfollows of today.
const UNFOLLOWS: usize = 500;
/// A post of typical length, about half the maximum, in ASCII.
const TEXT_CHARS: usize = 250;

/// A reader who follows many and likes much, with entries by distinct authors.
struct Busy {
    store: Arc<CountingStore>,
    clock: Clock,
    feeds: FeedService,
    reader: UserId,
    _embedded: Embedded,
}

impl Busy {
    /// Half of the posts are liked by the reader, who also likes many later and earlier ones.
    async fn new() -> Self {
        let embedded = Embedded::open();
        let (ids, reader) = (IdGenerator::new(), UserId::random());
        let mut social = vec![profile(reader)];
        social.push(Readers::new_reader(reader, NOW));
        let mut feed = Vec::new();
        let likes =
            |count| (0..count).map(|_| Likes::both_sides(reader, ids.next_post_id(NOW), NOW)).collect::<Vec<_>>();
        let earlier = likes(LIKES / 2);
        for number in 0..ENTRIES {
            let author = UserId::random();
            social.extend(Follows::both_sides(reader, author, NOW));
            social.push(profile(author));
            let post_id = ids.next_post_id(NOW);
            let post = Post {
                post_id,
                author_id: author,
                text: PostText::parse(&"x".repeat(TEXT_CHARS)).unwrap(),
                media: pictures(),
            };
            social.extend(Posts::creation(&post).into_iter().map(item_of));
            social.push(Item::new(keys::post_counts(post_id)).with("likes", 1).with("comments", 1));
            feed.push(Feeds::entry(reader, post_id));
            if number % 2 == 0 {
                social.extend(Likes::both_sides(reader, post_id, NOW));
            }
        }
        social.extend(earlier.into_iter().chain(likes(LIKES / 2)).map(|[by_reader, _of_post]| by_reader));
        let others = (ENTRIES..FOLLOWS).map(|_| Follows::both_sides(reader, UserId::random(), NOW));
        social.extend(others.map(|[of_reader, _]| of_reader));
        put_all(embedded.store.as_ref(), Table::Social, social).await;
        put_all(embedded.store.as_ref(), Table::Feed, feed).await;
        let (store, clock) = (Arc::new(CountingStore::new(embedded.store.clone())), Clock::manual(NOW));
        let feeds = FeedService::new(store.clone(), PostViews::new(store.clone(), &clock), clock.clone());
        Self { store, clock, feeds, reader, _embedded: embedded }
    }

    async fn unfollow_many(&self) {
        let rule = |_| Readers::rule_item(self.reader, UserId::random(), &Rule::LEFT, NOW);
        put_all(self.store.as_ref(), Table::Social, (0..UNFOLLOWS).map(rule).collect()).await;
    }

    /// Reads the first page. Returns the calls and the read units.
    async fn read(&self, limit: u32) -> (u64, f64) {
        self.store.take_reads();
        self.store.take_read_units();
        let page = self.feeds.page(self.reader, None, PageLimit::new(limit).unwrap()).await.unwrap();
        let authors: HashSet<UserId> = page.items.iter().map(|view| view.post.author_id).collect();
        assert!(page.items.iter().all(|view| view.post.media.len() == limits::MAX_MEDIA_PER_POST));
        assert_eq!((page.items.len(), authors.len()), (limit as usize, limit as usize));
        let liked = page.items.iter().filter(|view| view.liked_by_me).count();
        assert_eq!(liked, limit as usize / 2);
        (self.store.take_reads().values().sum(), self.store.take_read_units())
    }

    /// The costs of a page with cold and with warm caches.
    async fn costs(&self, limit: u32) -> [(u64, f64); 2] {
        self.clock.advance(limits::PROFILE_TTL);
        [self.read(limit).await, self.read(limit).await]
    }
}

#[tokio::test]
async fn a_feed_page_takes_the_computed_units() {
    let busy = Busy::new().await;
    // Strong: the entries and the one after them (92 bytes each), the reader, the likes (98 bytes each). Eventual: a
    // half each for the posts, their counts and their authors.
    assert_eq!(busy.costs(20).await, [(5, 1.0 + 1.0 + 1.0 + 21.0 * 1.5), (3, 3.0)]);
    assert_eq!(busy.costs(100).await, [(8, 3.0 + 1.0 + 2.0 + 101.0 * 1.5), (3, 6.0)]);

    busy.unfollow_many().await;
    // 109 bytes each.
    let rules = 14.0;
    assert_eq!(busy.costs(20).await, [(5, 2.0 + rules + 21.0 * 1.5), (3, 2.0 + rules)]);
    assert_eq!(busy.costs(100).await, [(8, 5.0 + rules + 101.0 * 1.5), (3, 5.0 + rules)]);
}

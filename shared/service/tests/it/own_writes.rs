//! Users see their own writes at once although the store serves eventual reads, and see them once although answers are
//! lost.

use std::sync::Arc;

use domain::{
    Bio, ClientNetwork, CommentText, DisplayName, Email, Handle, IdGenerator, PageLimit, Password, PostId, PostText,
    UserId, UserRef,
};
use ports::{queue::QueueName, signing::TokenKeys, store::Store};
use service::{
    ServiceError,
    accounts::{AccountService, LoginOrigin, ProfileEdit, Registration},
    comments::CommentService,
    feeds::FeedService,
    graph::GraphService,
    likes::LikeService,
    passwords::HashingOptions,
    posts::{IdempotencyKey, PostService, PublishService},
    rates::RateLimiter,
    views::PostViews,
};
use service_testkit::Embedded;
use service_testkit::pipeline::START;
use testkit::faults::{FaultyStore, LateStore, StaleStore, StoreFaults};

/// The services over one store.
struct Services {
    accounts: AccountService,
    publishing: PublishService,
    posts: PostService,
    feeds: FeedService,
    likes: LikeService,
    comments: CommentService,
}

impl Services {
    fn on(store: &Arc<dyn Store>, embedded: &Embedded) -> Self {
        let ids = Arc::new(IdGenerator::new());
        let graph = GraphService::new(store.clone(), ids.clone(), RateLimiter::off());
        let keys = TokenKeys::new([7; 32]);
        let clock = embedded.clock.clone();
        let views = PostViews::new(store.clone(), &clock);
        Self {
            accounts: AccountService::new(store.clone(), graph, &keys, &HashingOptions::cheap(), RateLimiter::off()),
            publishing: PublishService::new(store.clone(), embedded.queue.clone(), ids.clone(), RateLimiter::off()),
            posts: PostService::new(store.clone(), RateLimiter::off()).with_stories(views.clone()),
            feeds: FeedService::new(store.clone(), views, clock),
            likes: LikeService::new(store.clone(), RateLimiter::off()),
            comments: CommentService::new(store.clone(), ids, RateLimiter::off()),
        }
    }

    async fn register(&self, handle: &str) -> UserId {
        let registration = Registration {
            handle: Handle::parse(handle).unwrap(),
            email: Email::parse(&format!("{handle}@example.org")).unwrap(),
            password: Password::parse("correct horse battery").unwrap(),
            display_name: None,
        };
        let origin = LoginOrigin { network: ClientNetwork::UNKNOWN, user_agent: None };
        self.accounts
            .register(Ok::<_, ServiceError>(registration), origin, START)
            .await
            .unwrap()
            .user
            .profile
            .user
            .user_id
    }

    async fn post(&self, author: UserId) -> PostId {
        let text = PostText::parse("hello").unwrap();
        self.publishing.publish(author, text, None, START).await.unwrap().post.post_id
    }

    /// The ids of the users who like a post, as `reader` sees them.
    async fn likers(&self, reader: UserId, post: PostId) -> Vec<UserId> {
        let page = self.likes.likers(reader, post, None, PageLimit::default()).await.unwrap();
        page.items.iter().map(|liker| liker.user.user_id).collect()
    }
}

#[tokio::test]
async fn own_writes_show_at_once_despite_replica_lag() {
    let embedded = Embedded::open();
    let store: Arc<dyn Store> = Arc::new(StaleStore::new(embedded.store.clone(), 1));
    let services = Services::on(&store, &embedded);
    let alice = services.register("alice").await;
    let post = services.post(alice).await;

    let edit = ProfileEdit {
        display_name: Some(DisplayName::parse("Alice").unwrap()),
        bio: Some(Bio::parse("glasses").unwrap()),
        ..ProfileEdit::default()
    };
    let edited = services.accounts.edit_profile(alice, &UserRef::Me, &edit, START).await.unwrap();
    assert_eq!(edited, services.accounts.profile(alice, &UserRef::Id(alice)).await.unwrap());
    assert_eq!((edited.profile.user.display_name.as_str(), edited.profile.bio.as_str()), ("Alice", "glasses"));
    let limit = PageLimit::default();
    let feed = services.feeds.page(alice, None, limit).await.unwrap();
    let story = services.posts.story(alice, alice, None, limit).await.unwrap();
    let one = services.posts.get(alice, post).await.unwrap();
    for view in feed.items.iter().chain(&story.items).chain([&one]) {
        assert_eq!((view.author.display_name.as_str(), view.liked_by_me), ("Alice", false));
    }

    services.likes.like(alice, post, START).await.unwrap();
    assert!(services.posts.get(alice, post).await.unwrap().liked_by_me);
    assert_eq!(services.likers(alice, post).await, [alice]);
    services.likes.unlike(alice, post, START).await.unwrap();
    assert!(!services.posts.get(alice, post).await.unwrap().liked_by_me);
    assert!(services.likers(alice, post).await.is_empty());

    let text = CommentText::parse("well said").unwrap();
    let made = services.comments.create(alice, post, text, START).await.unwrap();
    let shown = async || services.comments.of_post(alice, post, None, limit).await.unwrap().items;
    assert_eq!(shown().await, std::slice::from_ref(&made));
    services.comments.delete(alice, post, made.comment.comment_id, START).await.unwrap();
    assert!(shown().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn likes_stay_two_sided_and_comments_unique() {
    let embedded = Embedded::open();
    let certain = Services::on(&embedded.store, &embedded);
    let (alice, bob) = (certain.register("alice").await, certain.register("bob").await);
    let post = certain.post(alice).await;
    let faulty: Arc<dyn Store> = Arc::new(FaultyStore::new(embedded.store.clone(), StoreFaults::all(0.2), 11));
    let uncertain = Services::on(&faulty, &embedded);
    let (mut tried, mut made) = (0, Vec::new());
    for round in 0..60 {
        let liked = round % 2 == 0;
        let done = if liked {
            uncertain.likes.like(bob, post, START).await
        } else {
            uncertain.likes.unlike(bob, post, START).await
        };
        let by_user = certain.posts.get(bob, post).await.unwrap().liked_by_me;
        assert_eq!(certain.likers(bob, post).await.contains(&bob), by_user);
        if done.is_ok() {
            assert_eq!(by_user, liked);
        }

        tried += 1;
        let text = CommentText::parse(&round.to_string()).unwrap();
        if let Ok(comment) = uncertain.comments.create(bob, post, text, START).await {
            made.push(comment);
        }
    }
    let shown = certain.comments.of_post(bob, post, None, PageLimit::new(100).unwrap()).await.unwrap().items;
    assert!(made.iter().all(|comment| shown.contains(comment)));
    let mut texts: Vec<_> = shown.iter().map(|view| view.comment.text.as_str()).collect();
    texts.sort_unstable();
    texts.dedup();
    assert_eq!(texts.len(), shown.len(), "no comment is duplicated");
    assert!(made.len() > tried / 2, "most are made: calls are repeated");
    for comment in &made {
        // Deleting is idempotent, whatever the answer was.
        let id = comment.comment.comment_id;
        while uncertain.comments.delete(bob, post, id, START).await.is_err() {}
        certain.comments.delete(alice, post, id, START).await.unwrap();
    }
    let left = certain.comments.of_post(bob, post, None, PageLimit::default()).await.unwrap().items;
    assert!(left.iter().all(|comment| !made.contains(comment)));
}

#[tokio::test(start_paused = true)]
async fn a_late_creation_does_not_revive_a_post() {
    let embedded = Embedded::open();
    let certain = Services::on(&embedded.store, &embedded);
    let alice = certain.register("alice").await;
    let late = Arc::new(LateStore::new(embedded.store.clone(), 0.4, 3));
    let store: Arc<dyn Store> = late.clone();
    let uncertain = Services::on(&store, &embedded);
    let mut made = Vec::new();
    for number in 0..20 {
        let (text, key) = (PostText::parse("hello").unwrap(), IdempotencyKey::parse(&number.to_string()).unwrap());
        let key = Some(&key).filter(|_| number % 2 == 0);
        // A publish that fails for good is not deleted, and may be applied late like any other.
        let Ok(published) = uncertain.publishing.publish(alice, text, key, START).await else { continue };
        let post = published.post.post_id;
        certain.posts.delete(alice, post, START).await.unwrap();
        made.push(post);
    }
    assert!(made.len() > 10, "most are made: calls are repeated");
    let announced = embedded.queue.depth(QueueName::PostQ).await.unwrap();
    assert_eq!(announced.visible, made.len() as u64, "each post counts as new, even after a lost answer");
    late.switch().turn_off();
    late.arrive_all().await;
    for post in made {
        let found = certain.posts.get(alice, post).await;
        assert!(matches!(found, Err(ServiceError::NotFound)), "{found:?}");
    }
}

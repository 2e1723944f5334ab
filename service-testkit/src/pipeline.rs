//! The whole pipeline, driven one batch at a time, with a clock that stands still until a test advances it.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use data::{Db, Outbox, Transaction, Users};
use domain::{
    Bio, Clock, DisplayName, Handle, IdGenerator, PageLimit, PostId, PostText, Profile, Timestamp, User, UserId, limits,
};
use follow_fetcher::FollowFetcher;
use job_handler::JobHandler;
use ports::{
    queue::{Queue, QueueName, ReceivedMessage, delete_all},
    store::Store,
};
use service::{
    delivery::DeliveryService,
    fan_out::{FanOutOptions, FanOutService},
    feeds::FeedService,
    graph::GraphService,
    posts::{PostService, PublishService},
    promotion::PullThreshold,
    rates::RateLimiter,
    sweep::{SweepService, Swept},
    views::PostViews,
};
use worker::RetryPauses;

/// The start of a pipeline's clock: a moment in 2025.
pub const START: Timestamp = Timestamp::from_millis(1_763_700_000_000);

/// Makes handles unique.
static USERS: AtomicU64 = AtomicU64::new(0);

/// Every service and handler on one pair of ports.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// The store that all services and handlers share.
    pub store: Arc<dyn Store>,
    /// The queues that all services and handlers share.
    pub queue: Arc<dyn Queue>,
    /// The clock, advanced with [`Clock::advance`].
    pub clock: Clock,
    /// Publishing.
    pub publish: PublishService,
    /// Following.
    pub graph: GraphService,
    /// Feeds.
    pub feeds: FeedService,
    /// Stories.
    pub posts: PostService,
    fetcher: FollowFetcher,
    jobs: JobHandler,
    sweep: SweepService,
}

impl Pipeline {
    /// A pipeline on these ports, reading `follower_page` followers per page.
    pub fn on(store: Arc<dyn Store>, queue: Arc<dyn Queue>, clock: Clock, follower_page: u32) -> Self {
        let ids = Arc::new(IdGenerator::new());
        let options = FanOutOptions { follower_page: Some(follower_page), ..FanOutOptions::default() };
        let fan_out = FanOutService::new(store.clone(), queue.clone(), clock.clone(), options);
        let delivery = DeliveryService::new(store.clone(), clock.clone());
        Self {
            publish: PublishService::new(store.clone(), queue.clone(), ids.clone(), RateLimiter::off()),
            graph: GraphService::new(store.clone(), ids, RateLimiter::off()),
            feeds: FeedService::new(store.clone(), PostViews::uncached(store.clone()), clock.clone()),
            posts: PostService::new(store.clone(), RateLimiter::off()),
            fetcher: FollowFetcher::new(fan_out, queue.clone(), RetryPauses::default()),
            jobs: JobHandler::new(delivery, queue.clone(), RetryPauses::default()),
            sweep: SweepService::new(store.clone(), queue.clone()),
            store,
            queue,
            clock,
        }
    }

    /// The same, pulling the posts of authors with this many followers.
    #[must_use]
    pub fn with_pull_threshold(self, threshold: PullThreshold) -> Self {
        Self { publish: self.publish.with_pull_threshold(threshold), ..self }
    }

    /// Registers a user whose handle has this prefix. Handles are unique, so one database can serve many rounds of a
    /// test.
    pub async fn user(&self, name: &str) -> UserId {
        let number = USERS.fetch_add(1, Ordering::Relaxed);
        let handle = Handle::parse(&format!("{name}_{number}")).expect("a test's handle is valid");
        let user = User { user_id: UserId::random(), display_name: DisplayName::from(&handle), handle, avatar: None };
        let user_id = user.user_id;
        let profile = Profile { user, bio: Bio::default(), created_at: self.clock.now() };
        let made = Transaction::from(Users::claim(&profile).and(Users::creation(&profile)));
        let made = made.commit(&Db::from(Arc::clone(&self.store))).await.expect("the user can be registered");
        assert!(made.is_applied(), "a test's handles are unique");
        user_id
    }

    /// Registers an author with this many followers.
    pub async fn author_with_followers(&self, count: usize) -> (UserId, Vec<UserId>) {
        let author = self.user("author").await;
        let mut followers = Vec::with_capacity(count);
        for _ in 0..count {
            let follower = self.user("follower").await;
            self.graph.follow(follower, author, self.clock.now()).await.expect("the follow is made");
            followers.push(follower);
        }
        (author, followers)
    }

    /// A new post.
    pub async fn post(&self, author: UserId, text: &str) -> PostId {
        let text = PostText::parse(text).expect("a test's text is valid");
        let view = self.publish.publish(author, text, None, self.clock.now()).await.expect("the post is accepted");
        view.post.post_id
    }

    /// The whole feed of a reader, newest first.
    pub async fn feed(&self, reader: UserId) -> Vec<PostId> {
        self.feed_by(reader, 7).await
    }

    /// The whole feed of a reader, read in pages of `limit` posts, newest first.
    pub async fn feed_by(&self, reader: UserId, limit: u32) -> Vec<PostId> {
        let (mut posts, mut after) = (Vec::new(), None);
        let limit = PageLimit::new(limit).expect("a page of this size is allowed");
        loop {
            let page = self.feeds.page(reader, after, limit).await.expect("the feed can be read");
            posts.extend(page.items.iter().map(|view| view.post.post_id));
            match page.next {
                None => return posts,
                next => after = next,
            }
        }
    }

    /// Receives up to one batch of the event source mapping, without waiting.
    pub async fn receive(&self, name: QueueName) -> Vec<ReceivedMessage> {
        let max = if name == QueueName::PostQ { 1 } else { limits::MAX_QUEUE_BATCH };
        self.queue.receive(name, max, Duration::ZERO, None).await.unwrap_or_default()
    }

    /// Passes messages to the handler of queue `name`. Returns those that did not fail.
    pub async fn handle(&self, name: QueueName, messages: Vec<ReceivedMessage>) -> Vec<ReceivedMessage> {
        let batch = messages.clone();
        let outcome = match name {
            QueueName::PostQ => self.fetcher.handle(batch, None).await,
            _ => self.jobs.handle(batch).await,
        };
        messages.into_iter().filter(|message| !outcome.failed.contains(&message.message_id)).collect()
    }

    /// Receives and handles one batch, and deletes the messages that did not fail. Returns the size of the batch.
    pub async fn turn(&self, name: QueueName) -> usize {
        let messages = self.receive(name).await;
        let count = messages.len();
        if count > 0 {
            let done = self.handle(name, messages).await;
            let receipts = done.into_iter().map(|message| message.receipt).collect();
            // As an event source does. A message that could not be deleted is redelivered.
            let _again = delete_all(self.queue.as_ref(), name, receipts).await;
        }
        count
    }

    /// Runs one sweep.
    pub async fn sweep(&self) -> Swept {
        self.sweep.sweep(self.clock.now()).await.unwrap_or_default()
    }

    /// Drains both queues, advancing the clock when only hidden messages or leases are left.
    ///
    /// # Panics
    /// When two simulated days are not enough to drain them.
    pub async fn drain(&self) {
        let outbox = Outbox::new(self.store.clone());
        for _ in 0..2 * 24 * 60 * 3 {
            while self.turn(QueueName::PostQ).await + self.turn(QueueName::JobQ).await > 0 {}
            let idle = self.is_empty(QueueName::PostQ).await && self.is_empty(QueueName::JobQ).await;
            if idle && outbox.is_empty().await.unwrap_or(false) {
                return;
            }
            self.clock.advance(Duration::from_secs(20));
            self.sweep().await;
        }
        panic!("the pipeline was not drained in two simulated days");
    }

    /// Takes over unfinished work, as a starting process does.
    pub async fn reclaim(&self, announced: &HashSet<PostId>) -> Swept {
        self.sweep.reclaim(self.clock.now(), announced).await.expect("the outbox can be read")
    }

    async fn is_empty(&self, name: QueueName) -> bool {
        let depth = self.queue.depth(name).await.expect("the depth can be read");
        depth.visible + depth.in_flight + depth.delayed == 0
    }

    /// The number of messages in a queue, in any state.
    pub async fn messages_in(&self, name: QueueName) -> u64 {
        let depth = self.queue.depth(name).await.expect("the depth can be read");
        depth.visible + depth.in_flight + depth.delayed
    }
}

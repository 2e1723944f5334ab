//! Builds the API's services. A new service is a field and a line here; every deployment and test that serves the API
//! takes it from [`Services`].

use std::sync::Arc;

use super::{
    accounts::AccountService,
    activity::ActivityCache,
    comments::CommentService,
    export::ExportService,
    feeds::FeedService,
    graph::GraphService,
    likes::LikeService,
    live::{Hub, LiveService},
    media::{MediaService, urls::MediaUrls},
    notifications::NotificationService,
    passwords::HashingOptions,
    posts::{PostService, PublishService},
    promotion::PullThreshold,
    rates::RateLimiter,
    steps::StepSize,
    stories::Stories,
    tokens::AccessTokens,
    views::PostViews,
};
use domain::{Clock, IdGenerator};
use ports::{blobs::Blobs, queue::Queue, store::Store};

/// The dependencies shared by the services of one process.
#[derive(Debug, Clone)]
pub struct Foundation {
    /// The store.
    pub store: Arc<dyn Store>,
    /// Makes the ids of posts, comments and notifications.
    pub ids: Arc<IdGenerator>,
    /// The process's clock.
    pub clock: Clock,
    /// Signs and reads access tokens.
    pub tokens: AccessTokens,
    /// Limits request rates.
    pub rates: RateLimiter,
    /// The number of followers from which posts are pulled.
    pub pull_threshold: PullThreshold,
    /// The cached stories of pulled authors.
    pub stories: Stories,
    /// The streams of live events; `None` where none are served.
    pub streams: Option<Hub>,
    /// Object storage for pictures; `None` where none is configured.
    pub blobs: Option<Arc<dyn Blobs>>,
    /// The URLs of pictures.
    pub media_urls: MediaUrls,
}

impl Foundation {
    /// A foundation with its own id generator, the default threshold, without live events and object storage.
    pub fn new(store: Arc<dyn Store>, clock: Clock, tokens: impl Into<AccessTokens>, rates: RateLimiter) -> Self {
        Self {
            stories: Stories::new(Arc::clone(&store), clock.clone()),
            store,
            ids: Arc::new(IdGenerator::new()),
            clock,
            tokens: tokens.into(),
            rates,
            pull_threshold: PullThreshold::default(),
            streams: None,
            blobs: None,
            media_urls: MediaUrls::under(""),
        }
    }

    /// The publishing service, announcing posts on `queue`.
    pub fn publishing(&self, queue: Arc<dyn Queue>) -> PublishService {
        PublishService::new(Arc::clone(&self.store), queue, Arc::clone(&self.ids), self.rates.clone())
            .with_pull_threshold(self.pull_threshold)
            .with_stories(self.stories.clone())
            .with_live_events(self.live())
    }

    fn live(&self) -> Option<LiveService> {
        self.streams.clone().map(|hub| LiveService::new(Arc::clone(&self.store), hub))
    }
}

/// Options of the services; the defaults are for production.
#[derive(Debug, Clone, Default)]
pub struct ServiceOptions {
    /// Password hashing.
    pub hashing: HashingOptions,
    /// The amount of notification work per step.
    pub steps: StepSize,
}

/// The services behind the API.
#[derive(Debug, Clone)]
pub struct Services {
    /// Accounts, sessions and access tokens.
    pub accounts: AccountService,
    /// Follows.
    pub graph: GraphService,
    /// Posts and stories.
    pub posts: PostService,
    /// Publishing; `None` where another Lambda function publishes.
    pub publishing: Option<PublishService>,
    /// Feeds.
    pub feeds: FeedService,
    /// Notifications.
    pub notifications: NotificationService,
    /// Likes.
    pub likes: LikeService,
    /// Comments.
    pub comments: CommentService,
    /// The export of a user's data.
    pub export: ExportService,
    /// Pictures; `None` where no object storage is configured.
    pub media: Option<MediaService>,
    /// The URLs of pictures.
    pub media_urls: MediaUrls,
    /// Live events; `None` where none are served.
    pub live: Option<LiveService>,
    /// The readers' activity, as the process remembers it.
    pub activity: ActivityCache,
    /// The store shared by all services.
    pub store: Arc<dyn Store>,
    /// The process's clock.
    pub clock: Clock,
}

impl Services {
    /// All services of the API. Without `queue`, publishing is left out.
    pub fn new(on: &Foundation, queue: Option<Arc<dyn Queue>>, options: &ServiceOptions) -> Self {
        let (store, ids, rates) = (|| Arc::clone(&on.store), || Arc::clone(&on.ids), || on.rates.clone());
        let graph = GraphService::new(store(), ids(), rates());
        let views = PostViews::new(store(), &on.clock);
        let activity = ActivityCache::default();
        // A function that serves the API runs no fan-out.
        let read_by_fan_out = queue.is_some().then(|| activity.clone());
        let accounts = AccountService::new(store(), graph.clone(), on.tokens.clone(), &options.hashing, rates());
        Self {
            export: ExportService::new(store(), accounts.clone()),
            accounts,
            graph,
            posts: PostService::new(store(), rates()).with_stories(views.clone()),
            publishing: queue.map(|queue| on.publishing(queue)),
            feeds: FeedService::new(store(), views, on.clock.clone())
                .with_stories(on.stories.clone())
                .with_activity(read_by_fan_out),
            notifications: NotificationService::new(store()).in_steps(options.steps),
            likes: LikeService::new(store(), rates()),
            comments: CommentService::new(store(), ids(), rates()),
            media: on.blobs.clone().map(|blobs| MediaService::new(store(), blobs, ids(), rates())),
            media_urls: on.media_urls.clone(),
            live: on.live(),
            activity,
            store: store(),
            clock: on.clock.clone(),
        }
    }
}

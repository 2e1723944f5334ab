//! Where the API's services are built. A new service is a field and a line here; every deployment and test that serves
//! the API takes it from [`Services`].

use std::sync::Arc;

use super::{
    accounts::AccountService,
    comments::CommentService,
    export::ExportService,
    feeds::FeedService,
    graph::GraphService,
    likes::LikeService,
    live::{Hub, LiveService},
    notifications::NotificationService,
    passwords::HashingOptions,
    posts::{PostService, PublishService},
    rates::RateLimiter,
    steps::StepSize,
    tokens::AccessTokens,
};
use domain::{Clock, IdGenerator};
use ports::{queue::Queue, store::Store};

/// Everything that the services of one process share.
#[derive(Debug, Clone)]
pub struct Foundation {
    /// The store of all of them.
    pub store: Arc<dyn Store>,
    /// Makes the ids of posts, comments and notifications.
    pub ids: Arc<IdGenerator>,
    /// The process's clock.
    pub clock: Clock,
    /// Signs and reads access tokens.
    pub tokens: AccessTokens,
    /// Admits or refuses uses by their rates.
    pub rates: RateLimiter,
    /// The streams of live events; `None` where none are served.
    pub streams: Option<Hub>,
}

impl Foundation {
    /// A foundation with ids of its own and without live events.
    pub fn new(store: Arc<dyn Store>, clock: Clock, tokens: impl Into<AccessTokens>, rates: RateLimiter) -> Self {
        Self { store, ids: Arc::new(IdGenerator::new()), clock, tokens: tokens.into(), rates, streams: None }
    }

    /// Publishing, announced on `queue`.
    pub fn publishing(&self, queue: Arc<dyn Queue>) -> PublishService {
        PublishService::new(Arc::clone(&self.store), queue, Arc::clone(&self.ids), self.rates.clone())
            .announced_by(self.live())
    }

    fn live(&self) -> Option<LiveService> {
        self.streams.clone().map(|hub| LiveService::new(Arc::clone(&self.store), hub))
    }
}

/// How the services work; the defaults are production's.
#[derive(Debug, Clone, Default)]
pub struct ServiceOptions {
    /// How passwords are hashed.
    pub hashing: HashingOptions,
    /// How much work about notifications one step takes on.
    pub steps: StepSize,
}

/// The services behind the API.
#[derive(Debug, Clone)]
pub struct Services {
    /// Accounts, sessions and access tokens.
    pub accounts: AccountService,
    /// Who follows whom.
    pub graph: GraphService,
    /// Posts and stories.
    pub posts: PostService,
    /// Publishing; `None` where another function publishes.
    pub publishing: Option<PublishService>,
    /// Feeds.
    pub feeds: FeedService,
    /// Notifications.
    pub notifications: NotificationService,
    /// Likes.
    pub likes: LikeService,
    /// Comments.
    pub comments: CommentService,
    /// All that is stored about a user.
    pub export: ExportService,
    /// Live events; `None` where none are served.
    pub live: Option<LiveService>,
    /// The store of all of them.
    pub store: Arc<dyn Store>,
    /// The process's clock.
    pub clock: Clock,
}

impl Services {
    /// Every service of the API. Without `queue` nothing is published here.
    pub fn new(on: &Foundation, queue: Option<Arc<dyn Queue>>, options: &ServiceOptions) -> Self {
        let (store, ids, rates) = (|| Arc::clone(&on.store), || Arc::clone(&on.ids), || on.rates.clone());
        let graph = GraphService::new(store(), ids(), rates());
        let accounts = AccountService::new(store(), graph.clone(), on.tokens.clone(), &options.hashing, rates());
        Self {
            export: ExportService::new(store(), accounts.clone()),
            accounts,
            graph,
            posts: PostService::new(store(), rates()),
            publishing: queue.map(|queue| on.publishing(queue)),
            feeds: FeedService::new(store()),
            notifications: NotificationService::new(store()).in_steps(options.steps),
            likes: LikeService::new(store(), rates()),
            comments: CommentService::new(store(), ids(), rates()),
            live: on.live(),
            store: store(),
            clock: on.clock.clone(),
        }
    }
}

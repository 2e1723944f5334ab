//! What the endpoints work with.

use std::{ops::Deref, sync::Arc};

use axum::extract::FromRef;
use bytes::Bytes;
use domain::Clock;
use http_api::Authentication;
use ports::{changes::ChangeLog, store::Store};
use service::{
    accounts::AccountService, comments::CommentService, export::ExportService, feeds::FeedService, graph::GraphService,
    likes::LikeService, live::Hub, notifications::NotificationService, posts::PostService, rates::RateLimiter,
};

use crate::{description, health::Health};

/// The services behind the endpoints, the store that answers wait for, and the time.
#[derive(Debug, Clone)]
pub struct Api {
    /// Accounts, and who the caller is.
    pub accounts: AccountService,
    /// Who follows whom.
    pub graph: GraphService,
    /// Posts and stories.
    pub posts: PostService,
    /// Feeds.
    pub feeds: FeedService,
    /// Notifications.
    pub notifications: NotificationService,
    /// Likes.
    pub likes: LikeService,
    /// Comments.
    pub comments: CommentService,
    /// The streams of live events; `None` where none are served.
    pub live: Option<Hub>,
    /// The log of changes, where this process reads it: its backlog is part of health. `None` on AWS, where an alarm
    /// watches the stream's age.
    pub changes: Option<Arc<dyn ChangeLog>>,
    /// How often one may do what.
    pub rates: RateLimiter,
    /// Waited for before an answer to a write leaves, and probed for health.
    pub store: Arc<dyn Store>,
    /// The time.
    pub clock: Clock,
}

impl Api {
    /// What reads the tokens of requests.
    pub fn authentication(&self) -> Authentication {
        Authentication {
            tokens: self.accounts.access_tokens().clone(),
            liveness: self.accounts.liveness().clone(),
            clock: self.clock.clone(),
        }
    }
}

/// [`Api`] as the router carries it.
#[derive(Debug, Clone)]
pub struct ApiState(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    api: Api,
    authentication: Authentication,
    health: Health,
    export: ExportService,
    document: Bytes,
}

impl ApiState {
    pub(crate) fn new(api: Api) -> Self {
        Self(Arc::new(Inner {
            authentication: api.authentication(),
            health: Health::new(Arc::clone(&api.store), api.changes.clone(), api.clock.clone()),
            export: ExportService::new(Arc::clone(&api.store), api.accounts.clone()),
            document: description::document(),
            api,
        }))
    }

    pub(crate) fn health(&self) -> &Health {
        &self.0.health
    }

    pub(crate) fn export(&self) -> &ExportService {
        &self.0.export
    }

    pub(crate) fn document(&self) -> Bytes {
        self.0.document.clone()
    }
}

impl Deref for ApiState {
    type Target = Api;

    fn deref(&self) -> &Api {
        &self.0.api
    }
}

impl FromRef<ApiState> for Authentication {
    fn from_ref(state: &ApiState) -> Self {
        state.0.authentication.clone()
    }
}

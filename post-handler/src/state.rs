//! The state of the endpoint.

use std::sync::Arc;

use axum::extract::FromRef;
use http_api::Authentication;
use ports::queue::Queue;
use service::{Foundation, Services, liveness::Liveness, media::urls::MediaUrls, posts::PublishService};

/// The state of the endpoint.
#[derive(Debug, Clone)]
pub struct PublishApi {
    /// Publishes.
    pub publishing: PublishService,
    /// Identifies the caller and tells the time.
    pub authentication: Authentication,
    /// The URLs of pictures.
    pub media_urls: MediaUrls,
}

impl PublishApi {
    /// The state of a process that serves only publishing.
    pub fn new(on: &Foundation, queue: Arc<dyn Queue>) -> Self {
        let liveness = Liveness::new(Arc::clone(&on.store));
        let authentication = Authentication { tokens: on.tokens.clone(), liveness, clock: on.clock.clone() };
        Self { publishing: on.publishing(queue), authentication, media_urls: on.media_urls.clone() }
    }

    /// The state from a process's services; `None` if they do not include publishing.
    pub fn of(services: &Services) -> Option<Self> {
        let publishing = services.publishing.clone()?;
        let (authentication, media_urls) = (Authentication::of(services), services.media_urls.clone());
        Some(Self { publishing, authentication, media_urls })
    }
}

impl FromRef<PublishApi> for Authentication {
    fn from_ref(api: &PublishApi) -> Self {
        api.authentication.clone()
    }
}

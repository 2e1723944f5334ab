//! The write side of posts, apart from the rest so that it scales and fails on its own.
//!
//! `POST /v1/posts -> [post-handler] -> PostQ -> follow-fetcher`
//!
//! - [`create_post`]: the one endpoint.
//!
//! The one process serves the same endpoint inside `status_api::router`; in the cloud API Gateway sends it here.

pub mod create_post;

use std::sync::Arc;

use axum::{Router, extract::FromRef};
use http_api::{Authentication, HttpOptions, with_conventions};
use ports::{queue::Queue, store::Store};
use service::{Foundation, Services, liveness::Liveness, posts::PublishService};
use utoipa_axum::{router::OpenApiRouter, routes};

/// What the Lambda function needs of its environment. `template.yaml` sets exactly this.
#[cfg(feature = "lambda")]
pub const NEEDS: lambda::Needs<lambda::ApiOptions> =
    lambda::Needs::of(&[ports::store::Table::Social, ports::store::Table::Feed], &[ports::queue::QueueName::PostQ])
        .with(lambda::ApiOptions::read);

/// What the endpoint works with.
#[derive(Debug, Clone)]
pub struct PublishApi {
    /// Publishes.
    pub publishing: PublishService,
    /// Knows the caller, and the time.
    pub authentication: Authentication,
}

impl PublishApi {
    /// Publishing alone, for a process that serves nothing else.
    pub fn new(on: &Foundation, queue: Arc<dyn Queue>) -> Self {
        let liveness = Liveness::new(Arc::clone(&on.store));
        let authentication = Authentication { tokens: on.tokens.clone(), liveness, clock: on.clock.clone() };
        Self { publishing: on.publishing(queue), authentication }
    }

    /// Publishing beside the other services; `None` when it is not among them.
    pub fn of(services: &Services) -> Option<Self> {
        let publishing = services.publishing.clone()?;
        Some(Self { publishing, authentication: Authentication::of(services) })
    }
}

impl FromRef<PublishApi> for Authentication {
    fn from_ref(api: &PublishApi) -> Self {
        api.authentication.clone()
    }
}

/// The endpoint and its description, for a router that serves others beside it.
pub fn routes() -> OpenApiRouter<PublishApi> {
    OpenApiRouter::default().routes(routes!(create_post::create_post))
}

/// The endpoint alone, with what holds of every answer. `store` is waited for before an answer leaves.
pub fn router(api: PublishApi, store: Arc<dyn Store>, options: &HttpOptions) -> Router {
    let (routes, _described_by_status_api) = routes().split_for_parts();
    with_conventions(routes.with_state(api), store, options)
}

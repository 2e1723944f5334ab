//! The write side of posts, apart from the rest so that it scales and fails on its own.
//!
//! `POST /v1/posts -> [post-handler] -> PostQ -> follow-fetcher`
//!
//! - [`create_post`]: the one endpoint.
//! - `config`: what the Lambda function is told.
//!
//! The one process serves the same endpoint inside `status_api::router`; in the cloud API Gateway sends it here.

#[cfg(feature = "lambda")]
pub mod config;
pub mod create_post;

use std::sync::Arc;

use axum::{Router, extract::FromRef};
use http_api::{Authentication, HttpOptions, with_conventions};
use ports::store::Store;
use service::{posts::PublishService, rates::RateLimiter};
use utoipa_axum::{router::OpenApiRouter, routes};

/// What the endpoint works with.
#[derive(Debug, Clone)]
pub struct PublishApi {
    /// Publishes.
    pub publishing: PublishService,
    /// Knows the caller, and the time.
    pub authentication: Authentication,
    /// How often one may publish.
    pub rates: RateLimiter,
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

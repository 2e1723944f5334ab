//! Publishing, apart from the rest of the API so that it scales and fails independently.
//!
//! `POST /v1/posts -> [post-handler] -> PostQ -> follow-fetcher`
//!
//! - [`create_post`]: the one endpoint.
//!
//! The one-process mode serves the same endpoint inside `status_api::router`; on AWS, API Gateway routes it here.

pub mod create_post;
mod state;

use std::sync::Arc;

use axum::Router;
use http_api::{HttpOptions, with_middleware};
use ports::store::Store;
use utoipa_axum::{router::OpenApiRouter, routes};

pub use state::PublishApi;

/// The environment that the Lambda function needs. `template.yaml` sets exactly this.
#[cfg(feature = "lambda")]
pub const NEEDS: lambda::Needs<lambda::PublishOptions> =
    lambda::Needs::of(&[ports::store::Table::Social, ports::store::Table::Feed], &[ports::queue::QueueName::PostQ])
        .with(lambda::PublishOptions::read);

/// The endpoint and its OpenAPI description, for a router that also serves others.
pub fn routes() -> OpenApiRouter<PublishApi> {
    OpenApiRouter::default().routes(routes!(create_post::create_post))
}

/// The endpoint alone, with the shared middleware. A response is sent once `store` has made its writes
/// durable.
pub fn router(api: PublishApi, store: Arc<dyn Store>, options: &HttpOptions) -> Router {
    let (routes, _described_by_status_api) = routes().split_for_parts();
    with_middleware(routes.with_state(api), store, options)
}

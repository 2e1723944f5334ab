//! The write side of posts, apart from the rest so that it scales and fails on its own.
//!
//! `POST /v1/posts -> [post-handler] -> PostQ -> follow-fetcher`
//!
//! - [`create_post`]: the one endpoint.
//!
//! The one process serves the same endpoint inside `status_api::router`; in the cloud API Gateway sends it here.

pub mod create_post;
mod state;

use std::sync::Arc;

use axum::Router;
use http_api::{HttpOptions, with_conventions};
use ports::store::Store;
use utoipa_axum::{router::OpenApiRouter, routes};

pub use state::PublishApi;

/// What the Lambda function needs of its environment. `template.yaml` sets exactly this.
#[cfg(feature = "lambda")]
pub const NEEDS: lambda::Needs<lambda::ApiOptions> =
    lambda::Needs::of(&[ports::store::Table::Social, ports::store::Table::Feed], &[ports::queue::QueueName::PostQ])
        .with(lambda::ApiOptions::read);

/// The endpoint and its description, for a router that serves others beside it.
pub fn routes() -> OpenApiRouter<PublishApi> {
    OpenApiRouter::default().routes(routes!(create_post::create_post))
}

/// The endpoint alone, with what holds of every answer. `store` is waited for before an answer leaves.
pub fn router(api: PublishApi, store: Arc<dyn Store>, options: &HttpOptions) -> Router {
    let (routes, _described_by_status_api) = routes().split_for_parts();
    with_conventions(routes.with_state(api), store, options)
}

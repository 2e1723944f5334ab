//! The HTTP API. Publishing is optional: a separate function can serve it.
//!
//! `client -> [status-api] -> Auth, Social, Feed`
//!
//! - [`auth`]: registering, logging in, refreshing, logging out.
//! - [`users`]: profiles; [`password`]; [`sessions`]; [`export`]: all data about the caller. [`follows`]: the graph.
//! - [`posts`]: one post, stories. [`feed`]: the caller's feed.
//! - [`media`]: pictures of posts and profiles.
//! - [`notifications`]: the acts of others that concern the caller.
//! - [`events`]: live events.
//! - [`likes`], [`comments`]: reactions to a post.
//! - [`health`]: whether the stores answer.
//! - [`description`]: the OpenAPI document.
//! - [`state`]: the state that the endpoints share.
//! - `gateway`: the client address that API Gateway reports.

pub mod auth;
pub mod comments;
pub mod description;
pub mod events;
pub mod export;
pub mod feed;
pub mod follows;
#[cfg(feature = "lambda")]
pub mod gateway;
pub mod health;
pub mod likes;
pub mod media;
pub mod notifications;
pub mod openapi;
pub mod password;
pub mod posts;
mod probe;
mod routes;
pub mod sessions;
pub mod state;
pub mod users;

use std::sync::Arc;

use axum::{
    Router,
    response::{IntoResponse, Response},
    routing::MethodRouter,
};
use http::{HeaderValue, Method, header::ALLOW};
use http_api::{HttpOptions, Problem, with_middleware};
use ports::changes::ChangeLog;
use post_handler::PublishApi;
use routes::routes;
use service::Services;
use state::ApiState;

/// The environment that the Lambda function needs. `template.yaml` sets exactly this.
#[cfg(feature = "lambda")]
pub const NEEDS: lambda::Needs<lambda::ApiOptions> = lambda::Needs::of(&ports::store::Table::ALL, &[])
    .with_buckets(&[ports::blobs::Bucket::Uploads])
    .with(lambda::ApiOptions::read);

/// The whole API. Without publishing among the services, `POST /v1/posts` is served elsewhere: API Gateway routes it to
/// post-handler, and only requests with other methods arrive here.
///
/// `changes` is the change log if this process reads it: its backlog is then part of health. On AWS an alarm watches
/// the stream's age instead.
pub fn router(services: Services, changes: Option<Arc<dyn ChangeLog>>, options: &HttpOptions) -> Router {
    let store = Arc::clone(&services.store);
    let published = match PublishApi::of(&services) {
        Some(publishing) => Router::from(post_handler::routes().with_state(publishing)),
        None => Router::new().route("/v1/posts", MethodRouter::new().fallback(published_elsewhere)),
    };
    let own = Router::from(routes()).with_state(ApiState::new(services, changes, description::document()));
    with_middleware(own.merge(published), store, options)
}

/// `/v1/posts` if another function publishes.
async fn published_elsewhere(method: Method) -> Response {
    if method == Method::POST {
        // Arrives here only if the gateway's routes are wrong.
        return Problem::NoSuchRoute.into_response();
    }
    let mut response = Problem::MethodNotAllowed.into_response();
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
    response
}

#[cfg(test)]
extern crate self as status_api;
#[cfg(test)]
#[path = "../tests/it/main.rs"]
mod it;

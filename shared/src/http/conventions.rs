//! What holds of every answer, put around a router in one place.

use std::sync::Arc;

use axum::{Router, middleware};
use http::HeaderValue;

use super::{cors, durable, observe, problem::Problem};
use crate::store::Store;

/// How HTTP is served.
#[derive(Debug, Clone, Default)]
pub struct HttpOptions {
    /// Origins whose pages may call the API from a browser, such as `https://app.example.org`. None by default.
    pub cors_origins: Vec<HeaderValue>,
}

/// Puts around `routes` what holds of every answer. From the outside in:
/// 1. request id, log line, metrics, the headers of every answer;
/// 2. CORS;
/// 3. a panic becomes a 500 problem;
/// 4. an answer that a write succeeded waits until the write is durable.
///
/// Unknown routes and methods are answered by problem documents.
pub fn with_conventions(routes: Router, store: Arc<dyn Store>, options: &HttpOptions) -> Router {
    routes
        .fallback(async || Problem::NoSuchRoute)
        .method_not_allowed_fallback(async || Problem::MethodNotAllowed)
        .layer(middleware::from_fn_with_state(store, durable::durable_answers))
        .layer(middleware::from_fn(observe::panics))
        .layer(middleware::from_fn_with_state(cors::layer(options), cors::cors))
        .layer(middleware::from_fn(observe::observe))
}

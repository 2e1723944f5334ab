//! The middleware around all routes, assembled in one place.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use http::{HeaderValue, header::ALLOW};
use tokio::time::Instant;

use super::{
    TrustedProxy,
    address::{self, Origins},
    compression, cors, durable, observe,
    problem::{Cause, Problem},
};
use ports::store::Store;

/// The default limit on a request's duration: that of API Gateway (30 s for an HTTP API). A [`Deadline`] shortens it.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Time reserved before a [`Deadline`] for the 503, its log line and the function's metrics.
pub const ANSWER_MARGIN: Duration = Duration::from_secs(1);
/// The `Retry-After` of a request that timed out.
const TIMED_OUT_RETRY_AFTER: Duration = Duration::from_secs(1);

/// The time at which the server aborts the request, answered or not: an extension of the request, set by a function
/// that is stopped at its timeout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline(pub Instant);

impl Deadline {
    /// The time left to answer.
    fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now()).saturating_sub(ANSWER_MARGIN)
    }
}

/// Options of the HTTP service.
#[derive(Debug, Clone)]
pub struct HttpOptions {
    /// Origins of pages that may call the API from a browser, such as `https://app.example.org`. None by default.
    pub cors_origins: Vec<HeaderValue>,
    /// The limit on a request's duration, from the request's head to the answer's, reading the body included. 30 s by
    /// default, less under a nearer [`Deadline`].
    pub request_timeout: Duration,
    /// Proxies trusted to name the client. None by default.
    pub trusted_proxy: Option<TrustedProxy>,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self { cors_origins: Vec::new(), request_timeout: REQUEST_TIMEOUT, trusted_proxy: None }
    }
}

/// The variable with the CORS origins of [`HttpOptions`], separated by commas.
pub const CORS_ORIGIN: &str = "TWEETER_CORS_ORIGIN";

/// An origin that no browser sends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{CORS_ORIGIN}: {origin:?} is not an origin such as https://app.example.org")]
pub struct InvalidOrigin {
    /// The configured value.
    pub origin: String,
}

impl HttpOptions {
    /// Reads the options from the configuration: [`CORS_ORIGIN`].
    pub fn from_lookup(find: impl Fn(&'static str) -> Option<String>) -> Result<Self, InvalidOrigin> {
        let list = find(CORS_ORIGIN).unwrap_or_default();
        let origins = list.split(',').map(str::trim).filter(|origin| !origin.is_empty());
        Ok(Self { cors_origins: origins.map(origin).collect::<Result<_, _>>()?, ..Self::default() })
    }
}

/// Parses an origin: scheme and authority only. Browsers send no path, so an origin with a path would never match.
fn origin(text: &str) -> Result<HeaderValue, InvalidOrigin> {
    let invalid = || InvalidOrigin { origin: text.to_owned() };
    let (scheme, authority) = text.split_once("://").ok_or_else(invalid)?;
    if scheme.is_empty() || authority.is_empty() || authority.contains('/') {
        return Err(invalid());
    }
    HeaderValue::from_str(text).map_err(|_| invalid())
}

/// Wraps `routes` in the shared middleware. From the outside in:
/// 1. request id, log line, metrics, common response headers;
/// 2. compression;
/// 3. CORS;
/// 4. timeout: a request that exceeds [`HttpOptions::request_timeout`], or reaches one second before its [`Deadline`],
///    gets a 503 problem;
/// 5. a panic becomes a 500 problem;
/// 6. a path with an empty segment is an unknown route;
/// 7. the client's network is determined;
/// 8. the answer to a successful write waits until the write is durable.
///
/// Unknown routes and methods are answered with problem documents.
pub fn with_middleware(routes: Router, store: Arc<dyn Store>, options: &HttpOptions) -> Router {
    let routes = routes
        .fallback(async || Problem::NoSuchRoute)
        .method_not_allowed_fallback(async || Problem::MethodNotAllowed)
        .layer(middleware::from_fn_with_state(store, durable::durable_answers))
        .layer(middleware::from_fn_with_state(Origins::new(options.trusted_proxy.clone()), address::client))
        .layer(middleware::from_fn(whole_paths))
        .layer(middleware::from_fn(observe::panics))
        .layer(middleware::from_fn_with_state(options.request_timeout, in_time))
        .layer(middleware::from_fn_with_state(cors::layer(&options.cors_origins), cors::cors))
        .layer(compression::layer())
        .layer(middleware::map_request(compression::any_encoding))
        .layer(middleware::from_fn(observe::observe));
    // A router adds `Allow` outside all of its layers, so the header is visible only to a router around it.
    Router::new().fallback_service(routes).layer(middleware::map_response(spaced_allow))
}

/// Aborts a request that takes too long. As with any 503, it may or may not have taken effect.
async fn in_time(State(limit): State<Duration>, request: Request, next: Next) -> Response {
    let deadline = request.extensions().get::<Deadline>();
    let limit = deadline.map_or(limit, |deadline| limit.min(deadline.left()));
    tokio::time::timeout(limit, next.run(request)).await.unwrap_or_else(|_| {
        let mut response = Problem::Unavailable { retry_after: TIMED_OUT_RETRY_AFTER, cause: None }.into_response();
        response.extensions_mut().insert(Cause(Arc::new(TookTooLong(limit))));
        response
    })
}

/// The reason a request was aborted.
#[derive(Debug, thiserror::Error)]
#[error("the request was aborted after {} s", .0.as_secs_f64())]
struct TookTooLong(Duration);

/// Rejects empty segments. No route has one, but the router would match `/v1/users//posts` with an empty user.
async fn whole_paths(request: Request, next: Next) -> Response {
    if request.uri().path().contains("//") {
        return Problem::NoSuchRoute.into_response();
    }
    next.run(request).await
}

/// Reformats `Allow`: the router joins methods with bare commas, RFC 9110 (section 5.6.1.1) writes ", ".
async fn spaced_allow(mut response: Response) -> Response {
    let spaced = response.headers().get(ALLOW).and_then(|methods| {
        let methods: Vec<_> = methods.to_str().ok()?.split(',').map(str::trim).collect();
        HeaderValue::try_from(methods.join(", ")).ok()
    });
    if let Some(spaced) = spaced {
        response.headers_mut().insert(ALLOW, spaced);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins(list: &str) -> Result<Vec<HeaderValue>, InvalidOrigin> {
        HttpOptions::from_lookup(|_| Some(list.to_owned())).map(|options| options.cors_origins)
    }

    #[test]
    fn origins_are_a_list_without_paths() {
        assert_eq!(origins("").unwrap().len(), 0);
        assert_eq!(
            origins("https://a.example, http://localhost:3000,").unwrap(),
            ["https://a.example", "http://localhost:3000"]
        );
        for bad in ["*", "a.example", "https://", "https://a.example/", "https://a\nb"] {
            assert!(origins(bad).is_err(), "{bad}");
        }
    }
}

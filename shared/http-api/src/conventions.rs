//! What holds of every answer, put around a router in one place.

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
    cors, durable, observe,
    problem::{Cause, Problem},
};
use ports::store::Store;

/// How long a request may take by default: what API Gateway allows (30 s for an HTTP API). A [`Deadline`] shortens it.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Time kept before a [`Deadline`] for the 503, its log line and the function's metrics.
pub const ANSWER_MARGIN: Duration = Duration::from_secs(1);
/// When to try again what took too long.
const TIMED_OUT_RETRY_AFTER: Duration = Duration::from_secs(1);

/// When the request is ended by what serves it, answered or not: an extension of the request, put there by a function
/// that is stopped at its timeout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline(pub Instant);

impl Deadline {
    /// The time left for an answer.
    fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now()).saturating_sub(ANSWER_MARGIN)
    }
}

/// How HTTP is served.
#[derive(Debug, Clone)]
pub struct HttpOptions {
    /// Origins whose pages may call the API from a browser, such as `https://app.example.org`. None by default.
    pub cors_origins: Vec<HeaderValue>,
    /// How long a request may take, from its head to its answer's, with the reading of its body. 30 s by default, and less where a
    /// [`Deadline`] is nearer.
    pub request_timeout: Duration,
    /// Proxies that are believed about where a request comes from. None by default.
    pub trusted_proxy: Option<TrustedProxy>,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self { cors_origins: Vec::new(), request_timeout: REQUEST_TIMEOUT, trusted_proxy: None }
    }
}

/// The variable that lists the origins of [`HttpOptions`], with commas between them.
pub const CORS_ORIGIN: &str = "TWEETER_CORS_ORIGIN";

/// An origin that no browser sends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{CORS_ORIGIN}: {origin:?} is not an origin such as https://app.example.org")]
pub struct InvalidOrigin {
    /// What stands there.
    pub origin: String,
}

impl HttpOptions {
    /// The options from a configuration: [`CORS_ORIGIN`].
    pub fn from_lookup(find: impl Fn(&'static str) -> Option<String>) -> Result<Self, InvalidOrigin> {
        let list = find(CORS_ORIGIN).unwrap_or_default();
        let origins = list.split(',').map(str::trim).filter(|origin| !origin.is_empty());
        Ok(Self { cors_origins: origins.map(origin).collect::<Result<_, _>>()?, ..Self::default() })
    }
}

/// Scheme and authority, nothing behind them: browsers send no path, so an origin with one would never match.
fn origin(text: &str) -> Result<HeaderValue, InvalidOrigin> {
    let invalid = || InvalidOrigin { origin: text.to_owned() };
    let (scheme, authority) = text.split_once("://").ok_or_else(invalid)?;
    if scheme.is_empty() || authority.is_empty() || authority.contains('/') {
        return Err(invalid());
    }
    HeaderValue::from_str(text).map_err(|_| invalid())
}

/// Puts around `routes` what holds of every answer. From the outside in:
/// 1. request id, log line, metrics, the headers of every answer;
/// 2. CORS;
/// 3. what takes longer than [`HttpOptions::request_timeout`], or until a second before its [`Deadline`], becomes a 503
///    problem;
/// 4. a panic becomes a 500 problem;
/// 5. a path with an empty segment is an unknown route;
/// 6. it is found out where the request comes from;
/// 7. an answer that a write succeeded waits until the write is durable.
///
/// Unknown routes and methods are answered by problem documents.
pub fn with_conventions(routes: Router, store: Arc<dyn Store>, options: &HttpOptions) -> Router {
    let routes = routes
        .fallback(async || Problem::NoSuchRoute)
        .method_not_allowed_fallback(async || Problem::MethodNotAllowed)
        .layer(middleware::from_fn_with_state(store, durable::durable_answers))
        .layer(middleware::from_fn_with_state(Origins::new(options.trusted_proxy.clone()), address::client))
        .layer(middleware::from_fn(whole_paths))
        .layer(middleware::from_fn(observe::panics))
        .layer(middleware::from_fn_with_state(options.request_timeout, in_time))
        .layer(middleware::from_fn_with_state(cors::layer(&options.cors_origins), cors::cors))
        .layer(middleware::from_fn(observe::observe));
    // A router adds `Allow` outside of all its layers, so the header is there only for a router around it.
    Router::new().fallback_service(routes).layer(middleware::map_response(spaced_allow))
}

/// Ends what takes too long. It may have done what it was asked for or not, as with any 503.
async fn in_time(State(limit): State<Duration>, request: Request, next: Next) -> Response {
    let deadline = request.extensions().get::<Deadline>();
    let limit = deadline.map_or(limit, |deadline| limit.min(deadline.left()));
    tokio::time::timeout(limit, next.run(request)).await.unwrap_or_else(|_| {
        let mut response = Problem::Unavailable { retry_after: TIMED_OUT_RETRY_AFTER, cause: None }.into_response();
        response.extensions_mut().insert(Cause(Arc::new(TookTooLong(limit))));
        response
    })
}

/// Why a request was ended.
#[derive(Debug, thiserror::Error)]
#[error("it was ended after {} s", .0.as_secs_f64())]
struct TookTooLong(Duration);

/// No route has an empty segment, but the router takes `/v1/users//posts` for a user without a name.
async fn whole_paths(request: Request, next: Next) -> Response {
    if request.uri().path().contains("//") {
        return Problem::NoSuchRoute.into_response();
    }
    next.run(request).await
}

/// The router puts bare commas into `Allow`; lists are written with ", " (RFC 9110, section 5.6.1.1).
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

//! Per-request observability: an id for the client, one log line, a count and a duration in the metrics.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, OnceLock},
    time::Duration,
};

use axum::{
    extract::{MatchedPath, Request},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures::FutureExt;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
    header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS},
};

use super::problem::{Cause, Problem};
use domain::{UserId, random};
use telemetry::{chain, names};
use tokio::time::Instant;

/// The header with the request's id.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Limit, in characters, on a request id chosen by a client or proxy.
const MAX_REQUEST_ID_CHARS: usize = 64;

/// Facts about a request that become known while it is handled.
#[derive(Debug, Clone, Default)]
pub(super) struct RequestContext {
    user: Arc<OnceLock<UserId>>,
}

impl RequestContext {
    /// Records the caller.
    pub(super) fn set_user(&self, user: UserId) {
        // A request has one caller; a second extractor finds the same.
        let _already = self.user.set(user);
    }
}

/// Facts about a request that are known before it is handled.
struct Observed {
    method: &'static str,
    route: Arc<str>,
    request_id: HeaderValue,
    context: RequestContext,
    started: Instant,
}

/// The outermost layer: sees every request and every answer.
pub(super) async fn observe(mut request: Request, next: Next) -> Response {
    let observed = Observed {
        method: known_method(request.method()),
        route: route(&request),
        request_id: request_id(request.headers()),
        context: RequestContext::default(),
        started: Instant::now(),
    };
    request.extensions_mut().insert(observed.context.clone());
    let mut response = next.run(request).await;
    observed.report(&response);
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, observed.request_id);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

impl Observed {
    fn report(&self, response: &Response) {
        let (status, elapsed) = (response.status(), self.started.elapsed());
        self.count(status, elapsed);
        let request_id = self.request_id.to_str().unwrap_or_default();
        if let Some(Cause(cause)) = response.extensions().get() {
            let cause = chain(cause.as_ref());
            tracing::error!(request.id = request_id, http.route = %self.route, error = cause, "The request failed");
        }
        tracing::info!(
            request.id = request_id,
            http.method = self.method,
            http.route = %self.route,
            http.status = status.as_u16(),
            duration_ms = milliseconds(elapsed),
            user.id = self.context.user.get().map(tracing::field::display),
            "{} {} {}", self.method, self.route, status.as_u16(),
        );
    }

    fn count(&self, status: StatusCode, elapsed: Duration) {
        let route = || self.route.to_string();
        let status = status.as_u16().to_string();
        metrics::counter!(names::HTTP_REQUESTS, "route" => route(), "method" => self.method, "status" => status)
            .increment(1);
        metrics::histogram!(names::HTTP_SECONDS, "route" => route(), "method" => self.method).record(elapsed);
    }
}

/// Milliseconds with three decimals: further digits are noise and rounding errors.
fn milliseconds(time: Duration) -> f64 {
    // Exact up to an hour, longer than any request lives.
    f64::from(u32::try_from(time.as_micros()).unwrap_or(u32::MAX)) / 1_000.0
}

/// The route's template, with the names of its parameters. Never the client's path: the number of metric series stays
/// the number of routes.
fn route(request: &Request) -> Arc<str> {
    request.extensions().get::<MatchedPath>().map_or_else(|| Arc::from("unmatched"), |path| Arc::from(path.as_str()))
}

fn known_method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "OTHER",
    }
}

/// The request id of the proxy or client, so that logs can be correlated; a new one if it is missing or not a short
/// plain word. It is only a label and never trusted.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let plain = |id: &&HeaderValue| {
        (1..=MAX_REQUEST_ID_CHARS).contains(&id.len())
            && id.as_bytes().iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
    };
    headers
        .get(REQUEST_ID)
        .filter(plain)
        .cloned()
        .unwrap_or_else(|| HeaderValue::try_from(random::uuid().to_string()).expect("a UUID is a header's value"))
}

/// Turns a handler's panic into an answer. The panic hook has already logged its location.
pub(super) async fn panics(request: Request, next: Next) -> Response {
    // No state of the request is used after a panic, so no inconsistent state is observable.
    AssertUnwindSafe(next.run(request))
        .catch_unwind()
        .await
        .unwrap_or_else(|_| Problem::Internal { cause: None }.into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_for(sent: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(REQUEST_ID, HeaderValue::from_str(sent).unwrap());
        request_id(&headers).to_str().unwrap().to_owned()
    }

    #[test]
    fn durations_have_at_most_three_decimals() {
        for (nanoseconds, written) in [(63_136_116, "63.136"), (999, "0.0"), (1_000, "0.001"), (100_000_000, "100.0")] {
            let written_here = format!("{:?}", milliseconds(Duration::from_nanos(nanoseconds)));
            assert_eq!(written_here, written);
        }
        for microseconds in 0..100_000 {
            let written = milliseconds(Duration::from_micros(microseconds)).to_string();
            let decimals = written.split_once('.').map_or(0, |(_, decimals)| decimals.len());
            assert!(decimals <= 3, "{written}");
        }
    }

    #[test]
    fn only_a_plain_request_id_is_kept() {
        assert_eq!(id_for("Root-1-67891233.abc_def"), "Root-1-67891233.abc_def");
        for strange in ["", "a b", "a\tb", "<script>", &"x".repeat(65)] {
            assert_eq!(id_for(strange).len(), 36, "{strange}");
        }
        assert_ne!(request_id(&HeaderMap::new()), request_id(&HeaderMap::new()));
    }
}

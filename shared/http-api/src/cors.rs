//! Cross-origin requests from browsers (the Fetch standard, CORS protocol), the same in both deployments.

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{
    HeaderName, HeaderValue, Method,
    header::{ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, CONTENT_TYPE, LOCATION, ORIGIN, RETRY_AFTER},
};
use tower::{Layer, ServiceExt};
use tower_http::cors::CorsLayer;

use super::observe::REQUEST_ID;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The time for which a browser may cache a preflight answer; Chromium caps it at 2 hours.
const PREFLIGHT_MAX_AGE: Duration = Duration::from_hours(1);

/// The rules for these origins, or none when there are none.
pub(super) fn layer(origins: &[HeaderValue]) -> Option<CorsLayer> {
    (!origins.is_empty()).then(|| {
        CorsLayer::new()
            .allow_origin(origins.to_vec())
            .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
            .allow_headers([AUTHORIZATION, CONTENT_TYPE, IDEMPOTENCY_KEY])
            .expose_headers([REQUEST_ID, RETRY_AFTER, LOCATION])
            .max_age(PREFLIGHT_MAX_AGE)
    })
}

/// Applies the layer. It would answer every OPTIONS request as a preflight; other OPTIONS requests go on to the router
/// like any method.
pub(super) async fn cors(State(layer): State<Option<CorsLayer>>, request: Request, next: Next) -> Response {
    let preflight =
        request.headers().contains_key(ORIGIN) && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    match layer {
        Some(layer) if preflight || request.method() != Method::OPTIONS => {
            layer.layer(next).oneshot(request).await.unwrap_or_else(|never: Infallible| match never {})
        }
        _ => next.run(request).await,
    }
}

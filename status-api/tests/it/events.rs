//! Live events where none are served.

use crate::it::support::{TestApi, request};
use http::Method;

#[tokio::test]
async fn where_no_events_are_served_the_caller_is_told_so() {
    let api = TestApi::start();
    let token = api.token_of("alice").await;
    api.get("/v1/events", "another").await.problem(401, "unauthenticated");
    api.get("/v1/events", &token).await.problem(501, "not-here");
    let request = request(Method::PUT, "/v1/events", Some(&token)).body(axum::body::Body::empty()).unwrap();
    api.send(request).await.problem(405, "method-not-allowed");
}

//! Live events in a process that does not serve them.

use crate::it::support::{TestApi, request};
use http::Method;

#[tokio::test]
async fn events_are_501_where_not_served() {
    let api = TestApi::start();
    let token = api.token_of("alice").await;
    api.get("/v1/events", "another").await.problem(401, "unauthenticated");
    api.get("/v1/events", &token).await.problem(501, "not-here");
    let request = request(Method::PUT, "/v1/events", Some(&token)).body(axum::body::Body::empty()).unwrap();
    api.send(request).await.problem(405, "method-not-allowed");
}

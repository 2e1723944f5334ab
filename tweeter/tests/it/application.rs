//! The whole service in this process.

use crate::support::{ApiClient, TestApp, hooks};
use domain::{Clock, Timestamp};
use http::Method;

#[tokio::test]
async fn a_delivered_post_survives_a_restart() {
    let app = TestApp::start().await;
    let (alice, bob) = (app.register("alice").await, app.register("bob").await);
    app.follow(&bob, &alice).await;
    app.post(&alice, "hello").await;
    app.drain().await;
    assert_eq!(app.feed(&bob, "").await.expect(200).texts(), ["hello"]);

    let app = app.restart(hooks()).await;
    assert_eq!(app.feed(&bob, "").await.expect(200).texts(), ["hello"], "the token is still valid");
}

#[tokio::test]
async fn posts_without_workers_are_delivered_after_they_start() {
    let mut without = hooks();
    without.workers = false;
    let app = TestApp::start_with(without).await;
    let (alice, bob) = (app.register("alice").await, app.register("bob").await);
    app.follow(&bob, &alice).await;
    app.post(&alice, "waiting").await;
    assert_eq!(app.feed(&bob, "").await.expect(200).texts(), Vec::<&str>::new());

    let app = app.restart(hooks()).await;
    app.drain().await;
    assert_eq!(app.feed(&bob, "").await.expect(200).texts(), ["waiting"]);
}

#[tokio::test]
async fn an_application_runs_on_a_separate_clock() {
    let start = Timestamp::from_millis(1_763_700_000_000);
    let mut by_hand = hooks();
    by_hand.clock = Clock::manual(start);
    let app = TestApp::start_with(by_hand).await;
    let alice = app.register("alice").await;
    let post = app.post(&alice, "then").await;
    app.drain().await;
    assert_eq!(app.get_post(&alice, &post).await.expect(200).body["created_at"], start.to_string());
}

#[tokio::test]
async fn metrics_are_served_apart_from_the_api() {
    let app =
        TestApp::start_configured(|config| config.metrics_listen = Some(([127, 0, 0, 1], 0).into()), hooks()).await;
    app.register("alice").await;
    app.request(Method::GET, "/metrics", None, None).await.expect(404);
    app.request(Method::GET, "/media/absent/medium.jpg", None, None).await.expect(404);

    let metrics = ApiClient::new(format!("http://{}", app.handle.metrics_address().unwrap()));
    let answer = metrics.request(Method::GET, "/metrics", None, None).await.expect(200);
    let text = answer.body.as_str().unwrap();
    assert!(text.contains("tweeter_queue_messages_visible{queue=\"JobDLQ\"} 0"), "{text}");
    assert!(text.contains("# HELP tweeter_queue_messages_visible Messages ready to be received"), "{text}");
    let register = text.lines().find(|line| {
        line.starts_with("tweeter_http_requests_total") && line.contains("/v1/auth/register") && line.contains("201")
    });
    assert!(register.is_some(), "{text}");
    assert!(text.contains("\"/media/{token}/{file}\""), "{text}");
    assert!(text.contains("tweeter_http_request_duration_seconds_bucket"), "{text}");
    metrics.request(Method::GET, "/v1/feed", None, None).await.expect(404);
}

#[tokio::test]
async fn two_applications_live_in_one_process() {
    let with_metrics = || TestApp::start_configured(|c| c.metrics_listen = Some(([127, 0, 0, 1], 0).into()), hooks());
    let (one, other) = (with_metrics().await, with_metrics().await);
    one.register("alice").await;
    other.register("alice").await;
    one.handle.stop().await.unwrap();
    other.client.health().await.expect(200);
}

//! The limits on posting, reacting, following and undoing them.

use std::time::Duration;

use super::{From, id_of, limited, limited_with_limiter, person, publish, seconds_to_wait, use_up};
use crate::it::support::{Answer, PASSWORD, TestApi, metrics::Metrics, request};
use axum::body::Body;
use http::{Method, header::CONTENT_TYPE};
use rstest::rstest;
use serde_json::json;
use service::rates::Limit;
use telemetry::names;

async fn publish_with_key(api: &TestApi, token: &str, key: &str, text: &str) -> Answer {
    let request = request(Method::POST, "/v1/posts", Some(token))
        .header(CONTENT_TYPE, "application/json")
        .header("idempotency-key", key);
    api.send(request.body(Body::from(json!({ "text": text }).to_string())).unwrap()).await
}

#[tokio::test]
async fn the_61st_post_of_an_hour_is_refused() {
    let (api, metrics) = (limited(), Metrics::of_this_thread());
    let (alice, bob) = (person(&api, "alice").await, person(&api, "bob").await);
    for number in 0..60 {
        publish(&api, &alice, &format!("Post {number}")).await.is(201);
    }
    let refused = publish(&api, &alice, "One more").await.problem(429, "rate-limited");
    let story = api.get("/v1/users/me/posts?limit=100", &alice).await.is(200).json();
    assert_eq!(story["items"].as_array().unwrap().len(), 60, "a refused request changes nothing");
    publish(&api, &bob, "Another user").await.is(201);
    assert_eq!(metrics.value(&format!("{}{{limit=\"posts\"}}", names::RATE_LIMITED)), 1);

    // Tokens live for 15 minutes, so the next hour needs a new one.
    let wait = Duration::from_secs(seconds_to_wait(&refused));
    assert!(wait <= Duration::from_hours(1));
    api.clock.advance(wait);
    let login = From::peer("10.9.9.9").logs_in(&api, json!({"handle": "alice"}), PASSWORD).await.is(200);
    publish(&api, &login.text_of("access_token"), "The next hour").await.is(201);
}

#[tokio::test]
async fn an_invalid_post_does_not_count() {
    let api = limited();
    let alice = person(&api, "alice").await;
    for _ in 0..100 {
        publish(&api, &alice, " ").await.is(422);
    }
    publish(&api, &alice, "Valid").await.is(201);
}

#[tokio::test]
async fn a_reused_key_does_not_count() {
    let api = limited();
    let alice = person(&api, "alice").await;
    publish_with_key(&api, &alice, "k", "Once").await.is(201);
    for _ in 0..100 {
        publish_with_key(&api, &alice, "k", "Another").await.problem(422, "invalid");
    }
    publish(&api, &alice, "Valid").await.is(201);
}

#[tokio::test]
async fn a_retried_post_counts_once() {
    let api = limited();
    let alice = person(&api, "alice").await;
    let first = publish_with_key(&api, &alice, "k", "Once").await.is(201);
    for _ in 0..100 {
        assert_eq!(publish_with_key(&api, &alice, "k", "Once").await.is(201).text, first.text);
    }
    for number in 1..60 {
        publish(&api, &alice, &format!("Post {number}")).await.is(201);
    }
    publish(&api, &alice, "One more").await.problem(429, "rate-limited");
    publish_with_key(&api, &alice, "other", "One more").await.problem(429, "rate-limited");
    assert_eq!(publish_with_key(&api, &alice, "k", "Once").await.is(201).text, first.text);
    publish_with_key(&api, &alice, "k", "Another").await.problem(422, "invalid");
}

#[tokio::test]
async fn likes_follows_and_comments_have_separate_limits() {
    let api = limited();
    let (alice, bob) = (person(&api, "alice").await, person(&api, "bob").await);
    let post = publish(&api, &alice, "Hello").await.is(201).text_of("post_id");
    let (like, comments) = (format!("/v1/posts/{post}/like"), format!("/v1/posts/{post}/comments"));
    let comment = json!({"text": "Well said"});
    for _ in 0..600 {
        api.bare(Method::PUT, &like, Some(&bob)).await.is(204);
        api.bare(Method::PUT, "/v1/users/@alice/follow", Some(&bob)).await.is(204);
    }
    for _ in 0..120 {
        api.post(&comments, Some(&bob), &comment).await.is(201);
    }
    api.bare(Method::PUT, &like, Some(&bob)).await.problem(429, "rate-limited");
    api.bare(Method::PUT, "/v1/users/@alice/follow", Some(&bob)).await.problem(429, "rate-limited");
    api.post(&comments, Some(&bob), &comment).await.problem(429, "rate-limited");
    // Undoing has separate limits, and so has another user.
    api.bare(Method::DELETE, &like, Some(&bob)).await.is(204);
    api.bare(Method::DELETE, "/v1/users/@alice/follow", Some(&bob)).await.is(204);
    api.bare(Method::PUT, &like, Some(&alice)).await.is(204);
    api.post(&comments, Some(&alice), &comment).await.is(201);
}

#[test]
fn undoing_is_limited_to_ten_times_doing() {
    for (doing, undoing) in [
        (Limit::Posts, Limit::PostDeletions),
        (Limit::Likes, Limit::Unlikes),
        (Limit::Follows, Limit::Unfollows),
        (Limit::Comments, Limit::CommentDeletions),
        (Limit::Posts, Limit::ProfileEdits),
        (Limit::Media, Limit::MediaEdits),
    ] {
        let (doing, undoing) = (doing.rate(), undoing.rate());
        assert_eq!((undoing.uses, undoing.window), (10 * doing.uses, doing.window));
    }
}

#[rstest]
#[case(Limit::PostDeletions, "/v1/posts/{post}")]
#[case(Limit::PostDeletions, "/v1/posts/no-post")]
#[case(Limit::Unlikes, "/v1/posts/{post}/like")]
#[case(Limit::Unlikes, "/v1/posts/no-post/like")]
#[case(Limit::Unfollows, "/v1/users/@alice/follow")]
#[case(Limit::Unfollows, "/v1/users/@nobody/follow")]
#[case(Limit::CommentDeletions, "/v1/posts/{post}/comments/{post}")]
#[tokio::test]
async fn undoing_too_often_is_refused(#[case] limit: Limit, #[case] path: &str) {
    let (api, limiter) = limited_with_limiter();
    let (alice, bob) = (person(&api, "alice").await, person(&api, "bob").await);
    let post = publish(&api, &alice, "Hello").await.is(201).text_of("post_id");
    let path = path.replace("{post}", &post);
    let undo = async |token: &str| api.bare(Method::DELETE, &path, Some(token)).await;
    assert_ne!(undo(&bob).await.status, 429, "the first is within the limit");
    let user = id_of(&api, &bob).await;
    while limiter.admit(limit, user, api.clock.now()).await.is_ok() {}
    let refused = undo(&bob).await.problem(429, "rate-limited");
    assert!(seconds_to_wait(&refused) > 0);
    assert_ne!(undo(&alice).await.status, 429, "another user has a separate limit");
}

#[tokio::test]
async fn the_61st_picture_of_an_hour_is_refused() {
    let api = limited();
    let (alice, bob) = (person(&api, "alice").await, person(&api, "bob").await);
    let announcement = json!({"content_type": "image/png", "bytes": 5});
    for _ in 0..60 {
        api.post("/v1/media", Some(&alice), &announcement).await.is(201);
    }
    let refused = api.post("/v1/media", Some(&alice), &announcement).await.problem(429, "rate-limited");
    assert!(seconds_to_wait(&refused) > 0);
    api.post("/v1/media", Some(&alice), &json!({"content_type": "image/png", "bytes": 0}))
        .await
        .problem(422, "invalid");
    api.post("/v1/media", Some(&bob), &announcement).await.is(201);
}

#[tokio::test]
async fn describing_pictures_too_often_is_refused() {
    let (api, limiter) = limited_with_limiter();
    let alice = person(&api, "alice").await;
    use_up(&api, &limiter, Limit::MediaEdits, id_of(&api, &alice).await).await;
    for media in ["no-media", "0198c0de-0000-7000-8000-000000000001"] {
        let path = format!("/v1/media/{media}");
        api.patch(&path, Some(&alice), &json!({"description": "crab"})).await.problem(429, "rate-limited");
        api.patch(&path, Some(&alice), &json!({"description": 5})).await.problem(422, "invalid");
    }
}

#[tokio::test]
async fn edit_limits_apply_after_422_before_403() {
    let (api, limiter) = limited_with_limiter();
    let (alice, bob) = (person(&api, "alice").await, person(&api, "bob").await);
    use_up(&api, &limiter, Limit::ProfileEdits, id_of(&api, &bob).await).await;
    let edit = json!({"bio": "Anew"});
    for path in ["/v1/users/me", "/v1/users/@alice", "/v1/users/@nobody"] {
        let refused = api.patch(path, Some(&bob), &edit).await.problem(429, "rate-limited");
        assert!(seconds_to_wait(&refused) > 0);
        api.patch(path, Some(&bob), &json!({"bio": 5})).await.problem(422, "invalid");
    }
    api.patch("/v1/users/me", Some(&alice), &edit).await.is(200);
}

#[tokio::test]
async fn following_oneself_is_invalid_however_often() {
    let (api, limiter) = limited_with_limiter();
    let alice = person(&api, "alice").await;
    use_up(&api, &limiter, Limit::Follows, id_of(&api, &alice).await).await;
    for me in ["me", "@alice"] {
        api.bare(Method::PUT, &format!("/v1/users/{me}/follow"), Some(&alice)).await.problem(422, "invalid");
    }
    api.bare(Method::PUT, "/v1/users/@nobody/follow", Some(&alice)).await.problem(429, "rate-limited");
}

#[tokio::test]
async fn a_request_without_a_token_spends_nothing() {
    let api = limited();
    for _ in 0..70 {
        api.post("/v1/posts", None, &json!({"text": "x"})).await.problem(401, "unauthenticated");
    }
}

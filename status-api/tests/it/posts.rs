//! Publishing and reading posts: validation and response shapes. Delivery to feeds is tested end to end elsewhere.

use crate::it::support::{Answer, TestApi, request};
use axum::body::Body;
use http::{Method, header::CONTENT_TYPE};
use serde_json::{Value, json};

async fn publish(api: &TestApi, token: &str, body: &Value) -> Answer {
    api.post("/v1/posts", Some(token), body).await
}

async fn publish_with_key(api: &TestApi, token: &str, key: &str, body: &Value) -> Answer {
    let request = request(Method::POST, "/v1/posts", Some(token))
        .header(CONTENT_TYPE, "application/json")
        .header("idempotency-key", key);
    api.send(request.body(Body::from(body.to_string())).unwrap()).await
}

/// A body with the ids that differ between runs replaced.
fn redacted(mut body: Value) -> Value {
    for id in ["/post_id", "/author/user_id", "/items/0/post_id", "/items/0/author/user_id", "/items/0/user/user_id"] {
        if let Some(id) = body.pointer_mut(id) {
            *id = json!("[id]");
        }
    }
    if body["next_cursor"].is_string() {
        body["next_cursor"] = json!("[cursor]");
    }
    body
}

#[tokio::test]
async fn publishing_returns_the_post_and_its_location() {
    let api = TestApi::start();
    let token = api.token_of("alice").await;
    let answer = publish(&api, &token, &json!({"text": " as sent 🦀\n", "media_ids": []})).await.is(201);
    insta::assert_json_snapshot!(redacted(answer.json()));
    let location = answer.header("location").unwrap();
    assert_eq!(location, format!("/v1/posts/{}", answer.text_of("post_id")));
    assert_eq!(api.get(location, &token).await.is(200).text, answer.text);
}

#[tokio::test]
async fn a_post_has_500_characters_and_own_media() {
    let api = TestApi::start();
    let token = api.token_of("alice").await;
    publish(&api, &token, &json!({"text": "🦀".repeat(500)})).await.is(201);
    let media = "018f6a6e-0000-4000-8000-000000000000";
    for (body, field) in [
        (json!({"text": "🦀".repeat(501)}), "text"),
        (json!({"text": ""}), "text"),
        (json!({"text": " \n\t"}), "text"),
        (json!({"text": "\u{3164}\u{FE0F}"}), "text"),
        (json!({"text": "a\0"}), "text"),
        (json!({"text": null}), "text"),
        (json!({}), "text"),
        (json!({"text": "a", "media_ids": [media]}), "media_ids"),
        (json!({"text": "a".repeat(501), "media_ids": [media]}), "text"),
        (json!({"text": "a", "media_ids": [media, media]}), "media_ids"),
        (json!({"text": "a", "media_ids": null}), "media_ids"),
        (json!({"text": "a", "media_ids": ["x"]}), "media_ids[0]"),
        (json!({"text": "a", "reply_to": media}), "reply_to"),
    ] {
        let answer = publish(&api, &token, &body).await.problem(422, "invalid");
        assert_eq!(answer.fields(), [field], "{body}");
    }
}

#[tokio::test]
async fn the_same_key_publishes_once() {
    let api = TestApi::start();
    let token = api.token_of("alice").await;
    let hello = json!({"text": "hello"});
    let key = "~".repeat(255);
    publish_with_key(&api, &token, &key, &json!({"text": ""})).await.problem(422, "invalid");
    let first = publish_with_key(&api, &token, &key, &hello).await.is(201);
    let syncs = api.watched.syncs();
    let again = publish_with_key(&api, &token, &key, &hello).await.is(201);
    assert_eq!((&again.text, again.header("location")), (&first.text, first.header("location")));
    assert_eq!(api.watched.syncs(), syncs + 1, "a replay waits for durability too");
    let other = publish_with_key(&api, &token, &key, &json!({"text": "other"})).await.problem(422, "invalid");
    assert_eq!(other.fields(), ["Idempotency-Key"]);
    assert_eq!(api.get("/v1/users/me/posts", &token).await.json()["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_key_returns_its_deleted_post() {
    let api = TestApi::start();
    let token = api.token_of("alice").await;
    let hello = json!({"text": "hello"});
    let first = publish_with_key(&api, &token, "k", &hello).await.is(201);
    let post = first.header("location").unwrap().to_owned();
    api.bare(Method::DELETE, &post, Some(&token)).await.is(204);
    // A retry asks whether the post was published, and it was. An error would make the client publish another.
    assert_eq!(publish_with_key(&api, &token, "k", &hello).await.is(201).text, first.text);
    api.get(&post, &token).await.problem(404, "not-found");
    assert_eq!(api.get("/v1/users/me/posts", &token).await.json()["items"], json!([]));
}

#[tokio::test]
async fn a_post_with_a_lost_answer_exists_once() {
    let api = TestApi::start();
    let token = api.token_of("alice").await;
    for (number, key) in [None, Some("k")].into_iter().enumerate() {
        let hello = json!({"text": "hello"});
        api.watched.lose_answers(1);
        match key {
            None => publish(&api, &token, &hello).await.is(201),
            Some(key) => publish_with_key(&api, &token, key, &hello).await.is(201),
        };
        let story = api.get("/v1/users/me/posts", &token).await.json();
        assert_eq!(story["items"].as_array().unwrap().len(), number + 1, "{key:?}");
    }
}

#[tokio::test]
async fn an_invalid_key_is_reported_with_other_fields() {
    let api = TestApi::start();
    let token = api.token_of("alice").await;
    for key in ["", "a b", &"x".repeat(256)] {
        let answer = publish_with_key(&api, &token, key, &json!({"text": ""})).await.problem(422, "invalid");
        assert_eq!(answer.fields(), ["Idempotency-Key", "text"]);
    }
}

#[tokio::test]
async fn lists_are_pages() {
    let api = TestApi::start();
    let alice = api.token_of("alice").await;
    let bob = api.token_of("bob").await;
    for text in ["one", "two"] {
        publish(&api, &alice, &json!({"text": text})).await.is(201);
    }
    let first = api.get("/v1/users/@alice/posts?limit=1", &bob).await.is(200);
    insta::assert_json_snapshot!("page_of_posts", redacted(first.json()));
    let cursor = first.text_of("next_cursor");
    let last = api.get(&format!("/v1/users/@alice/posts?limit=1&cursor={cursor}"), &bob).await.is(200).json();
    assert_eq!((&last["items"][0]["text"], &last["next_cursor"]), (&json!("one"), &Value::Null));
    api.get(&format!("/v1/feed?cursor={cursor}"), &bob).await.problem(400, "unparseable");
    insta::assert_json_snapshot!("empty_page", api.get("/v1/feed", &bob).await.is(200).json());
}

#[tokio::test]
async fn a_follow_shows_on_both_sides() {
    let api = TestApi::start();
    let alice = api.token_of("alice").await;
    let bob = api.token_of("bob").await;
    for _ in 0..2 {
        let answer = api.bare(Method::PUT, "/v1/users/@alice/follow", Some(&bob)).await.is(204);
        assert_eq!(answer.text, "");
    }
    let followers = api.get("/v1/users/me/followers", &alice).await.is(200);
    insta::assert_json_snapshot!("page_of_followers", redacted(followers.json()));
    assert_eq!(api.get("/v1/users/@alice", &bob).await.json()["followed_by_me"], true);
    assert_eq!(api.get("/v1/users/@bob", &alice).await.json()["follows_me"], true);
    api.bare(Method::DELETE, "/v1/users/@alice/follow", Some(&bob)).await.is(204);
    api.bare(Method::DELETE, "/v1/users/@alice/follow", Some(&bob)).await.is(204);
    assert_eq!(api.get("/v1/users/me/following", &bob).await.json(), json!({"items": [], "next_cursor": null}));
    for user in ["me", "@bob"] {
        api.bare(Method::PUT, &format!("/v1/users/{user}/follow"), Some(&bob)).await.problem(422, "invalid");
    }
}

//! Deleting posts: permission, visibility afterwards, and restoring.

use std::time::Duration;

use crate::it::support::{Answer, START, TestApi};
use data::{Erasures, keys};
use domain::{PostId, Timestamp, UserId, limits};
use http::Method;
use ports::store::{Consistency, Table, Write};
use serde_json::{Value, json};
use service::{ServiceError, posts::PostService, rates::RateLimiter};

const NOBODYS_POST: &str = "/v1/posts/018f6a6e-0000-7000-8000-000000000000";

/// A logged-in user.
struct Person {
    token: String,
    id: UserId,
}

async fn person(api: &TestApi, handle: &str) -> Person {
    let answer = api.register(handle).await.is(201);
    let id = answer.json()["user"]["user_id"].as_str().unwrap().parse().unwrap();
    Person { token: answer.text_of("access_token"), id }
}

/// Publishes a post, and returns its path.
async fn publish(api: &TestApi, author: &Person, text: &str) -> String {
    let answer = api.post("/v1/posts", Some(&author.token), &json!({ "text": text })).await.is(201);
    answer.header("location").unwrap().to_owned()
}

fn post_id(path: &str) -> PostId {
    path.rsplit('/').next().unwrap().parse().unwrap()
}

async fn delete(api: &TestApi, who: &Person, post: &str) -> Answer {
    api.bare(Method::DELETE, post, Some(&who.token)).await
}

async fn put(api: &TestApi, who: &Person, path: &str) -> Answer {
    api.bare(Method::PUT, path, Some(&who.token)).await
}

async fn restore(api: &TestApi, post: &str, now: Timestamp) -> Result<(), ServiceError> {
    PostService::new(api.store.clone(), RateLimiter::off()).restore(post_id(post), now).await
}

/// A user's view of a post in every place that can show it.
async fn seen(api: &TestApi, who: &Person, post: &str) -> Vec<Value> {
    let mut seen = Vec::new();
    for path in [post.to_owned(), format!("{post}/likes"), format!("{post}/comments")] {
        let answer = api.get(&path, &who.token).await;
        seen.push(if answer.status == 404 { Value::Null } else { answer.is(200).json() });
    }
    for path in ["/v1/feed", "/v1/users/@alice/posts"] {
        let list = api.get(path, &who.token).await.is(200).json();
        seen.push(list);
    }
    seen
}

#[tokio::test]
async fn a_deleted_post_is_hidden_until_restored() {
    let api = TestApi::start();
    let (alice, bob) = (person(&api, "alice").await, person(&api, "bob").await);
    let kept = publish(&api, &alice, "kept").await;
    let post = publish(&api, &alice, "hello").await;
    put(&api, &bob, "/v1/users/@alice/follow").await.is(204);
    put(&api, &bob, &format!("{post}/like")).await.is(204);
    api.post(&format!("{post}/comments"), Some(&bob.token), &json!({"text": "well said"})).await.is(201);
    let before = [seen(&api, &alice, &post).await, seen(&api, &bob, &post).await];
    assert!(before.iter().flatten().all(|value| !value.is_null()));

    assert_eq!(delete(&api, &alice, &post).await.is(204).text, "");
    for who in [&alice, &bob] {
        if who.token == bob.token {
            // Lists of others may show it for this long.
            api.clock.advance(limits::POST_TTL);
        }
        let seen = seen(&api, who, &post).await;
        assert_eq!(seen[..3], [Value::Null, Value::Null, Value::Null]);
        for list in &seen[3..] {
            let ids: Vec<_> = list["items"].as_array().unwrap().iter().map(|item| &item["post_id"]).collect();
            assert_eq!(ids, [&json!(post_id(&kept).to_string())]);
        }
        put(&api, who, &format!("{post}/like")).await.problem(404, "not-found");
        api.post(&format!("{post}/comments"), Some(&who.token), &json!({"text": "late"})).await.is(404);
    }

    restore(&api, &post, START.plus(Duration::from_hours(1))).await.unwrap();
    api.clock.advance(limits::POST_TTL);
    assert_eq!([seen(&api, &alice, &post).await, seen(&api, &bob, &post).await], before);
}

#[tokio::test]
async fn deleting_another_users_post_is_forbidden() {
    let api = TestApi::start();
    let (alice, bob) = (person(&api, "alice").await, person(&api, "bob").await);
    let post = publish(&api, &alice, "hello").await;
    delete(&api, &bob, &post).await.problem(403, "forbidden");
    api.bare(Method::DELETE, &post, None).await.problem(401, "unauthenticated");
    for absent in [NOBODYS_POST, "/v1/posts/hello", "/v1/posts/%ff"] {
        delete(&api, &alice, absent).await.problem(404, "not-found");
    }
    api.get(&post, &alice.token).await.is(200);
    delete(&api, &alice, &post).await.is(204);
    delete(&api, &bob, &post).await.problem(404, "not-found");
}

#[tokio::test]
async fn deleting_a_post_is_idempotent_for_30_days() {
    let api = TestApi::start();
    let alice = person(&api, "alice").await;
    let post = publish(&api, &alice, "hello").await;
    delete(&api, &alice, &post).await.is(204);
    let last = START.plus(limits::DELETED_TTL.saturating_sub(Duration::from_millis(1)));
    for (now, status) in [(START, 204), (last, 204), (START.plus(limits::DELETED_TTL), 404)] {
        let outcome =
            PostService::new(api.store.clone(), RateLimiter::off()).delete(alice.id, post_id(&post), now).await;
        assert_eq!(if outcome.is_ok() { 204 } else { 404 }, status, "{outcome:?}");
    }
}

#[tokio::test]
async fn a_deletion_with_a_lost_answer_happens_once() {
    let api = TestApi::start();
    let alice = person(&api, "alice").await;
    let post = publish(&api, &alice, "hello").await;
    api.watched.lose_answers(1);
    delete(&api, &alice, &post).await.is(204);
    api.get(&post, &alice.token).await.is(404);
}

#[tokio::test]
async fn concurrent_deletions_all_succeed() {
    let api = TestApi::start();
    let alice = person(&api, "alice").await;
    let post = publish(&api, &alice, "hello").await;
    for answer in futures::future::join_all((0..8).map(|_| delete(&api, &alice, &post))).await {
        answer.is(204);
    }
}

#[tokio::test]
async fn a_post_is_erased_30_days_after_deletion() {
    let api = TestApi::start();
    let alice = person(&api, "alice").await;
    let post = publish(&api, &alice, "hello").await;
    let erasures = Erasures::new(api.store.clone());
    let due = START.plus(limits::DELETED_TTL);
    delete(&api, &alice, &post).await.is(204);
    assert!(erasures.none_is_due(due.minus(Duration::from_millis(1))).await.unwrap());
    assert!(!erasures.none_is_due(due).await.unwrap());
    restore(&api, &post, due.minus(Duration::from_millis(1))).await.unwrap();
    assert!(erasures.none_is_due(due).await.unwrap());
}

#[tokio::test]
async fn only_deleted_whole_posts_can_be_restored() {
    let api = TestApi::start();
    let alice = person(&api, "alice").await;
    let post = publish(&api, &alice, "hello").await;
    let nothing =
        |outcome: Result<(), ServiceError>| assert!(matches!(outcome, Err(ServiceError::NotFound)), "{outcome:?}");
    nothing(restore(&api, NOBODYS_POST, START).await);
    nothing(restore(&api, &post, START).await);
    delete(&api, &alice, &post).await.is(204);
    nothing(restore(&api, &post, START.plus(limits::DELETED_TTL)).await);
    // A worker whose clock is ahead has begun the erasure.
    let erasures = Erasures::new(api.store.clone());
    let due = START.plus(limits::DELETED_TTL);
    for shard in 0..limits::TASK_SHARDS {
        for erasure in erasures.page_of_due(shard, due, None).await.unwrap().0 {
            erasures.take(&erasure, due.plus(Duration::from_mins(1))).await.unwrap().unwrap();
        }
    }
    nothing(restore(&api, &post, START).await);
    assert!(api.store.write(Table::Social, Write::delete(keys::post(post_id(&post)))).await.unwrap().is_applied());
    nothing(restore(&api, &post, START).await);
    let item = api.store.get(Table::Social, &keys::post(post_id(&post)), Consistency::Strong).await.unwrap();
    assert_eq!(item, None);
}

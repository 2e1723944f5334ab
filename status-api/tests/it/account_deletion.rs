//! Deleting an account: what is removed, and when.

use std::time::Duration;

use crate::it::support::{Answer, PASSWORD, START, TestApi, registration, request};
use data::Erasures;
use domain::{UserId, limits};
use http::{Method, header::CONTENT_TYPE};
use serde_json::{Value, json};
use service::liveness::Liveness;

/// A logged-in user.
struct Person {
    access: String,
    refresh: String,
    id: UserId,
}

async fn person(api: &TestApi, handle: &str) -> Person {
    let answer = api.register(handle).await.is(201);
    let id = answer.json()["user"]["user_id"].as_str().unwrap().parse().unwrap();
    Person { access: answer.text_of("access_token"), refresh: answer.text_of("refresh_token"), id }
}

async fn send(api: &TestApi, method: Method, path: &str, token: Option<&str>, body: &Value) -> Answer {
    let request = request(method, path, token).header(CONTENT_TYPE, "application/json");
    api.send(request.body(body.to_string().into()).unwrap()).await
}

async fn delete(api: &TestApi, user: &str, token: &str, password: &str) -> Answer {
    send(api, Method::DELETE, &format!("/v1/users/{user}"), Some(token), &json!({ "password": password })).await
}

async fn login(api: &TestApi, name: &Value, password: &str) -> Answer {
    let mut body = name.clone();
    body["password"] = json!(password);
    api.post("/v1/auth/login", None, &body).await
}

async fn put(api: &TestApi, token: &str, path: &str) -> Answer {
    api.bare(Method::PUT, path, Some(token)).await
}

#[tokio::test]
async fn a_deleted_account_can_do_nothing_more() {
    let api = TestApi::start();
    let alice = person(&api, "alice").await;
    let elsewhere = login(&api, &json!({"handle": "alice"}), PASSWORD).await.is(200);
    delete(&api, "me", &alice.access, "another password").await.problem(403, "wrong-password");
    api.get("/v1/users/me", &alice.access).await.is(200);
    assert_eq!(delete(&api, "me", &alice.access, PASSWORD).await.is(202).text, "");
    for token in [&alice.access, &elsewhere.text_of("access_token")] {
        api.get("/v1/users/me", token).await.problem(401, "unauthenticated");
        api.post("/v1/posts", Some(token), &json!({"text": "late"})).await.problem(401, "unauthenticated");
        delete(&api, "me", token, PASSWORD).await.problem(401, "unauthenticated");
    }
    for token in [&alice.refresh, &elsewhere.text_of("refresh_token")] {
        api.refresh(token).await.problem(401, "unauthenticated");
    }
    for name in [json!({"handle": "alice"}), json!({"email": "alice@example.org"})] {
        login(&api, &name, PASSWORD).await.problem(401, "unauthenticated");
    }
    let erasures = Erasures::new(api.store.clone());
    assert!(!erasures.none_is_due(START).await.unwrap(), "the erasure is due at once");
}

#[tokio::test]
async fn tokens_of_a_deleted_account_last_4_s() {
    let api = TestApi::start();
    let alice = person(&api, "alice").await;
    let elsewhere = Liveness::new(std::sync::Arc::new(api.watched.clone()));
    let asked = |millis: u64| elsewhere.is_live(alice.id, START.plus(Duration::from_millis(millis)));
    assert!(asked(0).await.unwrap());
    let reads = api.watched.reads();
    delete(&api, "me", &alice.access, PASSWORD).await.is(202);
    let reads_of_deletion = api.watched.reads() - reads;
    for millis in [1, 2_000, 3_999] {
        assert!(asked(millis).await.unwrap(), "after {millis} ms");
    }
    assert_eq!(api.watched.reads() - reads, reads_of_deletion, "a remembered deletion costs no read");
    for millis in [4_000, 8_000] {
        assert!(!asked(millis).await.unwrap(), "after {millis} ms");
    }
}

#[tokio::test]
async fn content_of_a_deleted_account_is_hidden() {
    let api = TestApi::start();
    let (alice, bob) = (person(&api, "alice").await, person(&api, "bob").await);
    let publish = async |who: &Person| {
        let answer = api.post("/v1/posts", Some(&who.access), &json!({"text": "hello"})).await.is(201);
        answer.header("location").unwrap().to_owned()
    };
    put(&api, &bob.access, "/v1/users/@alice/follow").await.is(204);
    put(&api, &alice.access, "/v1/users/@bob/follow").await.is(204);
    let (of_alice, of_bob) = (publish(&alice).await, publish(&bob).await);
    put(&api, &alice.access, &format!("{of_bob}/like")).await.is(204);
    api.post(&format!("{of_bob}/comments"), Some(&alice.access), &json!({"text": "hi"})).await.is(201);
    delete(&api, "me", &alice.access, PASSWORD).await.is(202);

    let alice_path = format!("/v1/users/{}", alice.id);
    for user in ["/v1/users/@alice", &alice_path] {
        api.get(user, &bob.access).await.problem(404, "not-found");
        for list in ["posts", "followers", "following"] {
            api.get(&format!("{user}/{list}"), &bob.access).await.problem(404, "not-found");
        }
        put(&api, &bob.access, &format!("{user}/follow")).await.problem(404, "not-found");
    }
    for path in [of_alice.clone(), format!("{of_alice}/likes"), format!("{of_alice}/comments")] {
        api.get(&path, &bob.access).await.problem(404, "not-found");
    }
    put(&api, &bob.access, &format!("{of_alice}/like")).await.problem(404, "not-found");
    api.bare(Method::DELETE, &of_alice, Some(&bob.access)).await.problem(404, "not-found");
    let lists = ["/v1/users/me/followers", "/v1/users/me/following", "/v1/notifications"].map(str::to_owned);
    for list in lists.into_iter().chain([format!("{of_bob}/likes"), format!("{of_bob}/comments")]) {
        assert_eq!(api.get(&list, &bob.access).await.is(200).json()["items"], json!([]), "{list}");
    }
    let feed = api.get("/v1/feed", &bob.access).await.is(200).json();
    assert_eq!(feed["items"].as_array().unwrap().len(), 1, "bob's own: {feed}");
}

#[tokio::test]
async fn a_deleted_accounts_handle_is_reserved_90_days() {
    let api = TestApi::start();
    let alice = person(&api, "alice").await;
    delete(&api, "me", &alice.access, PASSWORD).await.is(202);
    let again = registration("alice");
    let answer = api.post("/v1/auth/register", None, &again).await.problem(409, "taken");
    assert_eq!(answer.fields(), ["handle"]);
    let mut other = again.clone();
    other["handle"] = json!("alice_2");
    api.post("/v1/auth/register", None, &other).await.is(201);
    let mut later = again;
    later["email"] = json!("later@example.org");
    api.clock.advance(limits::HANDLE_RESERVED.saturating_sub(Duration::from_secs(1)));
    api.post("/v1/auth/register", None, &later).await.problem(409, "taken");
    api.clock.advance(Duration::from_secs(1));
    let new = api.post("/v1/auth/register", None, &later).await.is(201);
    assert_eq!(api.get("/v1/users/@alice", &new.text_of("access_token")).await.is(200).json()["handle"], "alice");
    api.post("/v1/auth/register", None, &later).await.problem(409, "taken");
}

#[tokio::test]
async fn deleting_another_users_account_is_forbidden() {
    let api = TestApi::start();
    let (alice, bob) = (person(&api, "alice").await, person(&api, "bob").await);
    for user in ["@alice".to_owned(), alice.id.to_string()] {
        delete(&api, &user, &bob.access, PASSWORD).await.problem(403, "forbidden");
    }
    for user in ["@nobody", "018f6a6e-0000-4000-8000-000000000000", "alice"] {
        delete(&api, user, &bob.access, PASSWORD).await.problem(404, "not-found");
        delete(&api, user, &bob.access, "short").await.problem(422, "invalid");
    }
    send(&api, Method::DELETE, "/v1/users/me", None, &json!({"password": PASSWORD}))
        .await
        .problem(401, "unauthenticated");
    api.bare(Method::DELETE, "/v1/users/me", Some(&bob.access)).await.problem(415, "not-json");
    for person in [&alice, &bob] {
        api.get("/v1/users/me", &person.access).await.is(200);
    }
    delete(&api, "@bob", &bob.access, PASSWORD).await.is(202);
}

#[tokio::test]
async fn a_deletion_with_a_lost_answer_happens_once() {
    let api = TestApi::start();
    let alice = person(&api, "alice").await;
    api.watched.lose_answers(1);
    delete(&api, "me", &alice.access, PASSWORD).await.is(202);
    api.get("/v1/users/me", &alice.access).await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn deletion_checks_a_concurrently_changed_password() {
    let api = TestApi::start();
    let alice = person(&api, "alice").await;
    let held = api.watched.hold_next_transaction();
    let changes = async {
        held.has_come().await;
        let body = json!({"current": PASSWORD, "new": "wrong horse, dead battery"});
        send(&api, Method::PUT, "/v1/users/me/password", Some(&alice.access), &body).await.is(204);
        held.release();
    };
    let (deleted, ()) = tokio::join!(delete(&api, "me", &alice.access, PASSWORD), changes);
    deleted.problem(403, "wrong-password");
    api.get("/v1/users/me", &alice.access).await.is(200);
}

#[tokio::test]
async fn a_concurrent_login_does_not_outlive_the_account() {
    let api = TestApi::start();
    let alice = person(&api, "alice").await;
    let held = api.watched.hold_next_transaction();
    let deletes = async {
        held.has_come().await;
        delete(&api, "me", &alice.access, PASSWORD).await.is(202);
        held.release();
    };
    let name = json!({"handle": "alice"});
    let (logged_in, ()) = tokio::join!(login(&api, &name, PASSWORD), deletes);
    let session = logged_in.is(200);
    api.get("/v1/users/me", &session.text_of("access_token")).await.problem(401, "unauthenticated");
    api.refresh(&session.text_of("refresh_token")).await.problem(401, "unauthenticated");
}

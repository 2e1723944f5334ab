//! Changing a password: permission, and the sessions that end.

use crate::it::support::{Answer, PASSWORD, TestApi, request};
use http::{Method, header::CONTENT_TYPE};
use serde_json::{Value, json};

const NEW: &str = "wrong horse, dead battery";

async fn put(api: &TestApi, path: &str, token: Option<&str>, body: &Value) -> Answer {
    let request = request(Method::PUT, path, token).header(CONTENT_TYPE, "application/json");
    api.send(request.body(body.to_string().into()).unwrap()).await
}

async fn change(api: &TestApi, token: &str, current: &str, new: &str) -> Answer {
    put(api, "/v1/users/me/password", Some(token), &json!({"current": current, "new": new})).await
}

async fn login(api: &TestApi, password: &str) -> Answer {
    api.post("/v1/auth/login", None, &json!({"handle": "alice", "password": password})).await
}

#[tokio::test]
async fn the_new_password_replaces_the_old_one() {
    let api = TestApi::start();
    let token = api.token_of("alice").await;
    change(&api, &token, NEW, NEW).await.problem(403, "wrong-password");
    login(&api, PASSWORD).await.is(200);
    assert_eq!(change(&api, &token, PASSWORD, NEW).await.is(204).text, "");
    login(&api, PASSWORD).await.is(401);
    login(&api, NEW).await.is(200);
    change(&api, &token, PASSWORD, NEW).await.problem(403, "wrong-password");
    // Setting the same password counts as a change as well.
    change(&api, &token, NEW, NEW).await.is(204);
    login(&api, NEW).await.is(200);
}

#[tokio::test]
async fn a_new_password_ends_only_the_accounts_sessions() {
    let api = TestApi::start();
    let first = api.register("alice").await.is(201);
    let elsewhere = login(&api, PASSWORD).await.is(200).text_of("refresh_token");
    let bob = api.register("bob").await.is(201).text_of("refresh_token");
    let spent = api.refresh(&elsewhere).await.is(200).text_of("refresh_token");
    change(&api, &first.text_of("access_token"), PASSWORD, NEW).await.is(204);
    for token in [&first.text_of("refresh_token"), &elsewhere, &spent] {
        api.refresh(token).await.problem(401, "unauthenticated");
    }
    api.refresh(&bob).await.is(200);
    let after = login(&api, NEW).await.is(200).text_of("refresh_token");
    let after = api.refresh(&after).await.is(200).text_of("refresh_token");
    api.refresh(&after).await.is(200);
    // Access tokens stay valid until they expire.
    api.get("/v1/users/me", &first.text_of("access_token")).await.is(200);
}

#[tokio::test]
async fn a_concurrent_refresh_does_not_outlive_the_password() {
    let api = TestApi::start();
    let first = api.register("alice").await.is(201);
    let (access, refresh) = (first.text_of("access_token"), first.text_of("refresh_token"));
    let held = api.watched.hold_next_transaction();
    let changes = async {
        held.has_come().await;
        change(&api, &access, PASSWORD, NEW).await.is(204);
        held.release();
    };
    let (refreshed, ()) = tokio::join!(api.refresh(&refresh), changes);
    let fresh = refreshed.is(200).text_of("refresh_token");
    for token in [&fresh, &refresh] {
        api.refresh(token).await.problem(401, "unauthenticated");
    }
}

#[tokio::test]
async fn a_concurrent_login_does_not_outlive_its_password() {
    let api = TestApi::start();
    let access = api.token_of("alice").await;
    let held = api.watched.hold_next_transaction();
    let changes = async {
        held.has_come().await;
        change(&api, &access, PASSWORD, NEW).await.is(204);
        held.release();
    };
    let (logged_in, ()) = tokio::join!(login(&api, PASSWORD), changes);
    api.refresh(&logged_in.is(200).text_of("refresh_token")).await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn only_one_of_two_concurrent_changes_wins() {
    let api = TestApi::start();
    let token = api.token_of("alice").await;
    let news: Vec<String> = (0..4).map(|number| format!("password {number}")).collect();
    let answers = futures::future::join_all(news.iter().map(|new| change(&api, &token, PASSWORD, new))).await;
    let won: Vec<_> = news.iter().zip(&answers).filter(|(_, answer)| answer.status == 204).collect();
    assert_eq!(won.len(), 1, "{answers:?}");
    login(&api, won[0].0).await.is(200);
    assert_eq!(answers.iter().filter(|answer| answer.status == 403).count(), 3);
}

#[tokio::test]
async fn a_change_with_a_lost_answer_happens_once() {
    let api = TestApi::start();
    let token = api.token_of("alice").await;
    api.watched.lose_answers_of_writes(1);
    change(&api, &token, PASSWORD, NEW).await.is(204);
    login(&api, NEW).await.is(200);
}

#[tokio::test]
async fn both_passwords_have_8_to_128_characters() {
    let api = TestApi::start();
    let token = api.token_of("alice").await;
    for (body, fields) in [
        (json!({"current": PASSWORD, "new": "7 chars"}), vec!["new"]),
        (json!({"current": "short", "new": "p".repeat(129)}), vec!["current", "new"]),
        (json!({"current": PASSWORD}), vec!["new"]),
        (json!({"current": PASSWORD, "new": NEW, "user": "me"}), vec!["user"]),
    ] {
        let answer = put(&api, "/v1/users/me/password", Some(&token), &body).await.problem(422, "invalid");
        assert_eq!(answer.fields(), fields, "{body}");
    }
    change(&api, &token, PASSWORD, "8 chars!").await.is(204);
    change(&api, &token, "8 chars!", &"🦀".repeat(128)).await.is(204);
}

#[tokio::test]
async fn changing_another_users_password_is_forbidden() {
    let api = TestApi::start();
    api.token_of("alice").await;
    let bob = api.token_of("bob").await;
    let body = json!({"current": PASSWORD, "new": NEW});
    put(&api, "/v1/users/@alice/password", Some(&bob), &body).await.problem(403, "forbidden");
    put(&api, "/v1/users/me/password", None, &body).await.problem(401, "unauthenticated");
    for user in ["@nobody", "018f6a6e-0000-4000-8000-000000000000", "alice"] {
        put(&api, &format!("/v1/users/{user}/password"), Some(&bob), &body).await.problem(404, "not-found");
        put(&api, &format!("/v1/users/{user}/password"), Some(&bob), &json!({})).await.problem(422, "invalid");
    }
    login(&api, PASSWORD).await.is(200);
    put(&api, "/v1/users/@bob/password", Some(&bob), &body).await.is(204);
}

//! Sessions: listing them, ending one, their maximum number, and the successors of one refresh token.

use std::{collections::BTreeSet, time::Duration};

use crate::it::support::{Answer, PASSWORD, START, TestApi, request};
use axum::body::Body;
use data::{Sessions, keys};
use domain::{SessionId, Timestamp, UserId, limits, random};
use futures::future::join_all;
use http::{
    HeaderValue, Method,
    header::{CONTENT_TYPE, USER_AGENT},
};
use ports::signing::TokenKeys;
use ports::store::{EXPIRES_AT, Item, Table, Write};
use serde_json::{Value, json};
use service::tokens::AccessTokens;
use uuid::Uuid;

const SESSIONS: &str = "/v1/users/me/sessions";

async fn log_in(api: &TestApi, handle: &str) -> Answer {
    api.post("/v1/auth/login", None, &json!({"handle": handle, "password": PASSWORD})).await
}

async fn log_in_from(api: &TestApi, handle: &str, agent: HeaderValue) -> Answer {
    let request = request(Method::POST, "/v1/auth/login", None).header(CONTENT_TYPE, "application/json");
    let body = json!({"handle": handle, "password": PASSWORD}).to_string();
    api.send(request.header(USER_AGENT, agent).body(Body::from(body)).unwrap()).await
}

/// All listed sessions, in pages of `limit`.
async fn listed(api: &TestApi, token: &str, limit: usize) -> Vec<Value> {
    let (mut items, mut query) = (Vec::new(), format!("?limit={limit}"));
    loop {
        let page = api.get(&format!("{SESSIONS}{query}"), token).await.is(200).json();
        items.extend_from_slice(page["items"].as_array().unwrap());
        let Some(cursor) = page["next_cursor"].as_str() else { return items };
        query = format!("?limit={limit}&cursor={cursor}");
    }
}

async fn end(api: &TestApi, token: &str, session: &Value) -> Answer {
    let path = format!("{SESSIONS}/{}", session["session_id"].as_str().unwrap());
    api.bare(Method::DELETE, &path, Some(token)).await
}

fn user_of(answer: &Answer) -> UserId {
    answer.json()["user"]["user_id"].as_str().unwrap().parse().unwrap()
}

/// Puts a session as earlier versions stored it, without times and limits.
async fn put_older_session(api: &TestApi, user: UserId, session: Uuid, used_at: Timestamp) {
    let expires_at = used_at.plus(limits::REFRESH_TOKEN_TTL).as_secs().cast_signed();
    let item = Item::new(keys::session(user, SessionId::from_uuid(session))).with(EXPIRES_AT, expires_at);
    assert!(api.store.write(Table::Auth, Write::put(item)).await.unwrap().is_applied());
}

async fn stored_sessions(api: &TestApi, user: UserId) -> usize {
    Sessions::new(api.store.clone()).oldest_of_user(user, 10_000).await.unwrap().len()
}

#[tokio::test]
async fn sessions_are_listed_newest_first() {
    let api = TestApi::start();
    let first = api.register("alice").await.is(201);
    api.clock.advance(Duration::from_mins(1));
    let agent = HeaderValue::from_bytes("Fire\u{202E}fox\t7 ".as_bytes()).unwrap();
    let second = log_in_from(&api, "alice", agent).await.is(200);
    let begun = api.clock.now();
    api.clock.advance(Duration::from_mins(1));
    api.refresh(&first.text_of("refresh_token")).await.is(200);
    let refreshed = api.clock.now();

    let found = listed(&api, &second.text_of("access_token"), 20).await;
    let expected = json!([
        {"session_id": found[0]["session_id"], "created_at": begun.to_string(), "last_used_at": begun.to_string(),
            "user_agent": "Firefox7", "current": true},
        {"session_id": found[1]["session_id"], "created_at": START.to_string(), "last_used_at": refreshed.to_string(),
            "user_agent": null, "current": false},
    ]);
    assert_eq!(json!(found), expected);
    let by_first = listed(&api, &first.text_of("access_token"), 20).await;
    assert_eq!([&by_first[0]["current"], &by_first[1]["current"]], [&json!(false), &json!(true)]);
}

#[tokio::test]
async fn pages_yield_each_session_once_while_others_begin() {
    let api = TestApi::start();
    let token = api.token_of("alice").await;
    for _ in 0..9 {
        log_in(&api, "alice").await.is(200);
    }
    let all = listed(&api, &token, 100).await;
    assert_eq!(all.len(), 10);
    for limit in [1, 3, 5, 10] {
        assert_eq!(listed(&api, &token, limit).await, all, "in pages of {limit}");
    }
    let page = api.get(&format!("{SESSIONS}?limit=4"), &token).await.is(200).json();
    api.clock.advance(Duration::from_secs(1));
    log_in(&api, "alice").await.is(200);
    let rest = format!("{SESSIONS}?cursor={}", page["next_cursor"].as_str().unwrap());
    let rest = api.get(&rest, &token).await.is(200).json();
    assert_eq!(rest["items"].as_array().unwrap()[..], all[4..]);
}

#[tokio::test]
async fn ending_a_session_revokes_only_its_tokens() {
    let api = TestApi::start();
    let first = api.register("alice").await.is(201);
    api.clock.advance(Duration::from_secs(1));
    let second = log_in(&api, "alice").await.is(200);
    let token = second.text_of("access_token");
    let found = listed(&api, &token, 20).await;
    for _ in 0..2 {
        assert_eq!(end(&api, &token, &found[1]).await.is(204).text, "");
    }
    api.refresh(&first.text_of("refresh_token")).await.problem(401, "unauthenticated");
    assert_eq!(listed(&api, &token, 20).await, found[..1]);
    api.get("/v1/users/me", &first.text_of("access_token")).await.is(200);
    let second = api.refresh(&second.text_of("refresh_token")).await.is(200);
    end(&api, &token, &found[0]).await.is(204);
    api.refresh(&second.text_of("refresh_token")).await.problem(401, "unauthenticated");
    assert_eq!(listed(&api, &token, 20).await, Vec::<Value>::new());
}

#[tokio::test]
async fn sessions_are_for_oneself() {
    let api = TestApi::start();
    let alice = api.register("alice").await.is(201);
    let bob = api.token_of("bob").await;
    let session = listed(&api, &alice.text_of("access_token"), 20).await.remove(0);
    let id = session["session_id"].as_str().unwrap();
    api.get("/v1/users/@alice/sessions", &bob).await.problem(403, "forbidden");
    api.get("/v1/users/@nobody/sessions", &bob).await.problem(404, "not-found");
    api.bare(Method::GET, SESSIONS, None).await.problem(401, "unauthenticated");
    let delete = async |path: &str| api.bare(Method::DELETE, path, Some(&bob)).await;
    delete(&format!("/v1/users/@alice/sessions/{id}")).await.problem(403, "forbidden");
    delete(&format!("/v1/users/@nobody/sessions/{id}")).await.problem(404, "not-found");
    delete(&format!("{SESSIONS}/{id}")).await.is(204);
    delete(&format!("{SESSIONS}/{}", random::uuid())).await.is(204);
    for malformed in ["x", "me", &id[1..], &format!("{{{id}}}")] {
        delete(&format!("{SESSIONS}/{malformed}")).await.problem(404, "not-found");
    }
    api.refresh(&alice.text_of("refresh_token")).await.is(200);
}

#[tokio::test]
async fn a_sessionless_token_has_no_current_session() {
    let api = TestApi::start();
    let alice = api.register("alice").await.is(201);
    let older = AccessTokens::new(&TokenKeys::new(crate::it::support::SECRET)).issue(user_of(&alice), START);
    assert_eq!(listed(&api, &older, 20).await[0]["current"], false);
}

#[tokio::test]
async fn a_new_password_empties_the_list() {
    let api = TestApi::start();
    let token = api.token_of("alice").await;
    let change = request(Method::PUT, "/v1/users/me/password", Some(&token)).header(CONTENT_TYPE, "application/json");
    let body = json!({"current": PASSWORD, "new": PASSWORD}).to_string();
    api.send(change.body(Body::from(body)).unwrap()).await.is(204);
    assert_eq!(listed(&api, &token, 20).await, Vec::<Value>::new());
    log_in(&api, "alice").await.is(200);
    assert_eq!(listed(&api, &token, 20).await.len(), 1);
}

#[tokio::test]
async fn an_expired_session_is_not_listed() {
    let api = TestApi::start();
    api.register("alice").await.is(201);
    api.clock.advance(limits::REFRESH_TOKEN_TTL);
    let token = log_in(&api, "alice").await.is(200).text_of("access_token");
    assert_eq!(listed(&api, &token, 20).await.len(), 1);
}

#[tokio::test]
async fn the_101st_session_ends_the_oldest() {
    let api = TestApi::start();
    let oldest = api.register("alice").await.is(201);
    api.clock.advance(Duration::from_secs(1));
    let second = log_in(&api, "alice").await.is(200).text_of("refresh_token");
    for _ in 0..98 {
        api.clock.advance(Duration::from_secs(1));
        log_in(&api, "alice").await.is(200);
    }
    let oldest = api.refresh(&oldest.text_of("refresh_token")).await.is(200);
    let newest = log_in(&api, "alice").await.is(200);
    api.refresh(&oldest.text_of("refresh_token")).await.problem(401, "unauthenticated");
    api.refresh(&second).await.is(200);
    api.refresh(&newest.text_of("refresh_token")).await.is(200);
    assert_eq!(listed(&api, &newest.text_of("access_token"), 100).await.len(), 100);
    assert_eq!(stored_sessions(&api, user_of(&newest)).await, 100);
}

#[tokio::test]
async fn logins_at_once_leave_100_sessions() {
    let api = TestApi::start();
    let alice = api.register("alice").await.is(201);
    for _ in 0..94 {
        log_in(&api, "alice").await.is(200);
    }
    api.clock.advance(Duration::from_secs(1));
    let at_once = join_all((0..12).map(|_| log_in(&api, "alice"))).await;
    assert_eq!(stored_sessions(&api, user_of(&alice)).await, 100);
    for answer in at_once {
        api.refresh(&answer.is(200).text_of("refresh_token")).await.is(200);
    }
}

#[tokio::test]
async fn a_new_session_survives_a_clock_step_back() {
    let api = TestApi::start();
    let alice = api.register("alice").await.is(201);
    let later = START.plus(Duration::from_hours(1));
    for at in 0..limits::MAX_SESSIONS {
        let session = SessionId::beginning_at(later.plus(Duration::from_millis(at as u64)));
        put_older_session(&api, user_of(&alice), *session.as_uuid(), later).await;
    }
    let newest = log_in(&api, "alice").await.is(200);
    api.refresh(&newest.text_of("refresh_token")).await.is(200);
    assert_eq!(stored_sessions(&api, user_of(&alice)).await, 100);
}

#[tokio::test]
async fn an_account_with_too_many_sessions_is_drained() {
    let api = TestApi::start();
    let alice = api.register("alice").await.is(201);
    for _ in 0..139 {
        put_older_session(&api, user_of(&alice), random::uuid(), START).await;
    }
    let mut stored = vec![stored_sessions(&api, user_of(&alice)).await];
    let mut reads = Vec::new();
    for _ in 0..6 {
        let before = api.watched.reads();
        log_in(&api, "alice").await.is(200);
        reads.push(api.watched.reads() - before);
        stored.push(stored_sessions(&api, user_of(&alice)).await);
    }
    assert_eq!(stored, [140, 131, 122, 113, 104, 100, 100]);
    assert!(reads.iter().all(|number| *number == reads[0]), "{reads:?}");
    api.refresh(&alice.text_of("refresh_token")).await.is(200);
}

#[tokio::test]
async fn dead_sessions_end_before_live_ones() {
    let api = TestApi::start();
    let alice = api.register("alice").await.is(201);
    let expired = START.minus(limits::REFRESH_TOKEN_TTL);
    for at in 0..110 {
        let session = SessionId::beginning_at(START.plus(Duration::from_millis(at + 1)));
        put_older_session(&api, user_of(&alice), *session.as_uuid(), expired).await;
    }
    api.clock.advance(Duration::from_secs(1));
    for _ in 0..2 {
        log_in(&api, "alice").await.is(200);
    }
    assert_eq!(stored_sessions(&api, user_of(&alice)).await, 100);
    assert_eq!(listed(&api, &alice.text_of("access_token"), 100).await.len(), 3);
    api.refresh(&alice.text_of("refresh_token")).await.is(200);
}

#[tokio::test]
async fn legacy_sessions_are_listed_last() {
    let api = TestApi::start();
    let alice = api.register("alice").await.is(201);
    let (token, user) = (alice.text_of("access_token"), user_of(&alice));
    let (session, used_at) = (random::uuid(), Timestamp::from_millis(START.as_secs() * 1_000 - 5_000));
    put_older_session(&api, user, session, used_at).await;
    // The SHA-256 of the token below.
    let digest = "4bb06f8e4e3a7715d201d573d0aa423762e55dabd61a2c02278fa56cc6d294e0";
    let older = Item::new(keys::refresh_token(digest))
        .with("user_id", user.to_string())
        .with("family", session.to_string())
        .with(EXPIRES_AT, START.plus(limits::REFRESH_TOKEN_TTL).as_secs().cast_signed());
    assert!(api.store.write(Table::Auth, Write::put(older)).await.unwrap().is_applied());
    let shown = |of: &Value| [of["created_at"].clone(), of["last_used_at"].clone()];
    let found = listed(&api, &token, 1).await;
    assert_eq!(found[1]["session_id"], session.to_string());
    assert_eq!(shown(&found[1]), [json!(used_at.to_string()), json!(used_at.to_string())]);

    let mut refresh = base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, [7; 32]);
    for _ in 0..2 {
        api.clock.advance(Duration::from_mins(1));
        refresh = api.refresh(&refresh).await.is(200).text_of("refresh_token");
        let found = listed(&api, &token, 1).await;
        assert_eq!(shown(&found[1]), [json!(used_at.to_string()), json!(api.clock.now().to_string())]);
    }
    end(&api, &token, &found[1]).await.is(204);
    api.refresh(&refresh).await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn one_token_has_at_most_three_successors() {
    let api = TestApi::start();
    for at_once in [false, true] {
        let first = api.register(&format!("user_{at_once}")).await.is(201).text_of("refresh_token");
        let mut next = BTreeSet::new();
        if at_once {
            let answers = join_all((0..20).map(|_| api.refresh(&first))).await;
            next.extend(answers.into_iter().map(|answer| answer.is(200).text_of("refresh_token")));
        } else {
            for _ in 0..20 {
                next.insert(api.refresh(&first).await.is(200).text_of("refresh_token"));
            }
        }
        assert_eq!(next.len(), 3, "at once: {at_once}");
        for token in next {
            api.refresh(&token).await.is(200);
        }
    }
}

#[tokio::test]
async fn a_spent_last_successor_leads_to_its_own() {
    let api = TestApi::start();
    let first = api.register("alice").await.is(201).text_of("refresh_token");
    let mut last = String::new();
    for _ in 0..3 {
        last = api.refresh(&first).await.is(200).text_of("refresh_token");
    }
    assert_eq!(api.refresh(&first).await.is(200).text_of("refresh_token"), last);
    let after = api.refresh(&last).await.is(200).text_of("refresh_token");
    let followed = api.refresh(&first).await.is(200).text_of("refresh_token");
    assert!(followed != last && followed != after);
    api.clock.advance(Duration::from_secs(61));
    api.refresh(&followed).await.is(200);
    api.refresh(&after).await.is(200);
    api.refresh(&first).await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn a_lost_answer_takes_no_successor() {
    let api = TestApi::start();
    let first = api.register("alice").await.is(201).text_of("refresh_token");
    let mut next = BTreeSet::new();
    for _ in 0..4 {
        api.watched.lose_answers(1);
        next.insert(api.refresh(&first).await.is(200).text_of("refresh_token"));
    }
    assert_eq!(next.len(), 3);
    for token in next {
        api.refresh(&token).await.is(200);
    }
}

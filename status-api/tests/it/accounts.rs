//! Registering, logging in, refreshing, logging out, profiles.

use std::{num::NonZeroUsize, time::Duration};

use crate::it::support::{PASSWORD, TestApi, metrics::Metrics, registration};
use data::keys;
use http::Method;
use http_api::HttpOptions;
use ports::store::{Item, Table, Write};
use serde_json::{Value, json};
use service::passwords::HashingOptions;

/// A body with the values that differ between runs replaced.
fn redacted(mut body: Value) -> Value {
    for member in ["access_token", "refresh_token"] {
        if body.get(member).is_some() {
            body[member] = json!(format!("[{member}]"));
        }
    }
    for user in ["/user_id", "/user/user_id"] {
        if let Some(id) = body.pointer_mut(user) {
            *id = json!("[user_id]");
        }
    }
    body
}

#[tokio::test]
async fn registering_returns_profile_and_tokens() {
    let api = TestApi::start();
    let mut wanted = registration("Alice_1");
    wanted["display_name"] = json!("Alice 🦀");
    wanted["email"] = json!("  Alice@Example.org ");
    let answer = api.post("/v1/auth/register", None, &wanted).await.is(201);
    insta::assert_json_snapshot!(redacted(answer.json()));
}

#[tokio::test]
async fn the_display_name_defaults_to_the_handle() {
    let api = TestApi::start();
    assert_eq!(api.register("bob").await.is(201).json()["user"]["display_name"], "bob");
}

#[tokio::test]
async fn profiles_show_private_fields_only_to_their_owner() {
    let api = TestApi::start();
    let alice = api.token_of("alice").await;
    let bob = api.token_of("bob").await;
    let own = api.get("/v1/users/me", &alice).await.is(200);
    insta::assert_json_snapshot!("own_profile", redacted(own.json()));
    let id = own.text_of("user_id");
    let by_handle = api.get("/v1/users/@ALICE", &bob).await.is(200);
    insta::assert_json_snapshot!("profile_of_another", redacted(by_handle.json()));
    assert_eq!(api.get(&format!("/v1/users/{id}"), &bob).await.is(200).text, by_handle.text);
    assert_eq!(api.get(&format!("/v1/users/{id}"), &alice).await.is(200).text, own.text);
}

#[tokio::test]
async fn absent_users_are_not_found() {
    let api = TestApi::start();
    let token = api.token_of("alice").await;
    for user in ["@nobody", "018f6a6e-0000-4000-8000-000000000000", "alice", "@a", "%ff", "@al%00ice", "ME"] {
        for rest in ["", "/followers", "/following", "/posts"] {
            api.get(&format!("/v1/users/{user}{rest}"), &token).await.problem(404, "not-found");
        }
        for method in [Method::PUT, Method::DELETE] {
            let answer = api.bare(method, &format!("/v1/users/{user}/follow"), Some(&token)).await;
            answer.problem(404, "not-found");
        }
    }
    api.get("/v1/posts/abc", &token).await.problem(404, "not-found");
}

#[tokio::test]
async fn a_conflict_names_every_field_that_is_taken() {
    let api = TestApi::start();
    api.register("alice").await.is(201);
    let with = |handle: &str, email: &str| json!({"handle": handle, "email": email, "password": PASSWORD});
    for (wanted, taken) in [
        (with("ALICE", "other@example.org"), vec!["handle"]),
        (with("other", " ALICE@example.ORG "), vec!["email"]),
        (with("alice", "alice@example.org"), vec!["handle", "email"]),
    ] {
        let answer = api.post("/v1/auth/register", None, &wanted).await.problem(409, "taken");
        assert_eq!(answer.fields(), taken);
    }
    api.register("other").await.is(201);
}

#[tokio::test]
async fn concurrent_registrations_of_a_handle_yield_one() {
    let api = TestApi::start();
    let wanted: Vec<_> =
        (0..8).map(|n| json!({"handle": "alice", "email": format!("{n}@example.org"), "password": PASSWORD})).collect();
    let answers = futures::future::join_all(wanted.iter().map(|body| api.post("/v1/auth/register", None, body))).await;
    let won = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(won, 1);
    assert!(answers.iter().filter(|answer| answer.status != 201).all(|answer| answer.fields() == ["handle"]));
}

#[tokio::test]
async fn a_retried_registration_does_not_conflict_with_itself() {
    let api = TestApi::start();
    api.watched.lose_answers(1);
    let token = api.token_of("alice").await;
    assert_eq!(api.watched.transactions(), 2);
    api.get("/v1/users/me", &token).await.is(200);
}

#[tokio::test]
async fn logging_in_takes_address_or_handle() {
    let api = TestApi::start();
    api.register("alice").await.is(201);
    for name in [json!({"email": "ALICE@example.org"}), json!({"handle": "Alice"})] {
        let mut body = name.clone();
        body["password"] = json!(PASSWORD);
        let answer = api.post("/v1/auth/login", None, &body).await.is(200);
        assert_eq!(answer.json()["user"]["email"], "alice@example.org");
        api.get("/v1/users/me", &answer.text_of("access_token")).await.is(200);
        api.refresh(&answer.text_of("refresh_token")).await.is(200);
    }
}

#[tokio::test]
async fn unknown_users_and_wrong_passwords_are_indistinguishable() {
    let metrics = Metrics::of_this_thread();
    let api = TestApi::start();
    api.register("alice").await.is(201);
    let mut seen = Vec::new();
    for body in [
        json!({"handle": "alice", "password": "wrong password"}),
        json!({"handle": "nobody", "password": PASSWORD}),
        json!({"email": "alice@example.org", "password": "wrong password"}),
        json!({"email": "nobody@example.org", "password": PASSWORD}),
    ] {
        let (hashes, reads) = (metrics.passwords_hashed(), api.watched.reads());
        let answer = api.post("/v1/auth/login", None, &body).await.problem(401, "unauthenticated");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        seen.push((answer.text, metrics.passwords_hashed() - hashes, api.watched.reads() - reads));
    }
    assert_eq!(seen[0].1, 1);
    assert!(seen.iter().all(|way| *way == seen[0]), "{seen:#?}");
}

#[tokio::test]
async fn logging_in_names_one_account() {
    let api = TestApi::start();
    let both = json!({"handle": "alice", "email": "a@b", "password": PASSWORD});
    assert_eq!(api.post("/v1/auth/login", None, &both).await.problem(422, "invalid").fields(), ["handle"]);
    let neither = json!({"password": "short"});
    let answer = api.post("/v1/auth/login", None, &neither).await.problem(422, "invalid");
    assert_eq!(answer.fields(), ["email", "password"]);
}

#[tokio::test]
async fn refreshing_yields_a_new_pair_that_works() {
    let api = TestApi::start();
    let first = api.register("alice").await.is(201).text_of("refresh_token");
    let answer = api.refresh(&first).await.is(200);
    insta::assert_json_snapshot!(redacted(answer.json()));
    assert_ne!(answer.text_of("refresh_token"), first);
    api.get("/v1/users/me", &answer.text_of("access_token")).await.is(200);
    api.refresh(&answer.text_of("refresh_token")).await.is(200);
}

#[tokio::test]
async fn a_token_spent_60_s_ago_still_refreshes() {
    let api = TestApi::start();
    let first = api.register("alice").await.is(201).text_of("refresh_token");
    let second = api.refresh(&first).await.is(200).text_of("refresh_token");
    api.clock.advance(Duration::from_mins(1));
    let again = api.refresh(&first).await.is(200).text_of("refresh_token");
    api.refresh(&second).await.is(200);
    api.refresh(&again).await.is(200);
}

#[tokio::test]
async fn reusing_an_old_token_ends_only_its_family() {
    let api = TestApi::start();
    let first = api.register("alice").await.is(201).text_of("refresh_token");
    let login = json!({"handle": "alice", "password": PASSWORD});
    let elsewhere = api.post("/v1/auth/login", None, &login).await.is(200).text_of("refresh_token");
    let second = api.refresh(&first).await.is(200).text_of("refresh_token");
    api.clock.advance(Duration::from_millis(60_001));
    let syncs = api.watched.syncs();
    api.refresh(&first).await.problem(401, "unauthenticated");
    assert_eq!(api.watched.syncs(), syncs + 1, "the end of the family is durable before the answer");
    api.refresh(&second).await.problem(401, "unauthenticated");
    api.refresh(&elsewhere).await.is(200);
}

#[tokio::test]
async fn concurrent_refreshes_all_stay_in_one_family() {
    let api = TestApi::start();
    let first = api.register("alice").await.is(201).text_of("refresh_token");
    let answers = futures::future::join_all((0..8).map(|_| api.refresh(&first))).await;
    let next: Vec<_> = answers.into_iter().map(|answer| answer.is(200).text_of("refresh_token")).collect();
    api.clock.advance(Duration::from_secs(61));
    api.refresh(&first).await.is(401);
    for token in next {
        api.refresh(&token).await.is(401);
    }
}

#[tokio::test]
async fn a_refresh_with_a_lost_answer_is_retried() {
    let api = TestApi::start();
    let first = api.register("alice").await.is(201).text_of("refresh_token");
    api.watched.lose_answers(1);
    let second = api.refresh(&first).await.is(200).text_of("refresh_token");
    api.refresh(&second).await.is(200);
}

#[tokio::test]
async fn refresh_tokens_live_7_days() {
    let api = TestApi::start();
    let day = Duration::from_hours(24);
    let mut token = api.register("alice").await.is(201).text_of("refresh_token");
    for _ in 0..3 {
        api.clock.advance((day * 7).saturating_sub(Duration::from_secs(1)));
        token = api.refresh(&token).await.is(200).text_of("refresh_token");
    }
    api.clock.advance(day * 7);
    api.refresh(&token).await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn an_invalid_refresh_token_is_unauthenticated() {
    let api = TestApi::start();
    let access = api.token_of("alice").await;
    for text in ["", "abc", &"A".repeat(43), &access] {
        api.refresh(text).await.problem(401, "unauthenticated");
    }
}

#[tokio::test]
async fn logging_out_ends_only_the_callers_session() {
    let api = TestApi::start();
    let alice = api.register("alice").await.is(201);
    let bob = api.token_of("bob").await;
    let refresh = alice.text_of("refresh_token");
    let logout = async |token: &str, refresh: &str| {
        api.post("/v1/auth/logout", Some(token), &json!({"refresh_token": refresh})).await
    };
    logout(&bob, &refresh).await.is(204);
    logout(&bob, "no token at all").await.is(204);
    let refresh = api.refresh(&refresh).await.is(200).text_of("refresh_token");
    let answer = logout(&alice.text_of("access_token"), &refresh).await.is(204);
    assert_eq!(answer.text, "");
    logout(&alice.text_of("access_token"), &refresh).await.is(204);
    api.refresh(&refresh).await.problem(401, "unauthenticated");
    api.get("/v1/users/me", &alice.text_of("access_token")).await.is(200);
}

#[tokio::test]
async fn too_many_concurrent_hashes_are_refused_with_retry() {
    let hashing = HashingOptions { running: NonZeroUsize::MIN, waiting: 0, ..HashingOptions::default() };
    let api = TestApi::start_with(&hashing, &HttpOptions::default(), true);
    let (first, second) = tokio::join!(api.register("alice"), api.register("bob"));
    first.is(201);
    assert_eq!(second.problem(503, "unavailable").header("retry-after"), Some("1"));
    api.register("bob").await.is(201);
}

#[tokio::test]
async fn registration_limits_hold_on_both_sides() {
    let api = TestApi::start();
    let emoji = |number: usize| "🦀".repeat(number);
    let address = |local: usize| format!("{}@b", "a".repeat(local));
    let good = [
        ("handle", "abc".to_owned()),
        ("handle", "a".repeat(30)),
        ("email", address(252)),
        ("password", emoji(8)),
        ("password", emoji(128)),
        ("display_name", emoji(50)),
        ("display_name", "x".to_owned()),
    ];
    for (number, (field, value)) in good.into_iter().enumerate() {
        let mut body = registration(&format!("user_{number}"));
        body[field] = json!(value);
        api.post("/v1/auth/register", None, &body).await.is(201);
    }
    let bad = [
        ("handle", json!("ab")),
        ("handle", json!("a".repeat(31))),
        ("handle", json!("älice")),
        ("handle", json!("a b")),
        ("handle", json!(7)),
        ("handle", json!(null)),
        ("email", json!(address(253))),
        ("email", json!("alice")),
        ("password", json!(emoji(7))),
        ("password", json!(emoji(129))),
        ("display_name", json!(emoji(51))),
        ("display_name", json!("")),
        ("display_name", json!(" \u{3000}")),
        ("display_name", json!("\u{202E}ecilA")),
        ("display_name", json!("Alice\nadmin")),
        ("display_name", json!("Alice\0")),
        ("display_name", json!("\u{3164}\u{200B}")),
        ("display_name", json!(null)),
        ("more", json!(1)),
    ];
    for (field, value) in bad {
        let mut body = registration("refused");
        body[field] = value.clone();
        let answer = api.post("/v1/auth/register", None, &body).await;
        assert_eq!(answer.problem(422, "invalid").fields(), [field], "{value}");
    }
    for field in ["handle", "email", "password"] {
        let mut body = registration("refused");
        body.as_object_mut().unwrap().remove(field);
        assert_eq!(api.post("/v1/auth/register", None, &body).await.problem(422, "invalid").fields(), [field]);
    }
    let all = json!({"handle": "a", "email": "b", "password": "c", "display_name": ""});
    let answer = api.post("/v1/auth/register", None, &all).await.problem(422, "invalid");
    assert_eq!(answer.fields(), ["handle", "email", "password", "display_name"]);
}

#[tokio::test]
async fn editing_a_profile_changes_only_named_fields() {
    let api = TestApi::start();
    let (alice, bob) = (api.token_of("alice").await, api.token_of("bob").await);
    let edit = async |body: Value| api.patch("/v1/users/me", Some(&alice), &body).await.is(200).json();
    let said = |profile: &Value| [profile["display_name"].clone(), profile["bio"].clone()];
    assert_eq!(said(&edit(json!({"bio": "🦀".repeat(160)})).await), [json!("alice"), json!("🦀".repeat(160))]);
    let profile = edit(json!({"display_name": " Alice 🦀", "avatar_media_id": null})).await;
    assert_eq!(said(&profile), [json!(" Alice 🦀"), json!("🦀".repeat(160))]);
    assert_eq!(edit(json!({})).await, profile);
    assert_eq!(api.get("/v1/users/me", &alice).await.json(), profile);
    let emptied = edit(json!({"bio": ""})).await;
    assert_eq!(said(&emptied), [json!(" Alice 🦀"), json!("")]);
    assert_eq!(said(&api.get("/v1/users/@alice", &bob).await.json()), said(&emptied));
    let post = api.post("/v1/posts", Some(&alice), &json!({"text": "hello"})).await.is(201).json();
    assert_eq!(post["author"]["display_name"], " Alice 🦀");
}

#[tokio::test]
async fn profile_limits_hold_on_both_sides() {
    let api = TestApi::start();
    let token = api.token_of("alice").await;
    let before = api.get("/v1/users/me", &token).await.text;
    for (body, fields) in [
        (json!({"display_name": ""}), vec!["display_name"]),
        (json!({"display_name": " \t"}), vec!["display_name"]),
        (json!({"display_name": "x".repeat(51)}), vec!["display_name"]),
        (json!({"display_name": "\u{2066}x"}), vec!["display_name"]),
        (json!({"display_name": "\u{2800}"}), vec!["display_name"]),
        (json!({"bio": "\u{1B}[2J"}), vec!["bio"]),
        (json!({"display_name": null}), vec!["display_name"]),
        (json!({"bio": "x".repeat(161)}), vec!["bio"]),
        (json!({"bio": null}), vec!["bio"]),
        (json!({"bio": 5}), vec!["bio"]),
        (json!({"avatar_media_id": "018f6a6e-0000-4000-8000-000000000000"}), vec!["avatar_media_id"]),
        (json!({"avatar_media_id": "no id"}), vec!["avatar_media_id"]),
        (json!({"avatar_media_id": 5}), vec!["avatar_media_id"]),
        (json!({"handle": "other"}), vec!["handle"]),
        (json!({"bio": "good", "display_name": ""}), vec!["display_name"]),
        (json!({"bio": "x".repeat(161), "display_name": ""}), vec!["display_name", "bio"]),
    ] {
        let answer = api.patch("/v1/users/me", Some(&token), &body).await.problem(422, "invalid");
        assert_eq!(answer.fields(), fields, "{body}");
    }
    assert_eq!(api.get("/v1/users/me", &token).await.text, before);
}

#[tokio::test]
async fn editing_another_users_profile_is_forbidden() {
    let api = TestApi::start();
    let alice = api.register("alice").await.is(201).json()["user"]["user_id"].as_str().unwrap().to_owned();
    let bob = api.token_of("bob").await;
    let edit = json!({"bio": "mine now"});
    for user in ["@alice", &alice] {
        api.patch(&format!("/v1/users/{user}"), Some(&bob), &edit).await.problem(403, "forbidden");
        api.patch(&format!("/v1/users/{user}"), None, &edit).await.problem(401, "unauthenticated");
        assert_eq!(api.get(&format!("/v1/users/{user}"), &bob).await.json()["bio"], "");
    }
    for user in ["@nobody", "018f6a6e-0000-4000-8000-000000000000", "alice", "%ff"] {
        api.patch(&format!("/v1/users/{user}"), Some(&bob), &edit).await.problem(404, "not-found");
    }
    api.patch("/v1/users/@bob", Some(&bob), &edit).await.is(200);
    assert_eq!(api.get("/v1/users/me", &bob).await.json()["bio"], "mine now");
}

#[tokio::test]
async fn a_profile_shows_the_stored_counts() {
    let api = TestApi::start();
    let alice = api.register("alice").await.is(201);
    let id = alice.json()["user"]["user_id"].as_str().unwrap().parse().unwrap();
    let counts = Item::new(keys::user_counts(id)).with("followers", 3).with("following", -1).with("posts", 5);
    assert!(api.store.write(Table::Social, Write::put(counts)).await.unwrap().is_applied());
    let shown = |profile: &Value| {
        ["followers_count", "following_count", "posts_count"].map(|count| profile[count].as_u64().unwrap())
    };
    let bob = api.token_of("bob").await;
    assert_eq!(shown(&api.get("/v1/users/me", &alice.text_of("access_token")).await.json()), [3, 0, 5]);
    assert_eq!(shown(&api.get("/v1/users/@alice", &bob).await.json()), [3, 0, 5]);
    let login = json!({"handle": "alice", "password": PASSWORD});
    assert_eq!(shown(&api.post("/v1/auth/login", None, &login).await.json()["user"]), [3, 0, 5]);
}

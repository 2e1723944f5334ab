//! The limits on wrong passwords, per account and per network.

use std::{num::NonZeroUsize, time::Duration};

use super::{From, limited, person, seconds_to_wait};
use crate::it::support::{PASSWORD, TestApi, metrics::Metrics};
use http::Method;
use http_api::HttpOptions;
use serde_json::json;
use service::passwords::HashingOptions;

#[tokio::test]
async fn ten_failed_logins_block_the_right_password() {
    let (api, metrics) = (limited(), Metrics::of_this_thread());
    person(&api, "alice").await;
    let here = From::peer("192.0.2.1");
    let by_handle = || json!({"handle": "alice"});
    for _ in 0..20 {
        here.logs_in(&api, by_handle(), PASSWORD).await.is(200);
    }
    // Handle and address name the same account.
    for at in 0..10 {
        let name = if at % 2 == 0 { by_handle() } else { json!({"email": "Alice@example.org"}) };
        here.logs_in(&api, name, "a wrong password").await.is(401);
    }
    let hashed = metrics.passwords_hashed();
    for password in ["a wrong password", PASSWORD] {
        here.logs_in(&api, by_handle(), password).await.problem(429, "rate-limited");
    }
    let refused = here.logs_in(&api, json!({"email": "alice@example.org"}), PASSWORD).await;
    assert_eq!(metrics.passwords_hashed(), hashed, "a refused login is not hashed");
    // From another network, and after the window.
    From::peer("192.0.2.2").logs_in(&api, by_handle(), PASSWORD).await.is(200);
    api.clock.advance(Duration::from_secs(seconds_to_wait(&refused)));
    here.logs_in(&api, by_handle(), PASSWORD).await.is(200);
}

#[tokio::test]
async fn password_changes_share_the_login_limit() {
    let (api, metrics) = (limited(), Metrics::of_this_thread());
    let alice = person(&api, "alice").await;
    let here = From::peer("192.0.2.1");
    let change = async |from: From<'static>, current: &str| {
        let body = json!({"current": current, "new": PASSWORD});
        from.send(&api, Method::PUT, "/v1/users/me/password", Some(&alice), &body).await
    };
    let delete = async |from: From<'static>, password: &str| {
        from.send(&api, Method::DELETE, "/v1/users/me", Some(&alice), &json!({ "password": password })).await
    };
    for _ in 0..15 {
        change(here, PASSWORD).await.is(204);
    }
    // The user is checked first, and a wrong one does not count as a guess.
    let body = json!({"current": PASSWORD, "new": PASSWORD});
    for _ in 0..15 {
        here.send(&api, Method::PUT, "/v1/users/@nobody/password", Some(&alice), &body).await.is(404);
    }
    for at in 0..10 {
        match at % 3 {
            0 => change(here, "a wrong password").await.problem(403, "wrong-password"),
            1 => delete(here, "a wrong password").await.problem(403, "wrong-password"),
            _ => here.logs_in(&api, json!({"handle": "alice"}), "a wrong password").await.is(401),
        };
    }
    let hashed = metrics.passwords_hashed();
    let refused = change(here, PASSWORD).await.problem(429, "rate-limited");
    delete(here, PASSWORD).await.problem(429, "rate-limited");
    here.logs_in(&api, json!({"handle": "alice"}), PASSWORD).await.problem(429, "rate-limited");
    assert_eq!(metrics.passwords_hashed(), hashed, "a refused login is not hashed");
    // From another network, and after the window.
    change(From::peer("192.0.2.2"), PASSWORD).await.is(204);
    api.clock.advance(Duration::from_secs(seconds_to_wait(&refused)));
    delete(here, PASSWORD).await.is(202);
}

#[tokio::test]
async fn unknown_addresses_are_normalised_for_the_limit() {
    let api = limited();
    let here = From::peer("192.0.2.1");
    for at in 0..10 {
        let email = if at % 2 == 0 { "nobody@example.org" } else { "NoBody@Example.org" };
        here.logs_in(&api, json!({ "email": email }), PASSWORD).await.is(401);
    }
    here.logs_in(&api, json!({"email": "NOBODY@example.org"}), PASSWORD).await.problem(429, "rate-limited");
}

#[tokio::test]
async fn absent_accounts_are_limited_like_existing_ones() {
    let api = limited();
    let here = From::peer("192.0.2.1");
    for _ in 0..10 {
        here.logs_in(&api, json!({"handle": "nobody"}), PASSWORD).await.is(401);
    }
    here.logs_in(&api, json!({"handle": "nobody"}), PASSWORD).await.problem(429, "rate-limited");
    here.logs_in(&api, json!({"handle": "nobody_else"}), PASSWORD).await.is(401);
}

#[tokio::test]
async fn concurrent_guesses_do_not_exceed_the_limit() {
    let api = limited();
    person(&api, "alice").await;
    let guess = || From::peer("192.0.2.1").logs_in(&api, json!({"handle": "alice"}), "a wrong password");
    let answers = futures::future::join_all((0..30).map(|_| guess())).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 401).count(), 10);
    assert_eq!(answers.iter().filter(|answer| answer.status == 429).count(), 20);
}

/// Fails to log in under this many unknown names.
async fn fail_under_new_names(api: &TestApi, from: From<'_>, number: usize) {
    for at in 0..number {
        from.logs_in(api, json!({ "handle": format!("nobody_{at}") }), PASSWORD).await.is(401);
    }
}

#[tokio::test]
async fn a_networks_61st_failure_is_refused_unhashed() {
    let (api, metrics) = (limited(), Metrics::of_this_thread());
    person(&api, "alice").await;
    let here = From::peer("2001:db8:1:2::1");
    for _ in 0..100 {
        here.logs_in(&api, json!({"handle": "alice"}), PASSWORD).await.is(200);
    }
    fail_under_new_names(&api, here, 60).await;
    let hashed = metrics.passwords_hashed();
    let neighbour = From::peer("2001:db8:1:2:ffff::1");
    neighbour.logs_in(&api, json!({"handle": "somebody_new"}), PASSWORD).await.problem(429, "rate-limited");
    let refused = here.logs_in(&api, json!({"handle": "alice"}), PASSWORD).await.problem(429, "rate-limited");
    assert_eq!(metrics.passwords_hashed(), hashed);
    From::peer("2001:db8:1:3::1").logs_in(&api, json!({"handle": "alice"}), PASSWORD).await.is(200);
    api.clock.advance(Duration::from_secs(seconds_to_wait(&refused)));
    here.logs_in(&api, json!({"handle": "alice"}), PASSWORD).await.is(200);
}

#[tokio::test]
async fn every_kind_of_failure_counts_for_the_network() {
    let (api, metrics) = (limited(), Metrics::of_this_thread());
    let alice = person(&api, "alice").await;
    let here = From::peer("192.0.2.1");
    let wrong = json!({"current": "a wrong password", "new": PASSWORD});
    let right = json!({"current": PASSWORD, "new": PASSWORD});
    fail_under_new_names(&api, here, 57).await;
    here.registers(&api, "alice").await.problem(409, "taken");
    here.send(&api, Method::PUT, "/v1/users/me/password", Some(&alice), &wrong).await.is(403);
    let wrong = json!({"password": "a wrong password"});
    here.send(&api, Method::DELETE, "/v1/users/me", Some(&alice), &wrong).await.is(403);
    let hashed = metrics.passwords_hashed();
    here.registers(&api, "bob").await.problem(429, "rate-limited");
    here.send(&api, Method::PUT, "/v1/users/me/password", Some(&alice), &right).await.problem(429, "rate-limited");
    let password = json!({ "password": PASSWORD });
    here.send(&api, Method::DELETE, "/v1/users/me", Some(&alice), &password).await.problem(429, "rate-limited");
    assert_eq!(metrics.passwords_hashed(), hashed);
}

#[tokio::test]
async fn a_refused_account_spends_no_network_uses() {
    let api = limited();
    let here = From::peer("192.0.2.1");
    let nobody = || json!({"handle": "nobody"});
    for at in 0..200 {
        here.logs_in(&api, nobody(), PASSWORD).await.is(if at < 10 { 401 } else { 429 });
    }
    fail_under_new_names(&api, here, 50).await;
    here.logs_in(&api, json!({"handle": "somebody_new"}), PASSWORD).await.problem(429, "rate-limited");
}

#[tokio::test]
async fn one_networks_flood_does_not_block_others() {
    let running = NonZeroUsize::MIN;
    let hashing = HashingOptions { running, waiting: 4, waiting_per_network: 4, ..HashingOptions::default() };
    let api = TestApi::start_with(&hashing, &HttpOptions::default(), true);
    person(&api, "alice").await;
    let flood: Vec<_> = (0..24).map(|at| json!({ "handle": format!("nobody_{at}") })).collect();
    let flood =
        futures::future::join_all(flood.into_iter().map(|name| From::peer("192.0.2.1").logs_in(&api, name, PASSWORD)));
    let login = From::peer("192.0.2.2").logs_in(&api, json!({"handle": "alice"}), PASSWORD);
    let (flood, login) = futures::join!(flood, login);
    login.is(200);
    assert!(flood.iter().all(|answer| [401, 503].contains(&answer.status.as_u16())));
}

//! The limit on refreshes per session.

use std::time::Duration;

use super::{From, limited, seconds_to_wait};
use crate::it::support::{PASSWORD, TestApi};
use serde_json::json;

#[tokio::test]
async fn the_31st_refresh_of_a_minute_spends_nothing() {
    let api = limited();
    let mut token = From::peer("192.0.2.1").registers(&api, "alice").await.is(201).text_of("refresh_token");
    let login = From::peer("192.0.2.1").logs_in(&api, json!({"handle": "alice"}), PASSWORD).await.is(200);
    for _ in 0..30 {
        token = api.refresh(&token).await.is(200).text_of("refresh_token");
    }
    let refused = api.refresh(&token).await.problem(429, "rate-limited");
    api.refresh(&login.text_of("refresh_token")).await.is(200);
    api.clock.advance(Duration::from_secs(seconds_to_wait(&refused)));
    api.refresh(&token).await.is(200);
}

#[tokio::test]
async fn a_stolen_token_is_detected_despite_the_limit() {
    let api = limited();
    let stolen = From::peer("192.0.2.1").registers(&api, "alice").await.is(201).text_of("refresh_token");
    let mut token = api.refresh(&stolen).await.is(200).text_of("refresh_token");
    api.clock.advance(Duration::from_mins(2));
    while let Some(next) = refreshed(&api, &token).await {
        token = next;
    }
    api.refresh(&stolen).await.problem(401, "unauthenticated");
    api.refresh(&token).await.problem(401, "unauthenticated");
}

/// Refreshes once. Returns the next token; `None` if the limit is used up.
async fn refreshed(api: &TestApi, token: &str) -> Option<String> {
    let answer = api.refresh(token).await;
    (answer.status == 200).then(|| answer.text_of("refresh_token"))
}

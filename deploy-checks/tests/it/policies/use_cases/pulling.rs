//! An author whose posts are pulled: promotion, follows in between, demotion, and the end of the rules.

use std::time::Duration;

use domain::limits;
use ports::queue::QueueName;
use serde_json::json;

use super::{
    super::deployment::Deployment,
    people::{PASSWORD, Person, text},
};

async fn post(api: &Deployment, author: &Person) {
    api.ask("POST /v1/posts").by(&author.access).sends(json!({"text": "Hello, everybody"})).gets(201).await;
}

async fn shown(api: &Deployment, access: &str) -> usize {
    let feed = api.ask("GET /v1/feed").by(access).gets(200).await;
    feed["items"].as_array().map_or(0, Vec::len)
}

pub(super) async fn all(api: &Deployment) {
    // Registrations are limited.
    api.clock.advance(limits::REGISTER_RATE.window);
    let [star, first, second, late, crashing] = [
        Person::register(api, "star").await,
        Person::register(api, "first_fan").await,
        Person::register(api, "second_fan").await,
        Person::register(api, "late_fan").await,
        Person::register(api, "crashing_fan").await,
    ];
    let follow = async |fan: &Person| {
        api.ask("PUT /v1/users/{user}/follow").of(&star.id).by(&fan.access).gets(204).await;
    };
    follow(&first).await;
    follow(&second).await;
    api.handle_changes().await;
    // The first post is fanned out and begins the promotion.
    post(api, &star).await;
    for message in api.messages(QueueName::PostQ).await {
        assert_eq!(api.fan_out(&message, None).await, 0);
    }
    follow(&late).await;
    api.follow_and_crash(&crashing.id, &star.id).await;
    api.clock.advance(limits::BACKFILL_LEASE + Duration::from_secs(1));
    assert_eq!(api.sweep().await.backfills, 1);
    post(api, &star).await;
    assert_eq!(shown(api, &late.access).await, 2, "one backfilled and one pulled");
    for fan in [&first, &second, &crashing] {
        api.ask("DELETE /v1/users/{user}/follow").of(&star.id).by(&fan.access).gets(204).await;
    }
    api.handle_changes().await;
    post(api, &star).await;
}

/// Long after the demotion, a page removes the rule.
pub(super) async fn end(api: &Deployment) {
    api.clock.advance(limits::PULLED_MARGIN);
    let credentials = json!({"handle": "late_fan", "password": PASSWORD});
    let session = api.ask("POST /v1/auth/login").sends(credentials).gets(200).await;
    shown(api, &text(&session["access_token"])).await;
    api.clean_ups().await;
}

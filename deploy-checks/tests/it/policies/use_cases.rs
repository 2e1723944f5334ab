//! The use cases: every route, and every path through the queues.

mod deletion;
mod media;
mod people;
mod pulling;
mod rebuilding;
mod social;

use std::time::Duration;

use domain::limits;
use ports::queue::QueueName;
use serde_json::json;
use tokio::time::Instant;

use super::deployment::Deployment;
use people::{PASSWORD, Person, registration, text};

/// Runs all use cases, in an order in which each finds the state that it needs.
pub async fn all(api: &Deployment) {
    let alice = Person::register(api, "alice").await;
    let bob = Person::register(api, "bob").await;
    operations(api).await;
    accounts(api, &alice).await;
    following(api, &alice, &bob).await;
    publishing(api, &alice).await;
    fan_out(api).await;
    delivery(api).await;
    sweep(api, &alice).await;
    reading(api, &alice, &bob).await;
    social::all(api, &alice, &bob).await;
    pulling::all(api).await;
    unfollowing(api, &alice, &bob).await;
    deletion::all(api).await;
    media::all(api).await;
    social::expiry(api).await;
    pulling::end(api).await;
    deletion::of_old_posts(api).await;
    pulling::by_erased_author(api).await;
    media::erasure(api).await;
    rebuilding::all(api).await;
}

async fn operations(api: &Deployment) {
    api.ask("GET /healthz").gets(200).await;
    api.ask("GET /openapi.json").gets(200).await;
}

async fn accounts(api: &Deployment, alice: &Person) {
    api.ask("POST /v1/auth/register").sends(registration("alice")).gets(409).await;
    api.ask("POST /v1/auth/login").sends(json!({"handle": "alice", "password": PASSWORD})).gets(200).await;
    api.ask("POST /v1/auth/login").sends(json!({"handle": "nobody", "password": PASSWORD})).gets(401).await;
    let session = api
        .ask("POST /v1/auth/login")
        .sends(json!({"email": "alice@example.org", "password": PASSWORD}))
        .gets(200)
        .await;
    let ends = json!({"refresh_token": session["refresh_token"]});
    api.ask("POST /v1/auth/logout").by(&alice.access).sends(ends.clone()).gets(204).await;
    api.ask("POST /v1/auth/refresh").sends(ends).gets(401).await;

    let listed = api.ask("GET /v1/users/{user}/sessions").of("me").by(&alice.access).gets(200).await;
    let others = listed["items"].as_array().unwrap().iter().find(|session| session["current"] == false);
    let ended = text(&others.expect("alice has logged in once more")["session_id"]);
    let end = api.ask("DELETE /v1/users/{user}/sessions/{session_id}").of("me").of(&ended);
    end.by(&alice.access).gets(204).await;

    // Spent, reused within the grace period, and reused after it, which ends the session.
    let spends = json!({"refresh_token": alice.refresh});
    api.ask("POST /v1/auth/refresh").sends(spends.clone()).gets(200).await;
    api.ask("POST /v1/auth/refresh").sends(spends.clone()).gets(200).await;
    api.clock.advance(limits::REFRESH_GRACE + Duration::from_secs(1));
    api.ask("POST /v1/auth/refresh").sends(spends).gets(401).await;
}

async fn following(api: &Deployment, alice: &Person, bob: &Person) {
    let (carol, dave) = (Person::register(api, "carol").await, Person::register(api, "dave").await);
    for follower in [bob, &carol, &dave] {
        api.ask("PUT /v1/users/{user}/follow").of("@alice").by(&follower.access).gets(204).await;
    }
    api.ask("PUT /v1/users/{user}/follow").of(&alice.id).by(&bob.access).gets(204).await;
    api.ask("GET /v1/users/{user}/followers").of("@alice").by(&bob.access).gets(200).await;
    api.ask("GET /v1/users/{user}/following").of("@bob").by(&alice.access).gets(200).await;
    for user in ["me", "@bob", &bob.id] {
        api.ask("GET /v1/users/{user}").of(user).by(&alice.access).gets(200).await;
    }
}

async fn publishing(api: &Deployment, alice: &Person) {
    let post = |text: &str| api.ask("POST /v1/posts").by(&alice.access).sends(json!({ "text": text }));
    post("Hello").gets(201).await;
    for _ in 0..2 {
        post("Once").with("idempotency-key", "k").gets(201).await;
    }
    post("Another").with("idempotency-key", "k").gets(422).await;
    post("Hello again").gets(201).await;
}

async fn fan_out(api: &Deployment) {
    let posts = api.messages(QueueName::PostQ).await;
    let [mut one, continued, through] = posts.try_into().expect("three posts were published");
    // Throttled: the message is made visible again soon, and a copy replaces it before its receives are used up.
    assert_eq!(api.throttled(api.fan_out(&one, None)).await, 1);
    one.receive_count = limits::MAX_RECEIVES;
    assert_eq!(api.throttled(api.fan_out(&one, None)).await, 0);
    // One fan-out near its deadline, which a new message continues, and one from the first page to the last.
    assert_eq!(api.fan_out(&continued, Some(Instant::now())).await, 0);
    assert_eq!(api.fan_out(&through, None).await, 0);

    api.clock.advance(limits::MAX_RECEIVE_WAIT);
    let mut again = api.messages(QueueName::PostQ).await;
    assert!(again.len() >= 2, "the copy and the continuation are queued");
    again.dedup_by(|one, other| one.body == other.body);
    for message in again {
        assert_eq!(api.fan_out(&message, None).await, 0);
    }
}

async fn delivery(api: &Deployment) {
    let mut jobs = api.messages(QueueName::JobQ).await;
    assert!(jobs.len() >= 9, "three posts go to three followers, one to each job: {}", jobs.len());
    assert_eq!(api.throttled(api.deliver(&jobs[..1])).await, 1);
    jobs[0].receive_count = limits::MAX_RECEIVES;
    assert_eq!(api.throttled(api.deliver(&jobs[..1])).await, 0);
    for batch in jobs.chunks(limits::MAX_QUEUE_BATCH) {
        assert_eq!(api.deliver(batch).await, 0);
    }
}

async fn sweep(api: &Deployment, alice: &Person) {
    api.ask("POST /v1/posts").by(&alice.access).sends(json!({"text": "Lost"})).gets(201).await;
    api.clock.advance(limits::OUTBOX_LEASE + Duration::from_secs(1));
    assert_eq!(api.sweep().await.fan_outs, 1);
}

async fn reading(api: &Deployment, alice: &Person, bob: &Person) {
    let feed = api.ask("GET /v1/feed").by(&bob.access).gets(200).await;
    assert_eq!(feed["items"].as_array().map(Vec::len), Some(3), "the fanned-out posts are in the feed: {feed}");
    let post = text(&feed["items"][0]["post_id"]);
    api.ask("GET /v1/posts/{id}").of(&post).by(&bob.access).gets(200).await;
    api.ask("GET /v1/users/{user}/posts").of(&alice.id).by(&bob.access).gets(200).await;
}

/// Unfollows and reads the feed once more, which removes outdated entries; follows again and unfollows again. Of the
/// second unfollow, nothing but the entries is left, as with an earlier version.
async fn unfollowing(api: &Deployment, alice: &Person, bob: &Person) {
    for left_by_an_earlier_version in [false, true] {
        api.ask("DELETE /v1/users/{user}/follow").of("@alice").by(&bob.access).gets(204).await;
        if left_by_an_earlier_version {
            api.predate_rules(&bob.id, &alice.id).await;
        }
        let feed = api.ask("GET /v1/feed").by(&bob.access).gets(200).await;
        assert_eq!(feed["items"], json!([]));
        api.clean_ups().await;
        if !left_by_an_earlier_version {
            api.ask("PUT /v1/users/{user}/follow").of("@alice").by(&bob.access).gets(204).await;
        }
    }
}

//! Profiles, likes, comments, notifications, and the effects of changes.

use std::time::Duration;

use domain::limits;
use ports::{
    changes::Change,
    queue::QueueName,
    store::{Attributes, Key},
};

use serde_json::json;

use super::{
    super::deployment::Deployment,
    people::{PASSWORD, Person, text},
};

pub(super) async fn all(api: &Deployment, alice: &Person, bob: &Person) {
    api.ask("PATCH /v1/users/{user}").of("me").by(&alice.access).sends(json!({"bio": "Here"})).gets(200).await;
    let feed = api.ask("GET /v1/feed").by(&bob.access).gets(200).await;
    let post = text(&feed["items"][0]["post_id"]);
    likes(api, bob, &post).await;
    comments(api, alice, bob, &post).await;
    notifications(api, alice, bob, &post).await;
    backfills(api, alice).await;
    api.ask("GET /v1/events").by(&bob.access).gets(501).await;
}

async fn likes(api: &Deployment, bob: &Person, post: &str) {
    for times in ["once", "and again"] {
        api.ask("PUT /v1/posts/{id}/like").of(post).by(&bob.access).gets(204).await;
        let likes = api.ask("GET /v1/posts/{id}/likes").of(post).by(&bob.access).gets(200).await;
        assert_eq!(likes["items"].as_array().map(Vec::len), Some(1), "{times}");
    }
}

async fn comments(api: &Deployment, alice: &Person, bob: &Person, post: &str) {
    for by in [alice, bob, bob] {
        let comment = json!({"text": "Well said"});
        let ask = api.ask("POST /v1/posts/{id}/comments").of(post).by(&by.access);
        let comment = ask.sends(comment).gets(201).await;
        if by.id == alice.id {
            let ask = api.ask("DELETE /v1/posts/{id}/comments/{comment_id}").of(post);
            ask.of(&text(&comment["comment_id"])).by(&alice.access).gets(204).await;
        }
    }
    api.ask("GET /v1/posts/{id}/comments").of(post).by(&bob.access).gets(200).await;
}

async fn notifications(api: &Deployment, alice: &Person, bob: &Person, post: &str) {
    assert!(!api.handle_changes().await.is_empty());
    let unread = api.ask("GET /v1/notifications").by(&alice.access).gets(200).await;
    assert!(unread["unread_count"].as_u64() > Some(3), "follows, a like, comments: {unread}");
    // In the middle: neither side fits into a page, so a task continues counting.
    let middle = json!({"up_to": unread["items"][2]["notification_id"]});
    api.ask("PUT /v1/notifications/read").by(&alice.access).sends(middle).gets(204).await;
    while !api.handle_changes().await.is_empty() {}
    let exact = api.ask("GET /v1/notifications").by(&alice.access).gets(200).await;
    assert_eq!(exact["unread_count"], json!(2));
    let newest = json!({"up_to": unread["items"][0]["notification_id"]});
    for _ in 0..2 {
        api.ask("PUT /v1/notifications/read").by(&alice.access).sends(newest.clone()).gets(204).await;
    }
    // Undone and redone: the same notification is hidden and shown again.
    api.ask("DELETE /v1/posts/{id}/like").of(post).by(&bob.access).gets(204).await;
    api.handle_changes().await;
    api.ask("PUT /v1/posts/{id}/like").of(post).by(&bob.access).gets(204).await;
    let changes = api.handle_changes().await;
    // Redelivering the changes has no effect.
    api.handle_change(&changes).await;
    let answer = api.ask("GET /v1/posts/{id}").of(post).by(&bob.access).gets(200).await;
    assert_eq!((&answer["likes_count"], &answer["comments_count"]), (&json!(1), &json!(2)));
    redriven(api, changes).await;
}

/// Handles a poison change and a redriven one.
async fn redriven(api: &Deployment, mut changes: Vec<Change>) {
    let key = Key { partition: "POST#p".to_owned(), sort: "POST".to_owned() };
    let malformed = Change { id: "poison".to_owned(), key, before: None, after: Some(Attributes::default()) };
    api.handle_change(&[malformed]).await;
    assert_eq!(api.messages(QueueName::ChangeDlq).await.len(), 1);

    let change = changes.pop().expect("something has changed");
    api.send_back(&change).await;
    let mut messages = api.messages(QueueName::ChangeQ).await;
    // Throttled: the message is made visible again soon, and a copy replaces it before its receives are used up.
    assert_eq!(api.throttled(api.handle_again(&messages)).await, 1);
    messages[0].receive_count = limits::MAX_RECEIVES;
    assert_eq!(api.throttled(api.handle_again(&messages)).await, 0);
    assert_eq!(api.handle_again(&messages).await, 0);
}

/// A follow of a user with posts, and one that a crash interrupted.
async fn backfills(api: &Deployment, alice: &Person) {
    let frank = Person::register(api, "frank").await;
    api.ask("PUT /v1/users/{user}/follow").of(&alice.id).by(&frank.access).gets(204).await;
    api.give_many_rules(&frank.id).await;
    let feed = api.ask("GET /v1/feed").by(&frank.access).gets(200).await;
    assert_ne!(feed["items"], json!([]));
    let erin = Person::register(api, "erin").await;
    api.follow_and_crash(&erin.id, &alice.id).await;
    api.clock.advance(limits::BACKFILL_LEASE + Duration::from_secs(1));
    assert_eq!(api.sweep().await.backfills, 1);
    // The feed has a rule about the followee already.
    api.ask("DELETE /v1/users/{user}/follow").of(&alice.id).by(&erin.access).gets(204).await;
    api.merge(&erin.id, &alice.id).await;
    api.follow_and_crash(&erin.id, &alice.id).await;
    api.clock.advance(limits::BACKFILL_LEASE + Duration::from_secs(1));
    assert_eq!(api.sweep().await.backfills, 1);
}

/// Notifications older than 90 days are no longer counted.
pub(super) async fn expiry(api: &Deployment) {
    api.clock.advance(limits::NOTIFICATION_TTL);
    let credentials = json!({"handle": "alice", "password": PASSWORD});
    let session = api.ask("POST /v1/auth/login").sends(credentials).gets(200).await;
    let access = text(&session["access_token"]);
    let none = api.ask("GET /v1/notifications").by(&access).gets(200).await;
    assert_eq!((&none["items"], &none["unread_count"]), (&json!([]), &json!(0)));
}

//! The export through the API: all data stored about the caller, and only ids and handles of other users.

use crate::it::support::{TestApi, request};
use data::Notifications;
use domain::{Act, ActKind, IdGenerator, InboxEntry, Notification, UserId};
use http::Method;
use serde_json::{Value, json};

const EXPORT: &str = "/v1/users/me/export";

async fn person(api: &TestApi, handle: &str) -> (UserId, String) {
    let answer = api.register(handle).await.is(201);
    (answer.json()["user"]["user_id"].as_str().unwrap().parse().unwrap(), answer.text_of("access_token"))
}

async fn publish(api: &TestApi, token: &str, text: &str) -> String {
    let request = request(Method::POST, "/v1/posts", Some(token))
        .header("content-type", "application/json")
        .header("idempotency-key", format!("key-{text}"));
    api.send(request.body(json!({"text": text}).to_string().into()).unwrap()).await.is(201).text_of("post_id")
}

/// The whole export. Checks that every page except the last is full.
async fn export(api: &TestApi, token: &str, limit: usize) -> Vec<Value> {
    let (mut items, mut query) = (Vec::new(), format!("?limit={limit}"));
    loop {
        let page = api.get(&format!("{EXPORT}{query}"), token).await.is(200).json();
        let of_page = page["items"].as_array().unwrap();
        items.extend_from_slice(of_page);
        let Some(cursor) = page["next_cursor"].as_str() else { return items };
        assert_eq!(of_page.len(), limit);
        query = format!("?limit={limit}&cursor={cursor}");
    }
}

/// Alice and Bob, who performed every kind of action.
async fn populate(api: &TestApi) -> [(UserId, String); 2] {
    let [alice, bob] = [person(api, "alice").await, person(api, "bob").await];
    for ((_, token), other) in [(&alice, "@bob"), (&bob, "@alice")] {
        api.bare(Method::PUT, &format!("/v1/users/{other}/follow"), Some(token)).await.is(204);
    }
    let posts = [publish(api, &alice.1, "first").await, publish(api, &alice.1, "second").await];
    publish(api, &bob.1, "bobs-own-words").await;
    for (_, token) in [&alice, &bob] {
        api.bare(Method::PUT, &format!("/v1/posts/{}/like", posts[0]), Some(token)).await.is(204);
        let comments = format!("/v1/posts/{}/comments", posts[0]);
        let text = if token == &alice.1 { "well said" } else { "bobs-own-comment" };
        let comment = api.post(&comments, Some(token), &json!({"text": text})).await.is(201).text_of("comment_id");
        if token == &alice.1 {
            api.bare(Method::DELETE, &format!("{comments}/{comment}"), Some(token)).await.is(204);
        }
    }
    api.bare(Method::DELETE, &format!("/v1/posts/{}", posts[1]), Some(&alice.1)).await.is(204);
    // Each was notified of the other's follow.
    let ids = IdGenerator::new();
    for (recipient, actor) in [(alice.0, bob.0), (bob.0, alice.0)] {
        let act = Act { actor_id: actor, kind: ActKind::Follow(recipient) };
        let notification_id = ids.next_notification_id(api.clock.now());
        let notification = Notification { notification_id, recipient_id: recipient, act };
        let entry = InboxEntry { notification, undone: false, post_gone: false };
        let writes = Notifications::put(&entry).and(Notifications::point_to(&notification)).into_iter().collect();
        assert!(api.store.transact(writes).await.unwrap().is_applied());
    }
    [alice, bob]
}

#[tokio::test]
async fn an_export_is_complete_at_any_page_size() {
    let api = TestApi::start();
    let [(_, alice), (bob, _)] = populate(&api).await;
    let all = export(&api, &alice, 100).await;
    for limit in [1, 2, 3, 7] {
        assert_eq!(export(&api, &alice, limit).await, all, "in pages of {limit}");
    }
    let kinds: Vec<&str> = all.iter().map(|item| item["kind"].as_str().unwrap()).collect();
    let expected = [
        "profile",
        "inbox",
        "session",
        "post",
        "post",
        "comment",
        "like",
        "following",
        "follower",
        "notification",
        "notified",
        "feed_entry",
        "feed_entry",
        "idempotency_key",
        "idempotency_key",
    ];
    assert_eq!(kinds, expected);
    let session = all.iter().find(|item| item["kind"] == "session").unwrap();
    assert_eq!(session["created_at"], session["last_used_at"]);
    assert!(session["session_id"].is_string() && session["user_agent"].is_null(), "{session}");
    let of = |kind: &str| all.iter().filter(|item| item["kind"] == kind).cloned().collect::<Vec<_>>();
    assert_eq!(of("profile")[0]["email"], "alice@example.org");
    let posts = of("post");
    assert_eq!((&posts[0]["text"], &posts[1]["text"]), (&json!("second"), &json!("first")));
    assert!(posts[0]["deleted_at"].is_string() && posts[1]["deleted_at"].is_null());
    let comment = &of("comment")[0];
    assert!(comment["text"] == "well said" && comment["deleted_at"].is_string());
    assert_eq!(of("following")[0]["user"], json!({"user_id": bob.to_string(), "handle": "bob"}));
    assert_eq!(of("notification")[0]["actor"]["handle"], "bob");
    let notified = &of("notified")[0];
    assert_eq!((&notified["act"], &notified["recipient_id"]), (&json!("follow"), &json!(bob.to_string())));
    assert!(notified["post_id"].is_null() && notified["comment_id"].is_null(), "{notified}");
    assert_eq!(of("idempotency_key")[0]["key"], "key-first");
}

#[tokio::test]
async fn an_export_has_no_secrets_or_foreign_data() {
    let api = TestApi::start();
    let [(_, alice), (bob, _)] = populate(&api).await;
    let mut text = serde_json::to_string(&export(&api, &alice, 100).await).unwrap();
    for others in ["bobs-own", "bob@example.org", "argon2", "password", "digest"] {
        assert!(!text.contains(others), "{others}: {text}");
    }
    text = text.replace(&json!({"user_id": bob.to_string(), "handle": "bob"}).to_string(), "");
    text = text.replace(&format!(r#"{{"handle":"bob","user_id":"{bob}"}}"#), "");
    assert!(!text.contains("bob"), "{text}");
}

#[tokio::test]
async fn an_export_is_for_oneself() {
    let api = TestApi::start();
    let (alice, token) = person(&api, "alice").await;
    person(&api, "bob").await;
    for own in ["me".to_owned(), "@alice".to_owned(), alice.to_string()] {
        api.get(&format!("/v1/users/{own}/export"), &token).await.is(200);
    }
    api.get("/v1/users/@bob/export", &token).await.problem(403, "forbidden");
    api.get("/v1/users/@nobody/export", &token).await.problem(404, "not-found");
    api.bare(Method::GET, EXPORT, None).await.problem(401, "unauthenticated");
    // An unknown kind, a position in a kind of one record, a position that is not an id.
    for cursor in ["Cg", "Cg0", "CgB4", "CgN4", "CgkD"] {
        api.get(&format!("{EXPORT}?cursor={cursor}"), &token).await.is(400);
    }
    api.get(&format!("{EXPORT}?cursor=x"), &token).await.is(400);
    api.get(&format!("{EXPORT}?limit=0"), &token).await.is(422);
}

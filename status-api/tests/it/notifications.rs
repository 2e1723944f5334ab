//! Notifications through the API: visibility, the unread count, invalid requests. The tests of the change stream cover
//! how notifications follow from changes under faults.

use std::{sync::Arc, time::Duration};

use crate::it::support::{Answer, TestApi, request};
use axum::body::Body;
use data::keys;
use domain::{CommentId, IdGenerator, PostId, UserId};
use http::{Method, header::CONTENT_TYPE};
use ports::{
    changes::Change,
    store::{Consistency, Item, Key, Store, Table, Write},
};
use serde_json::{Value, json};
use service::changes::{Applied, ChangeService};

/// The API, and changes made directly in the store.
struct Fixture {
    api: TestApi,
    ids: Arc<IdGenerator>,
    changes: ChangeService,
}

impl Fixture {
    fn start() -> Self {
        let (api, ids) = (TestApi::start(), Arc::new(IdGenerator::new()));
        let changes = ChangeService::new(Arc::new(api.watched.clone()), Arc::clone(&ids));
        Self { api, ids, changes }
    }

    /// Registers a user. Returns the id and an access token.
    async fn user(&self, handle: &str) -> (UserId, String) {
        let answer = self.api.register(handle).await.is(201);
        (answer.json()["user"]["user_id"].as_str().unwrap().parse().unwrap(), answer.text_of("access_token"))
    }

    async fn post(&self, token: &str) -> PostId {
        self.api
            .post("/v1/posts", Some(token), &json!({"text": "hello"}))
            .await
            .is(201)
            .text_of("post_id")
            .parse()
            .unwrap()
    }

    /// Puts or deletes an item and passes the change to the stream handler.
    async fn set(&self, key: Key, item: Option<Item>) {
        let store = &self.api.watched;
        let before = store.get(Table::Social, &key, Consistency::Strong).await.unwrap().map(|item| item.attributes);
        let after = item.as_ref().map(|item| item.attributes.clone());
        let write = item.map_or_else(|| Write::delete(key.clone()), Write::put);
        assert!(store.write(Table::Social, write).await.unwrap().is_applied());
        let id = self.ids.next_post_id(self.api.clock.now()).to_string();
        self.tell(Change { id, key, before, after }).await;
    }

    async fn tell(&self, change: Change) {
        for outcome in self.changes.apply(&[change], self.api.clock.now()).await {
            assert!(matches!(outcome, Applied::Done), "{outcome:?}");
        }
    }

    /// Follows through the API and passes the change to the stream handler.
    async fn follow(&self, token: &str, follower: UserId, followee: UserId) {
        self.api.bare(Method::PUT, &format!("/v1/users/{followee}/follow"), Some(token)).await.is(204);
        let key = keys::follower_edge(followee, follower);
        let after = self.api.watched.get(Table::Social, &key, Consistency::Strong).await.unwrap();
        self.tell(Change { id: key.sort.clone(), key, before: None, after: after.map(|item| item.attributes) }).await;
    }

    async fn like(&self, user: UserId, post: PostId) {
        let key = keys::liker(post, user);
        self.set(key.clone(), Some(Item::new(key).with("liked_at", 1))).await;
    }

    async fn comment(&self, user: UserId, post: PostId) -> CommentId {
        let comment = self.ids.next_comment_id(self.api.clock.now());
        let key = keys::comment(post, comment);
        self.set(key.clone(), Some(Item::new(key).with("author_id", user.to_string()).with("text", "hi"))).await;
        comment
    }

    async fn notifications(&self, token: &str) -> Value {
        self.api.get("/v1/notifications", token).await.is(200).json()
    }

    async fn read(&self, token: &str, body: &str) -> Answer {
        let request = request(Method::PUT, "/v1/notifications/read", Some(token));
        let request = request.header(CONTENT_TYPE, "application/json");
        self.api.send(request.body(Body::from(body.to_owned())).unwrap()).await
    }
}

/// A body with the ids that differ between runs replaced.
fn redacted(mut body: Value) -> Value {
    for item in body["items"].as_array_mut().unwrap() {
        for id in ["notification_id", "post_id", "comment_id"] {
            if item[id].is_string() {
                item[id] = json!("[id]");
            }
        }
        item["actor"]["user_id"] = json!("[id]");
        item.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    }
    body
}

/// The kinds of a page, newest first, and the unread count.
fn seen(body: &Value) -> (Vec<&str>, u64) {
    let kinds = body["items"].as_array().unwrap().iter().map(|item| item["kind"].as_str().unwrap()).collect();
    (kinds, body["unread_count"].as_u64().unwrap())
}

#[tokio::test]
async fn only_acts_of_others_notify_newest_first() {
    let fixture = Fixture::start();
    let ((alice, token), (bob, bobs)) = (fixture.user("alice").await, fixture.user("bob").await);
    let post = fixture.post(&token).await;
    fixture.follow(&bobs, bob, alice).await;
    fixture.like(bob, post).await;
    fixture.comment(bob, post).await;
    fixture.like(alice, post).await;
    fixture.comment(alice, post).await;
    insta::assert_json_snapshot!("page_of_notifications", redacted(fixture.notifications(&token).await));
    assert_eq!(fixture.notifications(&bobs).await, json!({"items": [], "next_cursor": null, "unread_count": 0}));
    let profile = fixture.api.get("/v1/users/@alice", &bobs).await.is(200).json();
    assert_eq!(profile["followers_count"], 1);
    assert_eq!(fixture.api.get(&format!("/v1/posts/{post}"), &bobs).await.is(200).json()["likes_count"], 2);
}

#[tokio::test]
async fn a_read_notification_stays_read() {
    let fixture = Fixture::start();
    let ((_, token), (bob, _)) = (fixture.user("alice").await, fixture.user("bob").await);
    let post = fixture.post(&token).await;
    fixture.like(bob, post).await;
    fixture.comment(bob, post).await;
    let page = fixture.notifications(&token).await;
    let id = |place: usize| page["items"][place]["notification_id"].as_str().unwrap();
    for (up_to, unread) in [(id(1), 1), (id(0), 0), (id(1), 0), (id(0), 0)] {
        let syncs = fixture.api.watched.syncs();
        fixture.read(&token, &json!({"up_to": up_to}).to_string()).await.is(204);
        assert_eq!(fixture.api.watched.syncs(), syncs + 1, "the response to a write waits for durability");
        assert_eq!(fixture.notifications(&token).await["unread_count"], unread);
    }
    let read: Vec<bool> = fixture.notifications(&token).await["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["read"] == true)
        .collect();
    assert_eq!(read, [true, true]);
    fixture.like(fixture.user("carol").await.0, post).await;
    let page = fixture.notifications(&token).await;
    assert_eq!((&page["items"][0]["read"], &page["unread_count"]), (&json!(false), &json!(1)));
}

#[tokio::test]
async fn marking_read_survives_a_lost_answer() {
    let fixture = Fixture::start();
    let ((_, token), (bob, _)) = (fixture.user("alice").await, fixture.user("bob").await);
    fixture.like(bob, fixture.post(&token).await).await;
    let page = fixture.notifications(&token).await;
    fixture.api.watched.lose_answers(1);
    let up_to = page["items"][0]["notification_id"].clone();
    fixture.read(&token, &json!({"up_to": up_to}).to_string()).await.is(204);
    assert_eq!(fixture.notifications(&token).await["unread_count"], 0);
}

#[tokio::test]
async fn deleted_items_disappear_before_counts_follow() {
    let fixture = Fixture::start();
    let ((alice, token), (bob, _)) = (fixture.user("alice").await, fixture.user("bob").await);
    let post = fixture.post(&token).await;
    fixture.like(bob, post).await;
    let comment = fixture.comment(bob, post).await;
    let store = &fixture.api.watched;
    let dead = |key: Key| async move {
        let item = store.get(Table::Social, &key, Consistency::Strong).await.unwrap().unwrap();
        item.with("deleted_at", 5)
    };
    // Before the stream handler receives the comment's change.
    let key = keys::comment(post, comment);
    let before = store.get(Table::Social, &key, Consistency::Strong).await.unwrap().unwrap();
    let gone = dead(key.clone()).await;
    assert!(store.write(Table::Social, Write::put(gone.clone())).await.unwrap().is_applied());
    assert_eq!(seen(&fixture.notifications(&token).await), (vec!["like"], 2));
    // The handler receives the post's change first, then the comment's.
    let live = store.get(Table::Social, &keys::post(post), Consistency::Strong).await.unwrap();
    fixture.set(keys::post(post), Some(dead(keys::post(post)).await)).await;
    assert_eq!(seen(&fixture.notifications(&token).await), (vec![], 1));
    let id = comment.to_string();
    fixture.tell(Change { id, key, before: Some(before.attributes), after: Some(gone.attributes) }).await;
    assert_eq!(seen(&fixture.notifications(&token).await), (vec![], 0));
    assert_eq!(fixture.api.get("/v1/users/me", &token).await.json()["posts_count"], 0);
    fixture.set(keys::post(post), live).await;
    assert_eq!(seen(&fixture.notifications(&token).await).0, ["like"]);
    let _ = alice;
}

#[tokio::test]
async fn pages_skip_undone_acts_and_end() {
    let fixture = Fixture::start();
    let ((alice, token), mut likers) = (fixture.user("alice").await, Vec::new());
    let post = fixture.post(&token).await;
    for number in 0..9 {
        likers.push(fixture.user(&format!("liker_{number}")).await.0);
        fixture.like(likers[number], post).await;
    }
    for liker in &likers[2..6] {
        fixture.set(keys::liker(post, *liker), None).await;
    }
    let (mut seen, mut path) = (Vec::new(), "/v1/notifications?limit=2".to_owned());
    loop {
        let page = fixture.api.get(&path, &token).await.is(200).json();
        assert_eq!(page["unread_count"], 5, "the total, regardless of the page");
        let items = page["items"].as_array().unwrap();
        seen.extend(items.iter().map(|item| item["actor"]["user_id"].as_str().unwrap().to_owned()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        assert_eq!(items.len(), 2);
        path = format!("/v1/notifications?limit=2&cursor={cursor}");
    }
    let expected: Vec<String> = [8, 7, 6, 1, 0].map(|number: usize| likers[number].to_string()).into();
    assert_eq!(seen, expected);
    let feed = fixture.api.get(&format!("/v1/feed?cursor={}", path.rsplit('=').next().unwrap()), &token).await;
    feed.problem(400, "unparseable");
    let _ = alice;
}

#[tokio::test]
async fn a_notification_expires_after_90_days() {
    let fixture = Fixture::start();
    let ((_, token), (bob, _)) = (fixture.user("alice").await, fixture.user("bob").await);
    let post = fixture.post(&token).await;
    fixture.like(bob, post).await;
    // Logs in again, because an access token lives only minutes.
    let token_then = async |days: u64| {
        fixture.api.clock.advance(Duration::from_hours(24 * days));
        let login = json!({"handle": "alice", "password": crate::it::support::PASSWORD});
        fixture.api.post("/v1/auth/login", None, &login).await.is(200).text_of("access_token")
    };
    let token = token_then(89).await;
    assert_eq!(seen(&fixture.notifications(&token).await), (vec!["like"], 1));
    let token = token_then(1).await;
    assert_eq!(seen(&fixture.notifications(&token).await), (vec![], 0));
}

#[tokio::test]
async fn invalid_requests_are_refused() {
    let fixture = Fixture::start();
    let (_, token) = fixture.user("alice").await;
    fixture.api.bare(Method::GET, "/v1/notifications", None).await.problem(401, "unauthenticated");
    fixture.api.bare(Method::PUT, "/v1/notifications/read", None).await.problem(401, "unauthenticated");
    fixture.api.bare(Method::PUT, "/v1/notifications", Some(&token)).await.problem(405, "method-not-allowed");
    fixture.api.get("/v1/notifications?limit=0", &token).await.problem(422, "invalid");
    fixture.api.get("/v1/notifications?cursor=x", &token).await.problem(400, "unparseable");
    fixture.read(&token, "{").await.problem(400, "unparseable");
    let id = "018f6a6e-0000-7000-8000-000000000000";
    for (body, field) in [
        ("{}".to_owned(), "up_to"),
        (json!({"up_to": 5}).to_string(), "up_to"),
        (json!({"up_to": null}).to_string(), "up_to"),
        (json!({"up_to": "newest"}).to_string(), "up_to"),
        (json!({"up_to": id, "all": true}).to_string(), "all"),
    ] {
        let answer = fixture.read(&token, &body).await.problem(422, "invalid");
        assert_eq!(answer.fields(), [field], "{body}");
    }
    fixture.read(&token, &json!({"up_to": id}).to_string()).await.is(204);
}

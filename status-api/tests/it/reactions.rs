//! Likes and comments: permission, visibility, and lost answers.

use std::time::Duration;

use crate::it::support::{Answer, START, TestApi, request};
use axum::body::Body;
use data::{Comments, Likes, keys};
use domain::{Comment, CommentText, IdGenerator, PostId, UserId, limits};
use http::{Method, header::CONTENT_TYPE};
use ports::store::{BatchWrite, Changes, Condition, Item, Table, Write};
use serde_json::{Value, json};

const NOBODYS_POST: &str = "/v1/posts/018f6a6e-0000-7000-8000-000000000000";

/// A logged-in user.
struct Person {
    token: String,
    id: UserId,
}

async fn person(api: &TestApi, handle: &str) -> Person {
    let answer = api.register(handle).await.is(201);
    let id = answer.json()["user"]["user_id"].as_str().unwrap().parse().unwrap();
    Person { token: answer.text_of("access_token"), id }
}

/// Publishes a post, and returns its path.
async fn publish(api: &TestApi, author: &Person) -> String {
    let answer = api.post("/v1/posts", Some(&author.token), &json!({"text": "hello"})).await.is(201);
    answer.header("location").unwrap().to_owned()
}

fn post_id(path: &str) -> PostId {
    path.rsplit('/').next().unwrap().parse().unwrap()
}

async fn like(api: &TestApi, who: &Person, post: &str) -> Answer {
    api.bare(Method::PUT, &format!("{post}/like"), Some(&who.token)).await
}

async fn unlike(api: &TestApi, who: &Person, post: &str) -> Answer {
    api.bare(Method::DELETE, &format!("{post}/like"), Some(&who.token)).await
}

async fn comment(api: &TestApi, who: &Person, post: &str, text: &str) -> Answer {
    api.post(&format!("{post}/comments"), Some(&who.token), &json!({"text": text})).await
}

async fn delete_comment(api: &TestApi, who: &Person, post: &str, comment: &str) -> Answer {
    api.bare(Method::DELETE, &format!("{post}/comments/{comment}"), Some(&who.token)).await
}

/// All items of a list, read page by page. Checks that every page except the last is full.
async fn whole_list(api: &TestApi, who: &Person, path: &str, limit: usize) -> Vec<Value> {
    let (mut items, mut query) = (Vec::new(), format!("?limit={limit}"));
    loop {
        let page = api.get(&format!("{path}{query}"), &who.token).await.is(200).json();
        let of_page = page["items"].as_array().unwrap();
        items.extend_from_slice(of_page);
        let Some(cursor) = page["next_cursor"].as_str() else { return items };
        assert_eq!(of_page.len(), limit, "every page except the last is full");
        query = format!("?limit={limit}&cursor={cursor}");
    }
}

fn texts(items: &[Value]) -> Vec<&str> {
    items.iter().map(|item| item["text"].as_str().unwrap()).collect()
}

/// Marks a post as deleted, as its deletion does.
async fn mark_deleted(api: &TestApi, post: &str) {
    let set = [("deleted_at".into(), 1.into())].into();
    let changes = Changes { set, ..Changes::default() };
    let write = Write::Update { key: keys::post(post_id(post)), changes, condition: Condition::Always };
    assert!(api.store.write(Table::Social, write).await.unwrap().is_applied());
}

async fn put_all(api: &TestApi, items: Vec<Item>) {
    for chunk in items.chunks(limits::MAX_BATCH_WRITE) {
        let puts: Vec<_> = chunk.iter().cloned().map(BatchWrite::Put).collect();
        assert!(api.store.batch_write(Table::Social, &puts).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_like_shows_at_once_everywhere() {
    let api = TestApi::start();
    let (alice, bob) = (person(&api, "alice").await, person(&api, "bob").await);
    let post = publish(&api, &alice).await;
    let feed = async |who: &Person| api.get("/v1/feed", &who.token).await.json()["items"][0]["liked_by_me"].clone();
    let story = async |who: &Person| {
        api.get("/v1/users/@alice/posts", &who.token).await.json()["items"][0]["liked_by_me"].clone()
    };
    let one = async |who: &Person| api.get(&post, &who.token).await.json()["liked_by_me"].clone();
    assert_eq!(
        (one(&alice).await, story(&alice).await, feed(&alice).await),
        (json!(false), json!(false), json!(false))
    );
    for liker in [&alice, &bob] {
        assert_eq!(like(&api, liker, &post).await.is(204).text, "");
    }
    assert_eq!((one(&alice).await, story(&alice).await, feed(&alice).await), (json!(true), json!(true), json!(true)));
    assert_eq!((one(&bob).await, story(&bob).await), (json!(true), json!(true)));
    unlike(&api, &alice, &post).await.is(204);
    assert_eq!(
        (one(&alice).await, story(&alice).await, feed(&alice).await),
        (json!(false), json!(false), json!(false))
    );
    assert_eq!(one(&bob).await, json!(true));
}

#[tokio::test]
async fn a_repeated_like_keeps_its_first_time() {
    let api = TestApi::start();
    let alice = person(&api, "alice").await;
    let post = publish(&api, &alice).await;
    let likes = async || api.get(&format!("{post}/likes"), &alice.token).await.is(200).json();
    like(&api, &alice, &post).await.is(204);
    let mut first = likes().await;
    api.clock.advance(Duration::from_secs(5));
    like(&api, &alice, &post).await.is(204);
    assert_eq!(likes().await, first);
    first["items"][0]["user"]["user_id"] = json!("[id]");
    insta::assert_json_snapshot!("page_of_likes", first);
    unlike(&api, &alice, &post).await.is(204);
    unlike(&api, &alice, &post).await.is(204);
    assert_eq!(likes().await, json!({"items": [], "next_cursor": null}));
    like(&api, &alice, &post).await.is(204);
    assert_ne!(likes().await["items"][0]["liked_at"], first["items"][0]["liked_at"]);
}

#[tokio::test]
async fn a_like_with_a_lost_answer_counts_once() {
    let api = TestApi::start();
    let alice = person(&api, "alice").await;
    let post = publish(&api, &alice).await;
    let likes =
        async || api.get(&format!("{post}/likes"), &alice.token).await.json()["items"].as_array().unwrap().len();
    let transactions = api.watched.transactions();
    api.watched.lose_answers(1);
    like(&api, &alice, &post).await.is(204);
    assert_eq!((likes().await, api.watched.transactions()), (1, transactions + 2));
    api.watched.lose_answers(1);
    unlike(&api, &alice, &post).await.is(204);
    assert_eq!((likes().await, api.watched.transactions()), (0, transactions + 4));
}

#[tokio::test]
async fn hidden_posts_take_no_reactions() {
    let api = TestApi::start();
    let (alice, bob) = (person(&api, "alice").await, person(&api, "bob").await);
    let (deleted, orphaned) = (publish(&api, &alice).await, publish(&api, &bob).await);
    let written = comment(&api, &alice, &deleted, "before").await.is(201).text_of("comment_id");
    like(&api, &alice, &deleted).await.is(204);
    mark_deleted(&api, &deleted).await;
    assert!(api.store.write(Table::Social, Write::delete(keys::profile(bob.id))).await.unwrap().is_applied());
    for post in [deleted.as_str(), &orphaned, NOBODYS_POST, "/v1/posts/abc", "/v1/posts/%ff"] {
        like(&api, &alice, post).await.problem(404, "not-found");
        unlike(&api, &alice, post).await.problem(404, "not-found");
        comment(&api, &alice, post, "hello").await.problem(404, "not-found");
        delete_comment(&api, &alice, post, &written).await.problem(404, "not-found");
        for list in ["likes", "comments"] {
            api.get(&format!("{post}/{list}"), &alice.token).await.problem(404, "not-found");
        }
    }
}

#[tokio::test]
async fn likers_are_listed_once_in_stable_order() {
    let api = TestApi::start();
    let alice = person(&api, "alice").await;
    let post = publish(&api, &alice).await;
    let mut likers = vec![alice.id];
    for number in 0..11 {
        let liker = person(&api, &format!("liker_{number}")).await;
        like(&api, &liker, &post).await.is(204);
        likers.push(liker.id);
    }
    like(&api, &alice, &post).await.is(204);
    // Deleted accounts are skipped.
    let gone: Vec<Item> = (0..9).flat_map(|_| Likes::both_sides(UserId::random(), post_id(&post), START)).collect();
    put_all(&api, gone).await;
    likers.sort_unstable_by_key(|liker| (keys::liker_shard(*liker), *liker));
    let expected: Vec<String> = likers.iter().map(UserId::to_string).collect();
    for limit in [1, 2, 3, 5, 11, 12, 13, 100] {
        let listed = whole_list(&api, &alice, &format!("{post}/likes"), limit).await;
        let ids: Vec<_> = listed.iter().map(|like| like["user"]["user_id"].as_str().unwrap()).collect();
        assert_eq!(ids, expected, "limit {limit}");
    }
}

#[tokio::test]
async fn a_viral_post_lists_each_liker_once() {
    let api = TestApi::start();
    let alice = person(&api, "alice").await;
    let post = publish(&api, &alice).await;
    let likers: Vec<UserId> = (0..400).map(|_| UserId::random()).collect();
    let rows = likers.iter().flat_map(|liker| {
        let profile = Item::new(keys::profile(*liker))
            .with("handle", format!("h_{}", &liker.as_uuid().simple().to_string()[..20]))
            .with("display_name", "liker")
            .with("bio", "")
            .with("created_at", 1);
        Likes::both_sides(*liker, post_id(&post), START).into_iter().chain([profile])
    });
    put_all(&api, rows.collect()).await;
    for limit in [37, 100] {
        let listed = whole_list(&api, &alice, &format!("{post}/likes"), limit).await;
        let mut ids: Vec<UserId> =
            listed.iter().map(|like| like["user"]["user_id"].as_str().unwrap().parse().unwrap()).collect();
        assert_eq!(ids.len(), likers.len());
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), likers.len(), "limit {limit}");
    }
}

#[tokio::test]
async fn comments_show_newest_first_with_authors() {
    let api = TestApi::start();
    let (alice, bob) = (person(&api, "alice").await, person(&api, "bob").await);
    let post = publish(&api, &alice).await;
    let mut made = comment(&api, &bob, &post, " as sent 🦀\n").await.is(201).json();
    let listed = api.get(&format!("{post}/comments"), &alice.token).await.is(200).json();
    assert_eq!(listed, json!({"items": [made], "next_cursor": null}));
    for id in ["/comment_id", "/post_id", "/author/user_id"] {
        *made.pointer_mut(id).unwrap() = json!("[id]");
    }
    insta::assert_json_snapshot!("comment", made);
    for number in 0..6 {
        comment(&api, &alice, &post, &number.to_string()).await.is(201);
    }
    for limit in [1, 2, 7, 8] {
        let comments = whole_list(&api, &bob, &format!("{post}/comments"), limit).await;
        assert_eq!(texts(&comments), ["5", "4", "3", "2", "1", "0", " as sent 🦀\n"], "limit {limit}");
    }
}

#[tokio::test]
async fn a_comment_has_1_to_500_characters() {
    let api = TestApi::start();
    let alice = person(&api, "alice").await;
    let post = publish(&api, &alice).await;
    comment(&api, &alice, &post, &"🦀".repeat(500)).await.is(201);
    for (body, field) in [
        (json!({"text": "🦀".repeat(501)}), "text"),
        (json!({"text": ""}), "text"),
        (json!({"text": " \n\t"}), "text"),
        (json!({"text": "\u{3164}\u{FE0F}"}), "text"),
        (json!({"text": "a\0"}), "text"),
        (json!({"text": null}), "text"),
        (json!({"text": 5}), "text"),
        (json!({}), "text"),
        (json!({"text": "a", "reply_to": post}), "reply_to"),
    ] {
        let answer = api.post(&format!("{NOBODYS_POST}/comments"), Some(&alice.token), &body).await;
        assert_eq!(answer.problem(422, "invalid").fields(), [field], "{body}");
    }
}

#[tokio::test]
async fn a_comment_with_a_lost_answer_exists_once() {
    let api = TestApi::start();
    let alice = person(&api, "alice").await;
    let post = publish(&api, &alice).await;
    comment(&api, &alice, &post, "again").await.is(201);
    let transactions = api.watched.transactions();
    api.watched.lose_answers(2);
    let answer = comment(&api, &alice, &post, "again").await.is(201);
    assert_eq!(api.watched.transactions(), transactions + 3);
    let comments = whole_list(&api, &alice, &format!("{post}/comments"), 100).await;
    assert_eq!(texts(&comments), ["again", "again"]);
    assert_eq!(comments[0], answer.json());
}

#[tokio::test]
async fn comment_or_post_authors_may_delete_a_comment() {
    let api = TestApi::start();
    let (alice, bob, carol) = (person(&api, "alice").await, person(&api, "bob").await, person(&api, "carol").await);
    let post = publish(&api, &alice).await;
    let of_bob = comment(&api, &bob, &post, "by bob").await.is(201).text_of("comment_id");
    let also_of_bob = comment(&api, &bob, &post, "also by bob").await.is(201).text_of("comment_id");
    let of_alice = comment(&api, &alice, &post, "by alice").await.is(201).text_of("comment_id");
    delete_comment(&api, &carol, &post, &of_bob).await.problem(403, "forbidden");
    delete_comment(&api, &bob, &post, &of_alice).await.problem(403, "forbidden");
    let shown = async || whole_list(&api, &carol, &format!("{post}/comments"), 2).await;
    assert_eq!(texts(&shown().await), ["by alice", "also by bob", "by bob"]);

    assert_eq!(delete_comment(&api, &bob, &post, &of_bob).await.is(204).text, "");
    assert_eq!(texts(&shown().await), ["by alice", "also by bob"]);
    delete_comment(&api, &alice, &post, &also_of_bob).await.is(204);
    assert_eq!(texts(&shown().await), ["by alice"]);
    for (who, id) in [(&alice, &of_bob), (&bob, &of_bob), (&alice, &also_of_bob), (&bob, &also_of_bob)] {
        delete_comment(&api, who, &post, id).await.is(204);
    }
    delete_comment(&api, &carol, &post, &of_bob).await.problem(404, "not-found");
}

#[tokio::test]
async fn a_comment_of_another_post_is_not_found() {
    let api = TestApi::start();
    let alice = person(&api, "alice").await;
    let (post, other) = (publish(&api, &alice).await, publish(&api, &alice).await);
    let id = comment(&api, &alice, &post, "here").await.is(201).text_of("comment_id");
    for id in [id.as_str(), "018f6a6e-0000-7000-8000-000000000000", "abc", "%ff"] {
        delete_comment(&api, &alice, &other, id).await.problem(404, "not-found");
    }
    assert_eq!(whole_list(&api, &alice, &format!("{post}/comments"), 20).await.len(), 1);
}

#[tokio::test]
async fn deleting_a_comment_is_idempotent_for_30_days() {
    let api = TestApi::start();
    let (alice, bob) = (person(&api, "alice").await, person(&api, "bob").await);
    let post = publish(&api, &alice).await;
    let id = comment(&api, &bob, &post, "gone").await.is(201).text_of("comment_id");
    api.watched.lose_answers(1);
    delete_comment(&api, &bob, &post, &id).await.is(204);
    api.clock.advance(limits::DELETED_TTL.saturating_sub(Duration::from_millis(1)));
    let bob = log_in(&api, "bob", &bob).await;
    delete_comment(&api, &bob, &post, &id).await.is(204);
    api.clock.advance(Duration::from_millis(1));
    delete_comment(&api, &bob, &post, &id).await.problem(404, "not-found");
}

#[tokio::test]
async fn comment_deletion_is_idempotent_on_deleted_posts() {
    let api = TestApi::start();
    let (alice, bob) = (person(&api, "alice").await, person(&api, "bob").await);
    let post = publish(&api, &alice).await;
    let id = comment(&api, &bob, &post, "gone").await.is(201).text_of("comment_id");
    delete_comment(&api, &bob, &post, &id).await.is(204);
    mark_deleted(&api, &post).await;
    delete_comment(&api, &bob, &post, &id).await.is(204);
    delete_comment(&api, &alice, &post, &id).await.problem(404, "not-found");
}

#[tokio::test]
async fn comments_of_deleted_accounts_are_skipped() {
    let api = TestApi::start();
    let alice = person(&api, "alice").await;
    let post = publish(&api, &alice).await;
    let (ids, now) = (IdGenerator::new(), api.clock.now());
    let gone = UserId::random();
    let mut last = None;
    for number in 0..120 {
        let author_id = if number % 40 == 0 { alice.id } else { gone };
        let comment = Comment {
            comment_id: ids.next_comment_id(now),
            post_id: post_id(&post),
            author_id,
            text: CommentText::parse(&number.to_string()).unwrap(),
        };
        put_all(&api, Comments::both_sides(&comment).into()).await;
        last = Some(comment.comment_id.to_string());
    }
    let shown = whole_list(&api, &alice, &format!("{post}/comments"), 2).await;
    assert_eq!(texts(&shown), ["80", "40", "0"]);
    // The author of the post, who could otherwise delete it, gets a 404 as well.
    delete_comment(&api, &alice, &post, &last.unwrap()).await.problem(404, "not-found");
}

/// Logs in again, because the first token has expired.
async fn log_in(api: &TestApi, handle: &str, person: &Person) -> Person {
    let body = json!({"handle": handle, "password": crate::it::support::PASSWORD});
    let token = api.post("/v1/auth/login", None, &body).await.is(200).text_of("access_token");
    Person { token, id: person.id }
}

#[tokio::test]
async fn cursors_belong_to_their_list() {
    let api = TestApi::start();
    let (alice, bob) = (person(&api, "alice").await, person(&api, "bob").await);
    let post = publish(&api, &alice).await;
    for who in [&alice, &bob] {
        like(&api, who, &post).await.is(204);
        comment(&api, who, &post, "hello").await.is(201);
    }
    let cursor =
        async |list: &str| api.get(&format!("{post}/{list}?limit=1"), &alice.token).await.text_of("next_cursor");
    let (likes, comments) = (cursor("likes").await, cursor("comments").await);
    for (path, cursor) in
        [(format!("{post}/likes"), &comments), (format!("{post}/comments"), &likes), ("/v1/feed".to_owned(), &comments)]
    {
        api.get(&format!("{path}?cursor={cursor}"), &alice.token).await.problem(400, "unparseable");
    }
    // An unreadable query is reported before an absent post.
    api.get(&format!("{NOBODYS_POST}/likes?cursor={comments}"), &alice.token).await.problem(400, "unparseable");
    api.get(&format!("{NOBODYS_POST}/likes?limit=0"), &alice.token).await.problem(422, "invalid");
}

#[tokio::test]
async fn counts_show_on_replayed_answers_too() {
    let api = TestApi::start();
    let alice = person(&api, "alice").await;
    let publish = async || {
        let request = request(Method::POST, "/v1/posts", Some(&alice.token))
            .header(CONTENT_TYPE, "application/json")
            .header("idempotency-key", "once")
            .body(Body::from(json!({"text": "hello"}).to_string()));
        api.send(request.unwrap()).await.is(201)
    };
    let first = publish().await;
    let post = first.header("location").unwrap().to_owned();
    let shown =
        |post: &Value| (post["likes_count"].clone(), post["comments_count"].clone(), post["liked_by_me"].clone());
    assert_eq!(shown(&first.json()), (json!(0), json!(0), json!(false)));
    let counts = Item::new(keys::post_counts(post_id(&post))).with("likes", 7).with("comments", 3);
    put_all(&api, vec![counts]).await;
    like(&api, &alice, &post).await.is(204);
    let expected = (json!(7), json!(3), json!(true));
    assert_eq!(shown(&api.get(&post, &alice.token).await.json()), expected);
    for list in ["/v1/feed", "/v1/users/me/posts"] {
        assert_eq!(shown(&api.get(list, &alice.token).await.json()["items"][0]), expected, "{list}");
    }
    assert_eq!(shown(&publish().await.json()), expected);
}

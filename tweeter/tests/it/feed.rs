//! Feeds and stories as readers see them, through HTTP and the whole pipeline.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
};

use crate::support::{Answer, PASSWORD, Person, TestApp, hooks, post_ids, wrap_queue};
use data::{Created, Follows};
use domain::{Timestamp, limits};
use futures::future::join_all;
use http::Method;
use ports::queue::QueueName;
use serde_json::{Value, json};
use testkit::faults::CountingQueue;
use uuid::Uuid;

const NOTHING: [&str; 0] = [];

async fn feed(app: &TestApp, reader: &Person) -> Vec<String> {
    app.feed(reader, "?limit=100").await.expect(200).post_ids()
}

async fn story(app: &TestApp, reader: &Person, author: &Person) -> Vec<String> {
    app.story(reader, &author.user_id, "?limit=100").await.expect(200).post_ids()
}

#[tokio::test]
async fn only_author_and_followers_see_a_post() {
    let app = TestApp::start().await;
    let [alice, bob, eve] = [app.register("alice").await, app.register("bob").await, app.register("eve").await];
    app.follow(&bob, &alice).await;
    let post = app.post(&alice, "hello").await;
    app.drain().await;
    assert_eq!(feed(&app, &bob).await, [post.as_str()]);
    assert_eq!(feed(&app, &alice).await, [post.as_str()]);
    assert_eq!(feed(&app, &eve).await, NOTHING);
    for reader in [&alice, &bob, &eve] {
        assert_eq!(story(&app, reader, &alice).await, [post.as_str()], "any user may read a story");
    }

    app.unfollow(&bob, &alice).await;
    assert_eq!(feed(&app, &bob).await, NOTHING);
}

#[tokio::test]
async fn a_follow_shows_posts_in_the_next_feed() {
    let mut without = hooks();
    without.workers = false;
    let app = TestApp::start_with(without).await;
    let [alice, bob] = [app.register("alice").await, app.register("bob").await];
    let mut posts = Vec::new();
    for number in 0..103 {
        posts.insert(0, app.post(&alice, &format!("{number}")).await);
    }
    posts.truncate(100);
    for _ in 0..2 {
        app.follow(&bob, &alice).await;
        assert_eq!(post_ids(&app.whole_list(&bob, "/v1/feed", 20).await), posts);
    }
    app.unfollow(&bob, &alice).await;
    assert_eq!(feed(&app, &bob).await, NOTHING, "removed at once");
    app.follow(&bob, &alice).await;
    assert_eq!(feed(&app, &bob).await, posts);
}

#[tokio::test]
async fn a_refollow_shows_posts_missed_meanwhile() {
    let app = TestApp::start().await;
    let [alice, bob, carol] = [app.register("alice").await, app.register("bob").await, app.register("carol").await];
    app.follow_all(&[bob.clone(), carol.clone()], &alice).await;
    let before = app.post(&alice, "before").await;
    app.drain().await;
    for reader in [&bob, &carol] {
        app.unfollow(reader, &alice).await;
    }
    let missed = app.post(&alice, "missed").await;
    app.drain().await;
    // Only one of them reads in between, which removes the outdated entry.
    assert_eq!(feed(&app, &bob).await, NOTHING);
    app.follow_all(&[bob.clone(), carol.clone()], &alice).await;
    let after = app.post(&alice, "after").await;
    app.drain().await;
    for reader in [&bob, &carol] {
        assert_eq!(feed(&app, reader).await, [after.as_str(), &missed, &before], "{}", reader.handle);
    }
}

#[tokio::test]
async fn a_start_finishes_follows_after_a_crash() {
    let app = TestApp::start_with(hooks()).await;
    let [alice, bob] = [app.register("alice").await, app.register("bob").await];
    let post = app.post(&alice, "before").await;
    // The state left by a process that died between the two transactions of a follow.
    let (services, now) = (app.services().clone(), app.services().clock.now());
    let [follower, followee] = [&bob, &alice].map(|person| person.user_id.parse().unwrap());
    let (marker, lease_until) = (services.ids.next_post_id(now), now.plus(limits::BACKFILL_LEASE));
    let follows = Follows::new(services.store.clone());
    let created = follows.create(follower, followee, now, marker, lease_until).await.unwrap();
    assert!(matches!(created, Created::Now(_)));
    drop((follows, services));
    assert_eq!(feed(&app, &bob).await, NOTHING);

    let app = app.restart(hooks()).await;
    assert_eq!(feed(&app, &bob).await, [post.as_str()]);
}

#[tokio::test]
async fn an_author_sees_a_post_at_once() {
    let mut without = hooks();
    without.workers = false;
    let app = TestApp::start_with(without).await;
    let [alice, bob, carol] = [app.register("alice").await, app.register("bob").await, app.register("carol").await];
    for follower in [&bob, &carol] {
        app.follow(follower, &alice).await;
    }
    let post = app.post(&alice, "hello").await;
    assert_eq!(feed(&app, &alice).await, [post.as_str()]);
    assert_eq!(story(&app, &alice, &alice).await, [post.as_str()]);
    app.unfollow(&bob, &alice).await;

    let app = app.restart(hooks()).await;
    app.drain().await;
    assert_eq!(feed(&app, &carol).await, [post.as_str()]);
    assert_eq!(feed(&app, &bob).await, NOTHING, "unfollowed while the post still waited");
}

/// Pages through a list with several page sizes, while `others` keep changing it.
async fn walks_while(app: &TestApp, reader: &Person, path: &str, others: impl AsyncFn(usize)) -> Vec<Vec<Value>> {
    let are_done = AtomicBool::new(false);
    let walk = async {
        let walks = [1, 7, 20, 100].map(|limit| app.whole_list(reader, path, limit));
        let lists = join_all(walks).await;
        are_done.store(true, Ordering::SeqCst);
        lists
    };
    let write = async {
        for number in 0.. {
            others(number).await;
            if are_done.load(Ordering::SeqCst) {
                break;
            }
        }
    };
    futures::join!(walk, write).0
}

/// Asserts that each of `posts` is in each list once and in order, whatever was added meanwhile.
#[track_caller]
fn assert_each_once(lists: &[Vec<Value>], posts: &[String]) {
    let newest_first: Vec<_> = posts.iter().rev().cloned().collect();
    for list in lists {
        let ids = post_ids(list);
        assert!(ids.is_sorted_by(|newer, older| newer > older), "newest first, none twice: {ids:?}");
        let (_meanwhile, before) = ids.split_at(ids.len().checked_sub(posts.len()).expect("none is missing"));
        assert_eq!(before, newest_first);
    }
}

#[tokio::test]
async fn paging_yields_each_post_once_beside_new_posts() {
    let app = TestApp::start().await;
    let [alice, carol, bob] = [app.register("alice").await, app.register("carol").await, app.register("bob").await];
    app.follow(&bob, &alice).await;
    app.follow(&bob, &carol).await;
    let (mut posts, mut of_alice) = (Vec::new(), Vec::new());
    for number in 0..41 {
        let author = if number % 3 == 0 { &carol } else { &alice };
        let post = app.post(author, &format!("{number}")).await;
        posts.push(post.clone());
        if number % 3 != 0 {
            of_alice.push(post);
        }
    }
    app.drain().await;

    let post_more = async |number: usize| {
        app.post(if number.is_multiple_of(2) { &alice } else { &carol }, "meanwhile").await;
    };
    assert_each_once(&walks_while(&app, &bob, "/v1/feed", post_more).await, &posts);
    let path = format!("/v1/users/{}/posts", alice.user_id);
    assert_each_once(&walks_while(&app, &bob, &path, post_more).await, &of_alice);
}

/// The ids of the people in a list that are among `among`.
fn people_of<'a>(list: &'a [Value], among: &BTreeSet<&str>) -> Vec<&'a str> {
    let ids = list.iter().map(|follow| follow["user"]["user_id"].as_str().unwrap());
    ids.filter(|id| among.contains(id)).collect()
}

#[tokio::test]
async fn paging_yields_each_person_once_beside_new_follows() {
    let app = TestApp::start().await;
    let alice = app.register("alice").await;
    let people = app.register_many("person", 43).await;
    app.follow_all(&people, &alice).await;
    for person in &people {
        app.follow(&alice, person).await;
    }
    let newcomers = app.register_many("newcomer", 20).await;
    let ids: BTreeSet<&str> = people.iter().map(|person| person.user_id.as_str()).collect();

    let join_and_leave = async |number: usize| {
        let newcomer = &newcomers[number % newcomers.len()];
        app.follow(newcomer, &alice).await;
        app.follow(&alice, newcomer).await;
        if number >= newcomers.len() {
            app.unfollow(newcomer, &alice).await;
            app.unfollow(&alice, newcomer).await;
        }
    };
    for path in ["/v1/users/me/followers", "/v1/users/me/following"] {
        let lists = walks_while(&app, &alice, path, join_and_leave).await;
        let seen: Vec<Vec<&str>> = lists.iter().map(|list| people_of(list, &ids)).collect();
        for people in &seen {
            assert_eq!(people.len(), ids.len(), "none twice: {path}");
            assert_eq!(people.iter().copied().collect::<BTreeSet<_>>(), ids, "everybody: {path}");
            assert_eq!(people, &seen[0], "in one order whatever the page: {path}");
        }
    }
}

/// The status and body of an answer.
fn created(answer: Answer) -> (Value, String) {
    let answer = answer.expect(201);
    (answer.body, answer.headers["location"].to_str().unwrap().to_owned())
}

#[tokio::test]
async fn posting_is_idempotent_by_key() {
    let mut counted = hooks();
    let queue = wrap_queue(&mut counted, CountingQueue::new);
    let app = TestApp::start_with(counted).await;
    let (alice, bob) = (app.register("alice").await, app.register("bob").await);
    app.follow(&bob, &alice).await;

    let first = created(app.post_with_key(&alice, "one", "sequential").await);
    assert_eq!(created(app.post_with_key(&alice, "one", "sequential").await), first);
    app.drain().await;
    assert_eq!(created(app.post_with_key(&alice, "one", "sequential").await), first, "even after its fan-out");

    let at_once = join_all((0..20).map(|_| app.post_with_key(&alice, "two", "at-once"))).await;
    let at_once: Vec<_> = at_once.into_iter().map(created).collect();
    assert!(at_once.iter().all(|answer| *answer == at_once[0]), "{at_once:#?}");

    app.drain().await;
    assert_eq!(app.whole_feed(&bob, 100).await, ["two", "one"]);
    assert_eq!(story(&app, &bob, &alice).await, feed(&app, &bob).await);
    for name in [QueueName::PostQ, QueueName::JobQ] {
        let counts = queue.counts(name);
        assert_eq!((counts.messages_sent, counts.messages_received), (2, 2), "{name:?}: one fan-out a post");
    }
    // Keys are per user.
    assert_ne!(created(app.post_with_key(&bob, "one", "sequential").await), first);
}

#[tokio::test]
async fn one_concurrent_registration_of_a_name_wins() {
    let app = TestApp::start().await;
    let of = |handle: String, email: String| json!({ "handle": handle, "email": email, "password": PASSWORD });
    let same_handle: Vec<_> = (0..10).map(|n| of("alice".into(), format!("handle{n}@example.org"))).collect();
    let same_email: Vec<_> = (0..10).map(|n| of(format!("email_{n}"), "alice@example.org".into())).collect();
    for (field, wishes) in [("handle", same_handle), ("email", same_email)] {
        let answers = join_all(wishes.iter().map(|wish| app.try_register(wish.clone()))).await;
        let (won, lost): (Vec<_>, Vec<_>) = wishes.iter().zip(answers).partition(|(_, answer)| answer.status == 201);
        assert_eq!((won.len(), lost.len()), (1, 9), "{field}");
        for (number, (mut wish, answer)) in lost.into_iter().map(|(wish, answer)| (wish.clone(), answer)).enumerate() {
            let answer = answer.expect(409);
            assert_eq!(answer.body["errors"].as_array().unwrap().len(), 1, "{answer:?}");
            assert_eq!(answer.body["errors"][0]["field"], field);
            // The values that the loser did not share are still free.
            let free =
                if field == "handle" { format!("second_{number}") } else { format!("second{number}@example.org") };
            wish[field] = json!(free);
            app.try_register(wish).await.expect(201);
        }
    }
}

#[tokio::test]
async fn a_post_has_the_time_of_its_id() {
    let app = TestApp::start().await;
    let alice = app.register("alice").await;
    let answer = app.try_post(&alice, json!({ "text": "now" })).await.expect(201);
    let post = Uuid::parse_str(answer.body["post_id"].as_str().unwrap()).unwrap();
    let (seconds, nanos) = post.get_timestamp().unwrap().to_unix();
    let of_id = Timestamp::from_millis(seconds * 1_000 + u64::from(nanos) / 1_000_000).to_string();
    assert!(of_id.ends_with('Z') && of_id.len() == "2025-11-21T04:40:00.100Z".len(), "{of_id}");
    let read = app.get_post(&alice, &post.to_string()).await.expect(200);
    let (feed, story) = (app.feed(&alice, "").await.expect(200), app.story(&alice, "me", "").await.expect(200));
    for shown in [&answer.body, &read.body, &feed.items()[0], &story.items()[0]] {
        assert_eq!(shown["created_at"], of_id);
    }
}

#[tokio::test]
async fn idempotency_keys_are_short_visible_ascii() {
    let app = TestApp::start().await;
    let alice = app.register("alice").await;
    let status = async |keys: &[&str]| {
        let headers: Vec<_> = keys.iter().map(|key| ("idempotency-key", *key)).collect();
        let (token, body) = (Some(alice.access_token.as_str()), Some(json!({ "text": "hello" })));
        app.request_with(Method::POST, "/v1/posts", token, body, &headers).await.status.as_u16()
    };
    let longest = "!~".repeat(127) + "x";
    assert_eq!([status(&[]).await, status(&[&longest]).await], [201, 201]);
    for bad in ["", "a b", "\u{e9}", &format!("{longest}x")] {
        assert_eq!(status(&[bad]).await, 422, "{bad}");
    }
    assert_eq!(status(&["a", "a"]).await, 422, "twice");
}

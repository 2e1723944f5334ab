//! A running service whose clock steps backward or forward, with or without a restart.

use std::time::Duration;

use crate::support::{Person, TestApp, hooks, in_time};
use data::Posts;
use domain::{Clock, PostId, PostText, Timestamp, UserId, limits};
use ports::store::{Consistency, EXPIRES_AT, Item, Key, Table, Write};
use tweeter::TestHooks;

const START: Timestamp = Timestamp::from_millis(1_763_700_000_000);
const HOUR: Duration = Duration::from_hours(1);
const MINUTE: Duration = Duration::from_mins(1);

async fn start(clock: &Clock) -> TestApp {
    TestApp::start_with(TestHooks { clock: clock.clone(), ..hooks() }).await
}

fn id_of(person: &Person) -> UserId {
    person.user_id.parse().unwrap()
}

async fn publish(app: &TestApp, author: UserId, text: &str) -> PostId {
    let services = app.services();
    let text = PostText::parse(text).unwrap();
    let publishing = services.publishing.as_ref().unwrap();
    publishing.publish(author, text, None, services.clock.now()).await.unwrap().post.post_id
}

fn canary() -> Key {
    Key { partition: "CANARY".to_owned(), sort: "EXPIRES".to_owned() }
}

/// An item that expires at this time.
async fn put_canary(app: &TestApp, expires_at: Timestamp) {
    let item = Item::new(canary()).with(EXPIRES_AT, expires_at.as_secs().cast_signed());
    assert!(app.services().store.write(Table::Social, Write::put(item)).await.unwrap().is_applied());
}

async fn has_canary(app: &TestApp) -> bool {
    app.services().store.get(Table::Social, &canary(), Consistency::Strong).await.unwrap().is_some()
}

#[tokio::test]
async fn a_clock_step_does_not_stop_expiry() {
    let clock = Clock::manual(START);
    let app = start(&clock).await;
    for to in [START.minus(HOUR), START.minus(HOUR / 2)] {
        clock.step_to(to);
        put_canary(&app, to.minus(HOUR)).await;
        // The next round, although the old time has not been reached again.
        clock.advance(MINUTE);
        in_time(async {
            while has_canary(&app).await {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

#[tokio::test]
async fn a_clock_jump_erases_no_restorable_post() {
    let clock = Clock::manual(START);
    let app = start(&clock).await;
    let alice = id_of(&app.register("alice").await);
    let [due, restorable] = [publish(&app, alice, "due").await, publish(&app, alice, "restorable").await];
    let posts = &app.services().posts;
    posts.delete(alice, due, clock.now()).await.unwrap();
    clock.advance(limits::DELETED_TTL.saturating_sub(MINUTE));
    posts.delete(alice, restorable, clock.now()).await.unwrap();
    put_canary(&app, clock.now().plus(HOUR * 24)).await;

    let right = clock.now();
    clock.step_to(right.plus(limits::DELETED_TTL + HOUR));
    let stored = Posts::new(app.services().store.clone());
    // Data due by the elapsed time is still erased.
    clock.advance(MINUTE);
    in_time(async {
        while !stored.get_all_strongly(&[due]).await.unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    app.drain().await;
    assert!(has_canary(&app).await);
    clock.step_to(right.plus(HOUR));
    posts.restore(restorable, clock.now()).await.unwrap();
    assert_eq!(posts.get(alice, restorable).await.unwrap().post.text.as_str(), "restorable");
}

#[tokio::test]
async fn a_post_after_a_clock_correction_is_shown() {
    let ahead = Clock::manual(START.plus(HOUR));
    let app = start(&ahead).await;
    let (alice, bob) = (id_of(&app.register("alice").await), id_of(&app.register("bob").await));
    for number in 0..=limits::BACKFILLED_POSTS {
        publish(&app, alice, &format!("{number}")).await;
    }
    app.services().graph.follow(bob, alice, ahead.now()).await.unwrap();
    let last = publish(&app, alice, "ahead").await;
    app.drain().await;

    let corrected = Clock::manual(START);
    let app = app.restart(TestHooks { clock: corrected, ..hooks() }).await;
    let first = publish(&app, alice, "corrected").await;
    app.drain().await;
    assert!(first > last && first.created_at() >= last.created_at(), "{first} after {last}");
    let feed = app.services().feeds.page(bob, None, domain::PageLimit::new(2).unwrap()).await.unwrap();
    let shown: Vec<_> = feed.items.iter().map(|view| view.post.post_id).collect();
    assert_eq!(shown, [first, last]);
}

//! Counts and notifications follow the change stream exactly, however it is delivered: on the real embedded engine,
//! checked against a simple model.
//!
//! `TWEETER_FAULT_SEEDS` sets the number of storms (default 6).

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use data::{Notifications, keys};
use domain::{IdGenerator, NotificationId, PageLimit, PostId, Timestamp, UserId, limits};
use futures::future::join_all;
use ports::{
    changes::{Change, ChangeLog as _},
    store::{Attributes, Consistency, Item, Store, Table, Write},
};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng as _, rngs::StdRng};
use service::{
    changes::{Applied, ChangeService},
    notifications::NotificationService,
    steps::StepSize,
};
use service_testkit::Embedded;
use service_testkit::{
    pipeline::START,
    social_harness::{Deed, SocialHarness, Stream},
};
use testkit::{
    crash::{Death, Life, MortalStore},
    faults::{CountingStore, FaultyStore, LateStore, StaleStore, StoreFaults},
};

const PEOPLE: usize = 6;

fn service(store: Arc<dyn Store>) -> ChangeService {
    ChangeService::new(store, Arc::new(IdGenerator::new()))
}

/// Steps so small that even a small social's posts and inboxes need many.
const SMALL: StepSize = StepSize { reactions: 2, notifications: 2, pages: 2 };

/// A service with small steps.
fn small_service(store: Arc<dyn Store>) -> ChangeService {
    service(store).in_steps(SMALL)
}

/// Delivers in order until the stream is empty, including the follow-up steps.
async fn drain(stream: &mut Stream, social: &SocialHarness, service: &ChangeService) {
    loop {
        stream.drain(service, social.now).await;
        let changes = social.store.take_changes();
        if changes.is_empty() {
            return;
        }
        stream.extend(changes);
    }
}

fn random_deed(rng: &mut StdRng) -> Deed {
    let mut number = || rng.random_range(0..1_000_usize);
    let (a, b, kind) = (number(), number(), number() % 20);
    match kind {
        0..2 => Deed::Post(a),
        2..4 => Deed::Delete(a),
        4..6 => Deed::Restore(a),
        6..9 => Deed::Follow(a, b),
        9..11 => Deed::Unfollow(a, b),
        11..15 => Deed::Like(a, b),
        15..17 => Deed::Unlike(a, b),
        17..19 => Deed::Comment(a, b),
        _ => Deed::DeleteComment(a),
    }
}

/// Marks notifications as read up to a random one, retrying until it succeeds.
async fn read_somewhere(social: &SocialHarness, store: &Arc<dyn Store>, rng: &mut StdRng) {
    let user = social.people[rng.random_range(0..PEOPLE)];
    let entries =
        Notifications::new(Arc::clone(&social.store) as Arc<dyn Store>).page_of_recipient(user, None, 1_000).await;
    let ids: Vec<NotificationId> =
        entries.unwrap().items.iter().map(|entry| entry.notification.notification_id).collect();
    if ids.is_empty() {
        return;
    }
    let (up_to, service) =
        (ids[rng.random_range(0..ids.len())], NotificationService::new(Arc::clone(store)).in_steps(SMALL));
    while let Err(error) = service.mark_read(user, up_to, social.now).await {
        assert!(error.is_transient(), "{error:?}");
    }
}

/// Removes expired items, as the store does. Acknowledges the store's own log first, because these tests deliver the
/// changes by other means.
async fn expire(embedded: &Embedded, now: Timestamp) {
    loop {
        let changes = embedded.changes.read(1_000, Duration::ZERO).await.unwrap();
        let Some(last) = changes.last() else { break };
        embedded.changes.pass(last).await.unwrap();
    }
    embedded.expiring.sweep_expired(now).await.unwrap();
}

/// Runs deeds and deliveries concurrently, by seed, with up to `pace` between two steps. Returns the number of failed
/// calls.
async fn storm(seed: u64, pace: Duration) -> u64 {
    let embedded = Embedded::open();
    let mut rng = StdRng::seed_from_u64(seed);
    let mut social = SocialHarness::of(PEOPLE, embedded.store.clone(), START).await;
    let stale: Arc<dyn Store> = Arc::new(StaleStore::new(social.store.clone(), 30));
    let faults = StoreFaults { throttled: 0.08, unavailable_before: 0.05, unavailable_after: 0.08, unprocessed: 0.1 };
    let faulty = Arc::new(FaultyStore::new(stale, faults, seed));
    let late = Arc::new(LateStore::new(faulty.clone(), 0.15, seed));
    let store: Arc<dyn Store> = late.clone();
    let (mut stream, mut drained) = (Stream::of(3), START);
    for step in 0..60 {
        for _ in 0..rng.random_range(0..12) {
            social.does(random_deed(&mut rng)).await;
        }
        stream.extend(social.store.take_changes());
        social.now = social.now.plus(pace.mul_f64(rng.random()));
        stream.time_passes(social.now);
        expire(&embedded, social.now).await;
        if social.now > drained.plus(Duration::from_hours(18)) {
            // A record not acknowledged within a day would be lost.
            late.switch().turn_off();
            faulty.switch().turn_off();
            drain(&mut stream, &social, &small_service(Arc::clone(&store))).await;
            drained = social.now;
            late.switch().turn_on();
            faulty.switch().turn_on();
        }
        let batches: Vec<_> = (0..rng.random_range(1..=3)).map(|_| stream.batch(&mut rng)).collect();
        // Each handler acts as a process of its own.
        let handlers: Vec<_> = batches.iter().map(|_| small_service(Arc::clone(&store))).collect();
        let applied =
            join_all(handlers.iter().zip(&batches).map(|(it, batch)| it.apply(&batch.changes, social.now))).await;
        for (batch, outcomes) in batches.iter().zip(applied) {
            // Occasionally the outcome is lost.
            if rng.random_bool(0.8) {
                stream.pass(batch, &outcomes);
            }
        }
        if rng.random_bool(0.3) {
            read_somewhere(&social, &store, &mut rng).await;
        }
        if step % 20 == 19 {
            late.switch().turn_off();
            faulty.switch().turn_off();
            drain(&mut stream, &social, &small_service(Arc::clone(&store))).await;
            social.assert_settled(&embedded.store, &format!("seed {seed}, step {step}")).await;
            assert_eq!(late.arrive_all().await, 0, "seed {seed}: late writes are refused");
            assert!(social.store.take_changes().is_empty(), "seed {seed}: late writes have no next step");
            if let Some(post) = social.first_post() {
                social.does(Deed::Delete(0)).await;
                stream.extend(social.store.take_changes());
                drain(&mut stream, &social, &small_service(Arc::clone(&store))).await;
                social.erase(post).await;
            }
            late.switch().turn_on();
            faulty.switch().turn_on();
        }
    }
    faulty.counts().throttled + faulty.counts().unavailable
}

#[tokio::test(start_paused = true)]
async fn counts_and_notifications_survive_a_storm_of_faults() {
    let seeds = std::env::var("TWEETER_FAULT_SEEDS").map_or(6, |seeds| seeds.parse().expect("a number"));
    for seed in 1..=seeds {
        assert!(storm(seed, Duration::from_secs(2)).await > 100, "seed {seed} is no storm");
    }
}

#[tokio::test(start_paused = true)]
async fn changes_hours_late_are_counted_exactly() {
    let seeds = std::env::var("TWEETER_FAULT_SEEDS").map_or(3, |seeds| seeds.parse().expect("a number"));
    for seed in 1..=seeds {
        // Sixty steps take nearly a week: the ledger forgets, but no notification expires.
        assert!(storm(seed, Duration::from_hours(5)).await > 100, "seed {seed} is no storm");
    }
}

fn deed() -> impl Strategy<Value = Deed> {
    any::<u64>().prop_map(|seed| random_deed(&mut StdRng::seed_from_u64(seed)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn redelivered_changes_are_counted_once(
        deeds in prop::collection::vec(deed(), 1..60),
        seed: u64,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let embedded = Embedded::open();
            let mut social = SocialHarness::of(PEOPLE, embedded.store.clone(), START).await;
            let (mut stream, mut rng) = (Stream::of(2), StdRng::seed_from_u64(seed));
            for deed in [Deed::Post(0), Deed::Post(1)].into_iter().chain(deeds) {
                social.does(deed).await;
            }
            stream.extend(social.store.take_changes());
            for _ in 0..6 {
                let batch = stream.batch(&mut rng);
                let outcomes = small_service(social.store.clone()).apply(&batch.changes, social.now).await;
                stream.pass(&batch, &outcomes);
                stream.extend(social.store.take_changes());
            }
            drain(&mut stream, &social, &small_service(social.store.clone())).await;
            social.assert_settled(&embedded.store, "in the end").await;
        });
    }
}

/// A day in the social, with every deed undone and redone.
async fn day(embedded: &Embedded) -> (SocialHarness, Vec<Change>) {
    let mut social = SocialHarness::of(3, embedded.store.clone(), START).await;
    for deed in [
        Deed::Post(0),
        Deed::Post(1),
        Deed::Follow(1, 0),
        Deed::Follow(2, 0),
        Deed::Like(1, 0),
        Deed::Like(2, 0),
        Deed::Like(0, 1),
        Deed::Comment(1, 0),
        Deed::Comment(2, 0),
        Deed::Unlike(1, 0),
        Deed::Unfollow(2, 0),
        Deed::DeleteComment(1),
        Deed::Delete(1),
    ] {
        social.does(deed).await;
    }
    let changes = social.store.take_changes();
    (social, changes)
}

#[tokio::test(start_paused = true)]
async fn a_dying_handler_loses_and_doubles_no_count() {
    let mut deaths = 0;
    for death in [Death::Before, Death::After] {
        for calls in 0.. {
            let embedded = Embedded::open();
            let (mut social, changes) = day(&embedded).await;
            let life = Life::of(calls, death);
            let mortal = Arc::new(MortalStore::with(embedded.store.clone(), Arc::clone(&life)));
            let survived = life.live(service(mortal).apply(&changes, social.now)).await.is_some();
            // The next handler gets other batches, the first of them twice.
            for batch in [&changes[..5], &changes[..5], &changes[5..]] {
                for outcome in service(embedded.store.clone()).apply(batch, social.now).await {
                    assert!(matches!(outcome, Applied::Done), "{outcome:?}");
                }
            }
            social.assert_settled(&embedded.store, &format!("{death:?} call {calls}")).await;
            if survived {
                break;
            }
            deaths += 1;
        }
    }
    assert!(deaths > 20, "{deaths}");
}

#[tokio::test(start_paused = true)]
async fn a_step_that_dies_is_retried() {
    let mut deaths = 0;
    for death in [Death::Before, Death::After] {
        for calls in 0.. {
            let embedded = Embedded::open();
            let mut social = SocialHarness::of(5, embedded.store.clone(), START).await;
            let mut stream = Stream::of(1);
            social.does(Deed::Post(0)).await;
            for who in 1..5 {
                social.does(Deed::Like(who, 0)).await;
                social.does(Deed::Comment(who, 0)).await;
            }
            drain(&mut stream, &social, &small_service(social.store.clone())).await;
            social.does(Deed::Delete(0)).await;
            let life = Life::of(calls, death);
            let mortal = Arc::new(MortalStore::with(social.store.clone(), Arc::clone(&life)));
            stream.extend(social.store.take_changes());
            let lived = life.live(drain(&mut stream, &social, &small_service(mortal))).await;
            stream.extend(social.store.take_changes());
            drain(&mut stream, &social, &small_service(social.store.clone())).await;
            social.assert_settled(&embedded.store, &format!("{death:?} call {calls}")).await;
            if lived.is_some() {
                break;
            }
            deaths += 1;
        }
    }
    assert!(deaths > 40, "{deaths}");
}

/// A user likes a post and takes the like back, or the reverse, and the handler of the first change is late.
#[tokio::test(start_paused = true)]
async fn a_late_handler_with_older_state_is_refused() {
    for liked_before in [false, true] {
        let embedded = Embedded::open();
        let mut social = SocialHarness::of(2, embedded.store.clone(), START).await;
        social.does(Deed::Post(0)).await;
        if liked_before {
            social.does(Deed::Like(1, 0)).await;
        }
        let mut stream = Stream::of(1);
        stream.extend(social.store.take_changes());
        stream.drain(&service(embedded.store.clone()), START).await;
        let (first, second) = (Deed::Like(1, 0), Deed::Unlike(1, 0));
        let (first, second) = if liked_before { (second, first) } else { (first, second) };
        social.does(first).await;
        let mut changes = social.store.take_changes();
        let late = Arc::new(LateStore::new(embedded.store.clone(), 1.0, 1));
        let outcomes = service(late.clone()).apply(&changes, START).await;
        assert!(matches!(outcomes[..], [Applied::Retry(_)]), "{outcomes:?}");
        social.does(second).await;
        changes.extend(social.store.take_changes());
        // Both together cancel out.
        service(embedded.store.clone()).apply(&changes, START).await;
        assert_eq!(late.arrive_all().await, 0, "liked before: {liked_before}");
        social.assert_settled(&embedded.store, "after the late handler").await;
    }
}

#[tokio::test]
async fn redone_acts_restore_their_hidden_notifications() {
    let embedded = Embedded::open();
    let mut social = SocialHarness::of(3, embedded.store.clone(), START).await;
    let mut stream = Stream::of(1);
    let likes = [Deed::Post(0), Deed::Like(1, 0), Deed::Comment(2, 0), Deed::Follow(1, 0), Deed::Like(0, 0)];
    let undone = [Deed::Unlike(1, 0), Deed::Unfollow(1, 0), Deed::Delete(0)];
    let redone = [Deed::Restore(0), Deed::Like(1, 0), Deed::Follow(1, 0)];
    for (deeds, unread) in [(likes.to_vec(), 3), (undone.to_vec(), 0), (redone.to_vec(), 3)] {
        for deed in deeds {
            social.does(deed).await;
        }
        stream.extend(social.store.take_changes());
        drain(&mut stream, &social, &small_service(social.store.clone())).await;
        // The social remembers their former state and checks it here.
        social.assert_settled(&embedded.store, "meanwhile").await;
        let notifications = NotificationService::new(embedded.store.clone());
        assert_eq!(notifications.unread_count(social.people[0], social.now).await.unwrap(), unread);
        social.now = social.now.plus(Duration::from_mins(1));
    }
}

#[tokio::test]
async fn expired_notifications_are_neither_shown_nor_counted() {
    let embedded = Embedded::open();
    let mut social = SocialHarness::of(4, embedded.store.clone(), START).await;
    let (mut stream, day) = (Stream::of(1), Duration::from_hours(24));
    let notifications = NotificationService::new(embedded.store.clone());
    social.does(Deed::Post(0)).await;
    for who in 1..4 {
        social.does(Deed::Like(who, 0)).await;
        stream.extend(social.store.take_changes());
        stream.drain(&service(embedded.store.clone()), social.now).await;
        social.now = social.now.plus(day);
    }
    let recipient = social.people[0];
    let page = async |now| notifications.page(recipient, None, PageLimit::default(), now).await.unwrap();
    // The second is undone, so that the expired entries include a hidden one.
    social.does(Deed::Unlike(2, 0)).await;
    stream.extend(social.store.take_changes());
    stream.drain(&service(embedded.store.clone()), social.now).await;
    for (days, left) in [(89, 2), (90, 1), (91, 1), (92, 0)] {
        let found = page(START.plus(day * days)).await;
        assert_eq!((found.page.items.len(), found.unread), (left, left as u64), "after {days} days");
        assert_eq!(notifications.unread_count(recipient, START.plus(day * days)).await.unwrap(), left as u64);
    }
}

#[tokio::test]
async fn a_watermark_never_moves_back_or_ahead() {
    let embedded = Embedded::open();
    let mut social = SocialHarness::of(4, embedded.store.clone(), START).await;
    let mut stream = Stream::of(1);
    let notifications = NotificationService::new(embedded.store.clone());
    for who in 1..4 {
        social.does(Deed::Follow(who, 0)).await;
    }
    stream.extend(social.store.take_changes());
    stream.drain(&service(embedded.store.clone()), social.now).await;
    let recipient = social.people[0];
    let page = notifications.page(recipient, None, PageLimit::default(), START).await.unwrap();
    let ids: Vec<NotificationId> = page.page.items.iter().map(|view| view.notification.notification_id).collect();
    let (newest, oldest) = (ids[0], ids[2]);
    let last_of_all = NotificationId::from_uuid(uuid::Uuid::max());
    let before_all = NotificationId::from_uuid(uuid::Uuid::nil());
    for (up_to, unread) in [(before_all, 3), (oldest, 2), (before_all, 2), (newest, 0), (oldest, 0), (last_of_all, 0)] {
        notifications.mark_read(recipient, up_to, START).await.unwrap();
        assert_eq!(notifications.unread_count(recipient, START).await.unwrap(), unread, "{up_to}");
    }
    social.does(Deed::Post(0)).await;
    social.does(Deed::Like(1, 0)).await;
    stream.extend(social.store.take_changes());
    // The handler's clock is slow.
    let behind = START.minus(Duration::from_secs(2));
    stream.drain(&service(embedded.store.clone()), behind).await;
    assert_eq!(notifications.unread_count(recipient, START).await.unwrap(), 1, "a later notification is unread");
}

/// A post with this many uncounted likes.
async fn liked_post(embedded: &Embedded, likes: usize) -> (PostId, Vec<Change>) {
    let mut social = SocialHarness::of(1, embedded.store.clone(), START).await;
    social.does(Deed::Post(0)).await;
    service(embedded.store.clone()).apply(&social.store.take_changes(), START).await;
    let post = social.first_post().unwrap();
    for _ in 0..likes {
        let like = Item::new(keys::liker(post, UserId::random())).with("liked_at", 1);
        assert!(social.store.write(Table::Social, Write::put(like)).await.unwrap().is_applied());
    }
    (post, social.store.take_changes())
}

#[tokio::test]
async fn a_thousand_likes_take_eleven_count_transactions() {
    let embedded = Embedded::open();
    let (post, changes) = liked_post(&embedded, 1_000).await;
    let counting = Arc::new(CountingStore::new(embedded.store.clone()));
    service(counting.clone()).apply(&changes, START).await;
    let counts = counting.counts();
    // 98 or 99 likes each; and 49 notifications each, with the inbox.
    assert_eq!(counts.transact, 11 + 21, "{counts:?}");
    assert!(counts.query + counts.get == 0 && counts.batch_get < 100, "{counts:?}");
    let item = embedded.store.get(Table::Social, &keys::post_counts(post), Consistency::Strong).await.unwrap().unwrap();
    assert_eq!(item.number("likes"), Ok(1_000));
    counting.take_counts();
    service(counting.clone()).apply(&changes, START).await;
    let counts = counting.counts();
    assert_eq!((counts.transact, counts.write), (0, 0), "applied changes are not written again: {counts:?}");
}

#[tokio::test]
async fn late_changes_create_no_counts_after_erasure() {
    let embedded = Embedded::open();
    let (post, mut changes) = liked_post(&embedded, 3).await;
    let store = &embedded.store;
    for key in [keys::post(post), keys::post_counts(post)] {
        assert!(store.write(Table::Social, Write::delete(key)).await.unwrap().is_applied());
    }
    let (nobody, deleted) = (UserId::random(), UserId::random());
    let profile = Item::new(keys::profile(deleted)).with("deleted_at", 5);
    assert!(store.write(Table::Social, Write::put(profile)).await.unwrap().is_applied());
    let key = keys::follower_edge(nobody, deleted);
    changes.push(Change { id: "late".to_owned(), key, before: None, after: Some(Attributes::new()) });
    for outcome in service(store.clone()).apply(&changes, START).await {
        assert!(matches!(outcome, Applied::Done), "{outcome:?}");
    }
    for key in [keys::post_counts(post), keys::user_counts(nobody), keys::user_counts(deleted), keys::unread(nobody)] {
        assert_eq!(store.get(Table::Social, &key, Consistency::Strong).await.unwrap(), None, "{key:?}");
    }
}

#[tokio::test]
async fn a_poison_change_delays_no_other() {
    let embedded = Embedded::open();
    let (post, mut changes) = liked_post(&embedded, 30).await;
    let (other, others) = liked_post(&embedded, 5).await;
    changes.splice(10..10, others);
    // The other post's counts are malformed, and one change has no meaning.
    let broken = Item::new(keys::post_counts(other)).with("likes", "many");
    assert!(embedded.store.write(Table::Social, Write::put(broken)).await.unwrap().is_applied());
    "nobody".clone_into(&mut changes[20].key.sort);
    let outcomes = service(embedded.store.clone()).apply(&changes, START).await;
    for (place, outcome) in outcomes.iter().enumerate() {
        let is_at_fault = (10..15).contains(&place) || place == 20;
        assert_eq!(matches!(outcome, Applied::Poison(_)), is_at_fault, "{place}: {outcome:?}");
        assert!(is_at_fault || matches!(outcome, Applied::Done), "{place}: {outcome:?}");
    }
    let item = embedded.store.get(Table::Social, &keys::post_counts(post), Consistency::Strong).await.unwrap().unwrap();
    assert_eq!(item.number("likes"), Ok(29));
}

#[tokio::test(start_paused = true)]
async fn every_change_is_retried_during_an_outage() {
    let embedded = Embedded::open();
    let (_, mut changes) = liked_post(&embedded, 5).await;
    "nobody".clone_into(&mut changes[3].key.sort);
    let away = StoreFaults { unavailable_before: 1.0, ..StoreFaults::default() };
    let outcomes = service(Arc::new(FaultyStore::new(embedded.store.clone(), away, 1))).apply(&changes, START).await;
    let kinds: BTreeMap<usize, bool> =
        outcomes.iter().enumerate().map(|(place, outcome)| (place, matches!(outcome, Applied::Retry(_)))).collect();
    assert_eq!(kinds, (0..5).map(|place| (place, place != 3)).collect());
    assert!(matches!(outcomes[3], Applied::Poison(_)));
}

#[tokio::test]
async fn the_ledger_forgets_after_two_days() {
    let embedded = Embedded::open();
    let (_, changes) = liked_post(&embedded, 1).await;
    service(embedded.store.clone()).apply(&changes, START).await;
    let key = keys::applied_change(&changes[0].id);
    let entry = embedded.store.get(Table::Social, &key, Consistency::Strong).await.unwrap().unwrap();
    let expires_at = START.plus(limits::LEDGER_TTL).as_secs().cast_signed();
    assert_eq!(entry.number(ports::store::EXPIRES_AT), Ok(expires_at));
}

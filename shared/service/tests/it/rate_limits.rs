//! Rate limits over one store: the shared limit, and each process's decisions without the store.

use std::{cell::Cell, sync::Arc, time::Duration};

use data::{RateWindow, Rates, keys};
use domain::{Timestamp, UserId, limits};
use futures::{FutureExt, future::join_all};
use ports::store::{Consistency, EXPIRES_AT, Item, Store, Table, Value, Write};
use proptest::prelude::*;
use service::{
    ServiceError,
    rates::{Limit, RateLimiter},
};
use service_testkit::Embedded;
use service_testkit::pipeline::START;
use testkit::faults::{CountingStore, FaultyStore, GatedStore, StoreCounts, StoreFaults};

/// Whether a use is admitted.
async fn passes(limiter: &RateLimiter, limit: Limit, user: UserId, now: Timestamp) -> bool {
    match limiter.admit(limit, user, now).await {
        Ok(_) => true,
        Err(ServiceError::RateLimited { .. }) => false,
        Err(other) => panic!("{other:?}"),
    }
}

/// The number of admitted uses out of `tries`, one after the other.
async fn passing(limiter: &RateLimiter, limit: Limit, user: UserId, tries: usize) -> usize {
    let mut passed = 0;
    for _ in 0..tries {
        passed += usize::from(passes(limiter, limit, user, START).await);
    }
    passed
}

fn limiters(store: &Arc<dyn Store>, number: usize) -> Vec<RateLimiter> {
    (0..number).map(|_| RateLimiter::new(Arc::clone(store))).collect()
}

#[tokio::test]
async fn one_process_admits_exactly_the_limit() {
    let embedded = Embedded::open();
    for limit in [Limit::Posts, Limit::Likes, Limit::Registrations] {
        let limiter = RateLimiter::new(embedded.store.clone());
        let uses = limit.rate().uses as usize;
        assert_eq!(passing(&limiter, limit, UserId::random(), uses + 50).await, uses);
    }
}

#[tokio::test]
async fn concurrent_uses_get_exactly_the_limit() {
    let embedded = Embedded::open();
    let (limiter, user) = (RateLimiter::new(embedded.store.clone()), UserId::random());
    let tries = join_all((0..200).map(|_| passes(&limiter, Limit::Posts, user, START))).await;
    assert_eq!(tries.into_iter().filter(|passed| *passed).count(), 60);
}

#[tokio::test]
async fn uses_in_flight_keep_to_the_limit() {
    let embedded = Embedded::open();
    let gated = Arc::new(GatedStore::new(embedded.store.clone()));
    let limiter = RateLimiter::with_patience(gated.clone(), Duration::from_hours(1));
    let user = UserId::random();
    let mut tries: Vec<_> = (0..30).map(|_| Box::pin(passes(&limiter, Limit::FailedLogins, user, START))).collect();
    let at_once: Vec<_> = tries.iter_mut().map(|passes| passes.as_mut().now_or_never()).collect();
    assert_eq!(at_once.iter().filter(|answer| answer.is_none()).count(), 10, "one in flight for each use");
    assert_eq!(at_once.iter().filter(|answer| **answer == Some(false)).count(), 20);
    gated.let_through(10);
    let waiting = tries.into_iter().zip(at_once).filter_map(|(passes, answer)| answer.is_none().then_some(passes));
    assert_eq!(join_all(waiting).await, [true; 10]);
}

#[tokio::test]
async fn uses_beyond_patience_keep_to_the_limit() {
    let embedded = Embedded::open();
    let gated = Arc::new(GatedStore::new(embedded.store.clone()));
    let limiter = RateLimiter::with_patience(gated.clone(), Duration::ZERO);
    let user = UserId::random();
    let passed = join_all((0..30).map(|_| passes(&limiter, Limit::FailedLogins, user, START))).await;
    assert_eq!(passed.into_iter().filter(|passed| *passed).count(), 10);
}

#[tokio::test]
async fn a_process_started_mid_window_sees_its_uses() {
    let embedded = Embedded::open();
    let user = UserId::random();
    let before = RateLimiter::new(embedded.store.clone());
    assert_eq!(passing(&before, Limit::Posts, user, 60).await, 60);
    let after = RateLimiter::new(embedded.store.clone());
    assert_eq!(passing(&after, Limit::Posts, user, 5).await, 0);
}

#[tokio::test]
async fn hundreds_of_processes_share_exactly_the_limit() {
    let embedded = Embedded::open();
    for limit in [Limit::Posts, Limit::Registrations, Limit::FailedLogins, Limit::FailedPasswords, Limit::Refreshes] {
        let (user, limiters) = (UserId::random(), limiters(&embedded.store, 300));
        let passed = join_all(limiters.iter().map(|limiter| passing(limiter, limit, user, 2))).await;
        assert_eq!(passed.iter().sum::<usize>(), limit.rate().uses as usize, "{}", limit.name());
    }
}

#[tokio::test]
async fn a_use_costs_one_write_and_no_read() {
    let embedded = Embedded::open();
    let counting = Arc::new(CountingStore::new(embedded.store.clone()));
    let (limiter, user) = (RateLimiter::new(counting.clone()), UserId::random());
    for uses in 1..=60 {
        assert!(passes(&limiter, Limit::Posts, user, START).await);
        assert_eq!(counting.counts(), StoreCounts { write: uses, ..StoreCounts::default() });
    }
}

#[tokio::test]
async fn a_used_up_window_costs_one_store_call() {
    let embedded = Embedded::open();
    let (other, user) = (RateLimiter::new(embedded.store.clone()), UserId::random());
    assert_eq!(passing(&other, Limit::Posts, user, 60).await, 60);
    let counting = Arc::new(CountingStore::new(embedded.store.clone()));
    assert_eq!(passing(&RateLimiter::new(counting.clone()), Limit::Posts, user, 100).await, 0);
    assert_eq!(counting.counts(), StoreCounts { write: 1, ..StoreCounts::default() });
}

#[tokio::test]
async fn uses_stored_in_shares_still_count() {
    let embedded = Embedded::open();
    // The format from when processes reported several uses at once and counted their reports.
    let attributes = [("used", 57), ("asked", 3), (EXPIRES_AT, 1_700_000_000)];
    let attributes = attributes.map(|(name, number)| (name.into(), Value::N(number))).into();
    let key = keys::rate("posts", "subject", 7);
    let stored = Write::create(Item { key: key.clone(), attributes });
    assert!(embedded.store.write(Table::Social, stored).await.unwrap().is_applied());
    let (rates, window) =
        (Rates::new(embedded.store.clone()), RateWindow { limit: "posts", subject: "subject".into(), window: 7 });
    for use_of in 58..=60 {
        assert!(rates.take(&window, 60, START).await.unwrap().is_applied());
        let item = embedded.store.get(Table::Social, &key, Consistency::Strong).await.unwrap().unwrap();
        assert_eq!((item.number("used").unwrap(), item.number("asked").unwrap()), (use_of, 3));
    }
    assert!(!rates.take(&window, 60, START).await.unwrap().is_applied());
    let item = embedded.store.get(Table::Social, &key, Consistency::Strong).await.unwrap().unwrap();
    assert_eq!(item.number("used").unwrap(), 60, "a refused use writes nothing");
}

#[tokio::test]
async fn a_use_given_back_is_available_again() {
    let embedded = Embedded::open();
    let user = UserId::random();
    let (one, other) = (RateLimiter::new(embedded.store.clone()), RateLimiter::new(embedded.store.clone()));
    for _ in 0..100 {
        one.admit(Limit::FailedLogins, user, START).await.unwrap().give_back().await;
    }
    assert_eq!(passing(&other, Limit::FailedLogins, user, 20).await, 10);
}

#[tokio::test]
async fn a_use_another_process_gives_back_counts_soon() {
    let embedded = Embedded::open();
    let user = UserId::random();
    let (one, other) = (RateLimiter::new(embedded.store.clone()), RateLimiter::new(embedded.store.clone()));
    let mut taken = Vec::new();
    for _ in 0..10 {
        taken.push(one.admit(Limit::FailedLogins, user, START).await.unwrap());
    }
    assert!(!passes(&other, Limit::FailedLogins, user, START).await);
    taken.pop().unwrap().give_back().await;
    let later = START.plus(limits::RATE_REFUSAL_MEMORY);
    assert!(!passes(&other, Limit::FailedLogins, user, later.minus(Duration::from_millis(1))).await);
    assert!(passes(&other, Limit::FailedLogins, user, later).await);
    assert!(!passes(&other, Limit::FailedLogins, user, later).await);
}

#[tokio::test]
async fn a_flood_costs_one_write_a_second() {
    let embedded = Embedded::open();
    let (other, user) = (RateLimiter::new(embedded.store.clone()), UserId::random());
    assert_eq!(passing(&other, Limit::Posts, user, 60).await, 60);
    let counting = Arc::new(CountingStore::new(embedded.store.clone()));
    let limiter = RateLimiter::new(counting.clone());
    assert!(!passes(&limiter, Limit::Posts, user, START).await);
    for second in 1..4 {
        let now = START.plus(limits::RATE_REFUSAL_MEMORY * second);
        let flood = join_all((0..100).map(|_| passes(&limiter, Limit::Posts, user, now))).await;
        assert_eq!(flood, [false; 100]);
    }
    assert_eq!(counting.counts(), StoreCounts { write: 4, ..StoreCounts::default() });
}

/// Waits until a use is admitted.
async fn becomes_free(limiter: &RateLimiter, limit: Limit, user: UserId) -> bool {
    let free = async {
        while !passes(limiter, limit, user, START).await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), free).await.is_ok()
}

#[tokio::test]
async fn an_abandoned_attempt_gives_its_use_back() {
    let embedded = Embedded::open();
    let (limiter, user) = (RateLimiter::new(embedded.store.clone()), UserId::random());
    let mut attempts = Vec::new();
    for _ in 0..10 {
        attempts.push(limiter.attempt(Limit::FailedLogins, user, START).await.unwrap());
    }
    assert!(!passes(&limiter, Limit::FailedLogins, user, START).await);
    attempts.pop().unwrap().count();
    assert!(!passes(&limiter, Limit::FailedLogins, user, START).await, "a failed attempt counts");
    drop(attempts.pop());
    assert!(becomes_free(&limiter, Limit::FailedLogins, user).await);
}

#[tokio::test]
async fn giving_back_outlives_its_caller() {
    let embedded = Embedded::open();
    let gated = Arc::new(GatedStore::new(embedded.store.clone()));
    let limiter = RateLimiter::with_patience(gated.clone(), Duration::from_hours(1));
    let user = UserId::random();
    gated.let_through(10);
    assert_eq!(passing(&limiter, Limit::FailedLogins, user, 9).await, 9);
    let last = limiter.admit(Limit::FailedLogins, user, START).await.unwrap();
    assert!(Box::pin(last.give_back()).now_or_never().is_none(), "the caller hangs up before the store answers");
    gated.let_through(2);
    assert!(becomes_free(&limiter, Limit::FailedLogins, user).await);
}

#[tokio::test]
async fn a_failing_store_leaves_each_process_its_count() {
    let embedded = Embedded::open();
    let user = UserId::random();
    let dead = StoreFaults { unavailable_before: 1.0, ..StoreFaults::default() };
    let faulty = Arc::new(FaultyStore::new(embedded.store.clone(), dead, 1));
    let limiter = RateLimiter::new(faulty);
    assert_eq!(passing(&limiter, Limit::Posts, user, 100).await, 60);
}

#[tokio::test]
async fn a_use_is_taken_while_reads_run() {
    let embedded = Embedded::open();
    let gated = Arc::new(GatedStore::new(embedded.store.clone()));
    let limiter = RateLimiter::with_patience(gated.clone(), Duration::from_hours(1));
    let has_read = Cell::new(false);
    let reads = async {
        has_read.set(true);
        Ok(7)
    };
    let mut admitted = Box::pin(limiter.admit_beside(Limit::Likes, UserId::random(), START, reads));
    assert!(admitted.as_mut().now_or_never().is_none(), "the use waits for the store");
    assert!(has_read.get());
    gated.let_through(1);
    assert_eq!(admitted.await.unwrap(), 7);
}

#[tokio::test]
async fn a_use_is_free_once_the_store_has_it() {
    let embedded = Embedded::open();
    let gated = Arc::new(GatedStore::new(embedded.store.clone()));
    let limiter = RateLimiter::with_patience(gated.clone(), Duration::from_hours(1));
    let user = UserId::random();
    gated.let_through(10);
    assert_eq!(passing(&limiter, Limit::FailedLogins, user, 9).await, 9);
    let last = limiter.admit(Limit::FailedLogins, user, START).await.unwrap();
    let mut given_back = Box::pin(last.give_back());
    assert!(given_back.as_mut().now_or_never().is_none(), "it waits for the store");
    let meanwhile = passes(&limiter, Limit::FailedLogins, user, START).now_or_never();
    assert_eq!(meanwhile, Some(false), "the store would refuse, and the window count as used up");
    gated.let_through(2);
    given_back.await;
    assert!(passes(&limiter, Limit::FailedLogins, user, START).await);
}

#[tokio::test]
async fn failed_reads_count_until_the_refusal() {
    let embedded = Embedded::open();
    let (limiter, user) = (RateLimiter::new(embedded.store.clone()), UserId::random());
    let not_found = async || {
        let reads = async { Err::<(), _>(ServiceError::NotFound) };
        limiter.admit_beside(Limit::Posts, user, START, reads).await.unwrap_err()
    };
    for _ in 0..60 {
        assert!(matches!(not_found().await, ServiceError::NotFound));
    }
    assert!(matches!(not_found().await, ServiceError::RateLimited { .. }));
}

#[tokio::test]
async fn a_process_refuses_without_reading() {
    let embedded = Embedded::open();
    let (limiter, user) = (RateLimiter::new(embedded.store.clone()), UserId::random());
    assert_eq!(passing(&limiter, Limit::Posts, user, 60).await, 60);
    let reads = async { panic!("nothing is read for a refused use") };
    let refused: Result<(), _> = limiter.admit_beside(Limit::Posts, user, START, reads).await;
    assert!(matches!(refused, Err(ServiceError::RateLimited { .. })));
}

#[tokio::test]
async fn uses_whose_answers_are_lost_stay_taken() {
    let embedded = Embedded::open();
    let user = UserId::random();
    let lost = StoreFaults { unavailable_after: 1.0, ..StoreFaults::default() };
    let faulty = RateLimiter::new(Arc::new(FaultyStore::new(embedded.store.clone(), lost, 1)));
    assert_eq!(passing(&faulty, Limit::Posts, user, 20).await, 20);
    assert_eq!(passing(&RateLimiter::new(embedded.store.clone()), Limit::Posts, user, 100).await, 40);
}

#[tokio::test]
async fn the_wait_lasts_until_the_empty_next_window() {
    let embedded = Embedded::open();
    let (limiter, user) = (RateLimiter::new(embedded.store.clone()), UserId::random());
    assert_eq!(passing(&limiter, Limit::Posts, user, 60).await, 60);
    let Err(ServiceError::RateLimited { retry_after }) = limiter.admit(Limit::Posts, user, START).await else {
        panic!("the limit is used up");
    };
    assert!(!passes(&limiter, Limit::Posts, user, START.plus(retry_after).minus(Duration::from_millis(1))).await);
    assert!(passes(&limiter, Limit::Posts, user, START.plus(retry_after)).await);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// However uses are spread over processes, exactly the first uses up to the limit are admitted.
    #[test]
    fn processes_in_any_order_share_the_limit(order in prop::collection::vec(0_usize..12, 200)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let embedded = Embedded::open();
            let (limiters, user) = (limiters(&embedded.store, 12), UserId::random());
            for (at, process) in order.into_iter().enumerate() {
                assert_eq!(passes(&limiters[process], Limit::Posts, user, START).await, at < 60, "use {at}");
            }
        });
    }
}

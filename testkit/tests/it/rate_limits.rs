//! Rate limits over one store: how far processes may go together, and what is done without the store.

use std::{sync::Arc, time::Duration};

use crate::support::Embedded;
use domain::{Timestamp, UserId};
use futures::{
    FutureExt,
    future::{join_all, select_all},
};
use ports::store::Store;
use proptest::prelude::*;
use service::{
    ServiceError,
    rates::{Limit, RateLimiter},
};
use testkit::{
    faults::{FaultyStore, GatedStore, StoreFaults},
    pipeline::START,
};

/// Whether a use is let through.
async fn passes(limiter: &RateLimiter, limit: Limit, user: UserId, now: Timestamp) -> bool {
    match limiter.admit(limit, user, now).await {
        Ok(_) => true,
        Err(ServiceError::RateLimited { .. }) => false,
        Err(other) => panic!("{other:?}"),
    }
}

/// How many of `tries` are let through, one after the other.
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
async fn one_process_lets_exactly_the_limit_through() {
    let embedded = Embedded::open();
    for limit in [Limit::Posts, Limit::Likes, Limit::Registrations] {
        let limiter = RateLimiter::new(embedded.store.clone());
        let uses = limit.rate().uses as usize;
        assert_eq!(passing(&limiter, limit, UserId::random(), uses + 50).await, uses);
    }
}

#[tokio::test]
async fn many_at_once_in_one_process_get_exactly_the_limit() {
    let embedded = Embedded::open();
    let (limiter, user) = (RateLimiter::new(embedded.store.clone()), UserId::random());
    let tries = join_all((0..200).map(|_| passes(&limiter, Limit::Posts, user, START))).await;
    assert_eq!(tries.into_iter().filter(|passed| *passed).count(), 60);
}

#[tokio::test]
async fn asks_under_way_at_once_keep_to_the_limit() {
    let embedded = Embedded::open();
    let gated = Arc::new(GatedStore::new(embedded.store.clone()));
    let limiter = RateLimiter::with_patience(gated.clone(), Duration::from_hours(1));
    let (user, limit) = (UserId::random(), Limit::FailedLogins);
    let mut tries: Vec<_> = (0..9).map(|_| Box::pin(passes(&limiter, limit, user, START))).collect();
    assert!(tries.iter_mut().all(|passes| passes.as_mut().now_or_never().is_none()), "none knows of the others yet");
    gated.let_through(1);
    let (first, _, mut tries) = select_all(tries).await;
    assert!(first);
    tries.extend((0..9).map(|_| Box::pin(passes(&limiter, limit, user, START))));
    let (passed, tries): (Vec<_>, Vec<_>) =
        tries.into_iter().rev().map(|mut passes| passes.as_mut().now_or_never().ok_or(passes)).partition(Result::is_ok);
    let at_once = passed.into_iter().filter(|passed| matches!(passed, Ok(true))).count();
    gated.let_through(100);
    let later = join_all(tries.into_iter().filter_map(Result::err)).await;
    assert_eq!(1 + at_once + later.into_iter().filter(|passed| *passed).count(), 10);
}

#[tokio::test]
async fn a_use_that_does_not_wait_counts_those_asked_about() {
    let embedded = Embedded::open();
    let gated = Arc::new(GatedStore::new(embedded.store.clone()));
    let limiter = RateLimiter::with_patience(gated.clone(), Duration::ZERO);
    let user = UserId::random();
    let passed = join_all((0..30).map(|_| passes(&limiter, Limit::FailedLogins, user, START))).await;
    assert_eq!(passed.into_iter().filter(|passed| *passed).count(), 10);
}

#[tokio::test]
async fn a_process_that_starts_in_the_middle_of_a_window_finds_it_used() {
    let embedded = Embedded::open();
    let user = UserId::random();
    let before = RateLimiter::new(embedded.store.clone());
    assert_eq!(passing(&before, Limit::Posts, user, 60).await, 60);
    let after = RateLimiter::new(embedded.store.clone());
    assert_eq!(passing(&after, Limit::Posts, user, 5).await, 0);
}

#[tokio::test]
async fn hundreds_of_processes_together_let_less_than_twice_the_limit_through() {
    let embedded = Embedded::open();
    for limit in [Limit::Posts, Limit::Registrations, Limit::FailedLogins, Limit::FailedPasswords, Limit::Refreshes] {
        let user = UserId::random();
        let mut passed = 0;
        for limiter in limiters(&embedded.store, 300) {
            passed += passing(&limiter, limit, user, 2 * limit.rate().uses as usize).await;
        }
        let uses = limit.rate().uses as usize;
        assert!((uses..2 * uses).contains(&passed), "{}: {passed} of {uses}", limit.name());
    }
}

#[tokio::test]
async fn what_is_given_back_can_be_used_again() {
    let embedded = Embedded::open();
    let user = UserId::random();
    let (one, other) = (RateLimiter::new(embedded.store.clone()), RateLimiter::new(embedded.store.clone()));
    for _ in 0..100 {
        one.admit(Limit::FailedLogins, user, START).await.unwrap().give_back().await;
    }
    assert_eq!(passing(&other, Limit::FailedLogins, user, 20).await, 10);
}

#[tokio::test]
async fn without_the_store_each_process_decides_by_what_it_knows() {
    let embedded = Embedded::open();
    let user = UserId::random();
    let dead = StoreFaults { unavailable_before: 1.0, ..StoreFaults::default() };
    let faulty = Arc::new(FaultyStore::new(embedded.store.clone(), dead, 1));
    let limiter = RateLimiter::new(faulty);
    assert_eq!(passing(&limiter, Limit::Posts, user, 100).await, 60);
}

#[tokio::test]
async fn the_next_window_is_empty_and_the_wait_ends_with_this_one() {
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

    /// However uses are spread over processes: they keep below twice the limit, and nobody is refused before it is used.
    #[test]
    fn processes_in_any_order_keep_below_twice_the_limit(order in prop::collection::vec(0_usize..12, 200)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let embedded = Embedded::open();
            let (limiters, user) = (limiters(&embedded.store, 12), UserId::random());
            let (mut passed, mut refused_at) = (0, None);
            for process in order {
                if passes(&limiters[process], Limit::Posts, user, START).await {
                    passed += 1;
                } else {
                    refused_at = refused_at.or(Some(passed));
                }
            }
            assert!(passed < 120, "{passed}");
            assert!(refused_at.is_none_or(|passed| passed >= 60), "refused after {refused_at:?}");
        });
    }
}

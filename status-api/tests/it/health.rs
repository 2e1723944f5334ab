//! `GET /healthz`: reads, writes and the backlog of changes.

use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    time::Duration,
};

use crate::it::support::TestApi;
use domain::limits;
use embedded::SyncHooks;
use http::Method;
use serde_json::json;

/// Hooks that leave the process alive when a sync fails.
fn hooks(before: impl Fn() -> io::Result<()> + Send + Sync + 'static) -> SyncHooks {
    SyncHooks { before: Arc::new(before), failed: Arc::new(|_| {}) }
}

#[tokio::test]
async fn a_service_that_reads_and_writes_is_healthy() {
    let syncs = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&syncs);
    let api = TestApi::start_syncing(hooks(move || {
        counted.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }));
    let answer = api.bare(Method::GET, "/healthz", None).await.is(200);
    assert_eq!(answer.json(), json!({"status": "ok"}));
    assert!(syncs.load(Ordering::SeqCst) > 0, "a write was made durable");
}

#[tokio::test]
async fn changes_that_wait_degrade_the_service() {
    let api = TestApi::start();
    let alice = api.token_of("alice").await;
    api.post("/v1/posts", Some(&alice), &json!({"text": "Nobody counts me"})).await.is(201);
    api.clock.advance(limits::MAX_CHANGES_AGE + Duration::from_millis(1));
    let answer = api.bare(Method::GET, "/healthz", None).await.is(200);
    assert_eq!(answer.json(), json!({"status": "degraded", "reasons": ["changes_late"]}));
}

#[tokio::test]
async fn changes_may_wait_for_a_minute() {
    let api = TestApi::start();
    let alice = api.token_of("alice").await;
    api.post("/v1/posts", Some(&alice), &json!({"text": "Count me soon"})).await.is(201);
    api.clock.advance(limits::MAX_CHANGES_AGE);
    assert_eq!(api.bare(Method::GET, "/healthz", None).await.is(200).json(), json!({"status": "ok"}));
}

#[tokio::test]
async fn a_failed_sync_makes_the_service_unhealthy() {
    let api = TestApi::start_syncing(hooks(|| Err(io::Error::other("injected by the test"))));
    api.bare(Method::GET, "/healthz", None).await.problem(503, "unavailable");
}

#[tokio::test]
async fn a_hung_sync_makes_the_service_unhealthy() {
    let (release, released) = mpsc::channel::<()>();
    let (released, hangs) = (Mutex::new(released), Arc::new(AtomicBool::new(true)));
    let hanging = Arc::clone(&hangs);
    let api = TestApi::start_syncing(hooks(move || {
        if hanging.load(Ordering::SeqCst) {
            // Blocks until the test releases it. An error means that the test has ended.
            let _ended = released.lock().unwrap().recv();
        }
        Ok(())
    }));
    // Dropped before the API, because the API's engine waits for the syncer when it closes.
    let release = release;
    api.bare(Method::GET, "/healthz", None).await.problem(503, "unavailable");
    hangs.store(false, Ordering::SeqCst);
    drop(release);
}

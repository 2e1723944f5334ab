//! The API on a real store in a temporary directory, called through its router.
#![allow(dead_code, reason = "each test binary uses a part")]
#![allow(missing_docs, reason = "test support")]

mod engine;
pub mod metrics;

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use async_trait::async_trait;
use axum::{Router, body::Body};
use domain::{Clock, Timestamp};
use embedded::SyncHooks;
use http::{HeaderMap, Method, Request, StatusCode, header::CONTENT_TYPE};
use http_api::HttpOptions;
use http_body_util::BodyExt;
use ports::blobs::Blobs;
use ports::signing::TokenKeys;
use ports::store::{
    BatchGot, BatchWrite, Consistency, Item, Key, Outcome, Query, QueryPage, Store, StoreError, Table, Write,
};
use serde_json::{Value, json};
use service::{
    Foundation, ServiceOptions, Services, media::urls::MediaUrls, passwords::HashingOptions, rates::RateLimiter,
};
use tokio::sync::Notify;
use tower::ServiceExt;

pub const SECRET: [u8; 32] = [7; 32];
pub const PASSWORD: &str = "correct horse battery staple";
pub const START: Timestamp = Timestamp::from_millis(1_763_700_000_123);

/// A response.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {} {}", self.status, self.text))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// A field of the body, as text.
    pub fn text_of(&self, member: &str) -> String {
        self.json()[member].as_str().unwrap_or_else(|| panic!("no {member} in {}", self.text)).to_owned()
    }

    /// The fields that a 409 or 422 names.
    pub fn fields(&self) -> Vec<String> {
        let errors = self.json()["errors"].clone();
        errors.as_array().unwrap().iter().map(|error| error["field"].as_str().unwrap().to_owned()).collect()
    }

    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self
    }

    /// Checks that the response is a problem document of this status and type.
    #[track_caller]
    pub fn problem(self, status: u16, slug: &str) -> Self {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{} {}", self.status, self.text);
        let body = self.json();
        assert_eq!((self.status.as_u16(), body["status"].as_u64()), (status, Some(status.into())), "{}", self.text);
        assert_eq!(body["type"], format!("/problems/{slug}"), "{}", self.text);
        self
    }
}

/// The API under test.
pub struct TestApi {
    pub router: Router,
    pub clock: Clock,
    pub watched: Watched,
    /// The unwrapped store, for items that no route writes.
    pub store: Arc<dyn Store>,
    pub blobs: Arc<dyn Blobs>,
    engine: engine::Running,
}

impl TestApi {
    pub fn start() -> Self {
        Self::start_with(&HashingOptions::cheap(), &HttpOptions::default(), true)
    }

    /// An API without rate limits.
    pub fn start_with(hashing: &HashingOptions, options: &HttpOptions, publishes: bool) -> Self {
        Self::start_limited(hashing, options, publishes, |_| RateLimiter::off())
    }

    pub fn start_limited(
        hashing: &HashingOptions,
        options: &HttpOptions,
        publishes: bool,
        rates: impl FnOnce(Arc<dyn Store>) -> RateLimiter,
    ) -> Self {
        let clock = Clock::manual(START);
        let running = engine::Running::start(&clock, SyncHooks::default());
        Self::start_on(running, clock, hashing, options, publishes, rates)
    }

    /// An API on an engine whose syncs call these hooks, with real probes.
    pub fn start_syncing(hooks: SyncHooks) -> Self {
        let clock = Clock::manual(START);
        let running = engine::Running::start(&clock, hooks);
        let options = HttpOptions::default();
        let api = Self::start_on(running, clock, &HashingOptions::cheap(), &options, true, |_| RateLimiter::off());
        api.watched.pass_probes_on();
        api
    }

    fn start_on(
        running: engine::Running,
        clock: Clock,
        hashing: &HashingOptions,
        options: &HttpOptions,
        publishes: bool,
        rates: impl FnOnce(Arc<dyn Store>) -> RateLimiter,
    ) -> Self {
        let bare = running.store();
        let watched = Watched::around(Arc::clone(&bare));
        let store: Arc<dyn Store> = Arc::new(watched.clone());
        let blobs = running.blobs();
        let foundation = Foundation {
            blobs: Some(Arc::clone(&blobs)),
            media_urls: MediaUrls::under("https://media.example.org"),
            ..Foundation::new(Arc::clone(&store), clock.clone(), &TokenKeys::new(SECRET), rates(Arc::clone(&store)))
        };
        let service_options = ServiceOptions { hashing: hashing.clone(), ..ServiceOptions::default() };
        let services = Services::new(&foundation, publishes.then(|| running.queue()), &service_options);
        let router = status_api::router(services, Some(running.changes()), options);
        Self { router, clock, watched, store: bare, blobs, engine: running }
    }

    pub fn queue(&self) -> Arc<dyn ports::queue::Queue> {
        self.engine.queue()
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Answer { status: parts.status, headers: parts.headers, text }
    }

    /// A request without a body.
    pub async fn bare(&self, method: Method, path: &str, token: Option<&str>) -> Answer {
        self.send(request(method, path, token).body(Body::empty()).unwrap()).await
    }

    pub async fn get(&self, path: &str, token: &str) -> Answer {
        self.bare(Method::GET, path, Some(token)).await
    }

    pub async fn post(&self, path: &str, token: Option<&str>, body: &Value) -> Answer {
        self.post_text(path, token, body.to_string()).await
    }

    pub async fn patch(&self, path: &str, token: Option<&str>, body: &Value) -> Answer {
        let request = request(Method::PATCH, path, token).header(CONTENT_TYPE, "application/json");
        self.send(request.body(body.to_string().into()).unwrap()).await
    }

    pub async fn post_text(&self, path: &str, token: Option<&str>, body: impl Into<Body>) -> Answer {
        let request = request(Method::POST, path, token).header(CONTENT_TYPE, "application/json");
        self.send(request.body(body.into()).unwrap()).await
    }

    pub async fn register(&self, handle: &str) -> Answer {
        self.post("/v1/auth/register", None, &registration(handle)).await
    }

    /// Registers a user. Returns the access token.
    pub async fn token_of(&self, handle: &str) -> String {
        self.register(handle).await.is(201).text_of("access_token")
    }

    pub async fn refresh(&self, token: &str) -> Answer {
        self.post("/v1/auth/refresh", None, &json!({"refresh_token": token})).await
    }
}

pub fn request(method: Method, path: &str, token: Option<&str>) -> http::request::Builder {
    let request = Request::builder().method(method).uri(path);
    match token {
        Some(token) => request.header("authorization", format!("Bearer {token}")),
        None => request,
    }
}

pub fn registration(handle: &str) -> Value {
    json!({"handle": handle, "email": format!("{handle}@example.org"), "password": PASSWORD})
}

/// A store that counts its calls and can be made to fail.
#[derive(Debug, Clone)]
pub struct Watched {
    inner: Arc<dyn Store>,
    seen: Arc<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    reads: AtomicU64,
    syncs: AtomicU64,
    probes: AtomicU64,
    transactions: AtomicU64,
    durable_fails: AtomicBool,
    probe_fails: AtomicBool,
    probes_pass_on: AtomicBool,
    reads_fail: AtomicBool,
    reads_hang: AtomicBool,
    /// The number of next transactions that are applied but answered with an error.
    lost_answers: AtomicU64,
    /// The same for single writes.
    lost_answers_of_writes: AtomicU64,
    /// The gate that the next transaction waits for.
    held: Mutex<Option<Held>>,
}

/// A transaction that waits.
#[derive(Debug, Clone, Default)]
pub struct Held {
    come: Arc<Notify>,
    released: Arc<Notify>,
}

impl Held {
    pub async fn has_come(&self) {
        self.come.notified().await;
    }

    pub fn release(&self) {
        self.released.notify_one();
    }
}

impl Watched {
    fn around(inner: Arc<dyn Store>) -> Self {
        Self { inner, seen: Arc::default() }
    }

    /// The number of gets, batch gets and queries.
    pub fn reads(&self) -> u64 {
        self.seen.reads.load(Ordering::SeqCst)
    }

    pub fn syncs(&self) -> u64 {
        self.seen.syncs.load(Ordering::SeqCst)
    }

    pub fn probes(&self) -> u64 {
        self.seen.probes.load(Ordering::SeqCst)
    }

    pub fn transactions(&self) -> u64 {
        self.seen.transactions.load(Ordering::SeqCst)
    }

    pub fn fail_durable(&self) {
        self.seen.durable_fails.store(true, Ordering::SeqCst);
    }

    pub fn fail_probe(&self) {
        self.seen.probe_fails.store(true, Ordering::SeqCst);
    }

    /// Makes probes reach the store itself. Not for tests with a paused clock.
    pub fn pass_probes_on(&self) {
        self.seen.probes_pass_on.store(true, Ordering::SeqCst);
    }

    /// Makes reads fail permanently, with a cause that no client may see.
    pub fn fail_reads(&self) {
        self.seen.reads_fail.store(true, Ordering::SeqCst);
    }

    /// Makes reads never return.
    pub fn hang_reads(&self) {
        self.seen.reads_hang.store(true, Ordering::SeqCst);
    }

    pub fn lose_answers(&self, number: u64) {
        self.seen.lost_answers.store(number, Ordering::SeqCst);
    }

    pub fn lose_answers_of_writes(&self, number: u64) {
        self.seen.lost_answers_of_writes.store(number, Ordering::SeqCst);
    }

    /// Makes the next transaction wait until it is released.
    pub fn hold_next_transaction(&self) -> Held {
        let held = Held::default();
        *self.seen.held.lock().unwrap() = Some(held.clone());
        held
    }

    async fn read(&self) -> Result<(), StoreError> {
        self.seen.reads.fetch_add(1, Ordering::SeqCst);
        if self.seen.reads_hang.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        if self.seen.reads_fail.load(Ordering::SeqCst) {
            return Err(StoreError::Rejected("table prod-auth-7".into()));
        }
        Ok(())
    }

    fn failed() -> StoreError {
        StoreError::Unavailable("table prod-auth-7".into())
    }
}

/// Decrements a counter; false if it is zero.
fn take_one(of: &AtomicU64) -> bool {
    of.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

#[async_trait]
impl Store for Watched {
    async fn get(&self, table: Table, key: &Key, consistency: Consistency) -> Result<Option<Item>, StoreError> {
        self.read().await?;
        self.inner.get(table, key, consistency).await
    }

    async fn batch_get(&self, table: Table, keys: &[Key], consistency: Consistency) -> Result<BatchGot, StoreError> {
        self.read().await?;
        self.inner.batch_get(table, keys, consistency).await
    }

    async fn query(&self, query: &Query) -> Result<QueryPage, StoreError> {
        self.read().await?;
        self.inner.query(query).await
    }

    async fn batch_write(&self, table: Table, writes: &[BatchWrite]) -> Result<Vec<BatchWrite>, StoreError> {
        self.inner.batch_write(table, writes).await
    }

    async fn write(&self, table: Table, write: Write) -> Result<Outcome, StoreError> {
        let outcome = self.inner.write(table, write).await?;
        if take_one(&self.seen.lost_answers_of_writes) { Err(Self::failed()) } else { Ok(outcome) }
    }

    async fn transact(&self, writes: Vec<(Table, Write)>) -> Result<Outcome, StoreError> {
        self.seen.transactions.fetch_add(1, Ordering::SeqCst);
        let held = self.seen.held.lock().unwrap().take();
        if let Some(held) = held {
            held.come.notify_one();
            held.released.notified().await;
        }
        let outcome = self.inner.transact(writes).await?;
        if take_one(&self.seen.lost_answers) { Err(Self::failed()) } else { Ok(outcome) }
    }

    async fn durable(&self) -> Result<(), StoreError> {
        self.seen.syncs.fetch_add(1, Ordering::SeqCst);
        if self.seen.durable_fails.load(Ordering::SeqCst) {
            return Err(Self::failed());
        }
        self.inner.durable().await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.seen.probes.fetch_add(1, Ordering::SeqCst);
        if self.seen.probes_pass_on.load(Ordering::SeqCst) {
            return self.inner.probe().await;
        }
        // Not passed on: while waiting for a thread, a paused clock would advance to the probe's timeout.
        if self.seen.probe_fails.load(Ordering::SeqCst) { Err(Self::failed()) } else { Ok(()) }
    }
}

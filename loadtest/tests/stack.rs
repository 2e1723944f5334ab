//! A run against a deployed stack, played by one process: the run sees its API and its tables, as it would the stack's.

use std::{
    collections::BTreeSet,
    future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use loadtest::{
    error::LoadtestError,
    stack::{Place, Plan, Target, api::ApiClient, drive, error::StackError, report::StackReport},
};
use local::{Application, Config, DataDir, Handle, Seams};
use parking_lot::Mutex;
use shared::{
    service::tokens::{AccessTokens, SECRET_BYTES, TokenKeys},
    store::{BatchGot, BatchWrite, Consistency, Item, Key, Outcome, Query, QueryPage, Store, StoreError, Table, Write},
};

const PLAN: Plan =
    Plan { followers: 120, posts: 2, rows_per_second: 100_000, at_once: 8, patience: Duration::from_secs(30) };

/// A store that remembers every key that was ever written.
#[derive(Debug)]
struct Remembering {
    inner: Arc<dyn Store>,
    keys: Arc<Mutex<BTreeSet<(Table, Key)>>>,
}

#[async_trait]
impl Store for Remembering {
    async fn batch_write(&self, table: Table, writes: &[BatchWrite]) -> Result<Vec<BatchWrite>, StoreError> {
        self.keys.lock().extend(writes.iter().map(|write| (table, write.key().clone())));
        self.inner.batch_write(table, writes).await
    }

    async fn write(&self, table: Table, write: Write) -> Result<Outcome, StoreError> {
        self.keys.lock().insert((table, write.key().clone()));
        self.inner.write(table, write).await
    }

    async fn transact(&self, writes: Vec<(Table, Write)>) -> Result<Outcome, StoreError> {
        self.keys.lock().extend(writes.iter().map(|(table, write)| (*table, write.key().clone())));
        self.inner.transact(writes).await
    }

    async fn get(&self, table: Table, key: &Key, consistency: Consistency) -> Result<Option<Item>, StoreError> {
        self.inner.get(table, key, consistency).await
    }

    async fn batch_get(&self, table: Table, keys: &[Key], consistency: Consistency) -> Result<BatchGot, StoreError> {
        self.inner.batch_get(table, keys, consistency).await
    }

    async fn query(&self, query: &Query) -> Result<QueryPage, StoreError> {
        self.inner.query(query).await
    }

    async fn durable(&self) -> Result<(), StoreError> {
        self.inner.durable().await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.inner.probe().await
    }
}

/// A process that plays the stack.
struct Stack {
    handle: Handle,
    keys: Arc<Mutex<BTreeSet<(Table, Key)>>>,
}

impl Stack {
    async fn start(seams: Seams) -> Self {
        let keys: Arc<Mutex<BTreeSet<(Table, Key)>>> = Arc::default();
        let remembered = Arc::clone(&keys);
        let remember = move |inner| Arc::new(Remembering { inner, keys: Arc::clone(&remembered) }) as Arc<dyn Store>;
        let seams = Seams { wrap_store: Some(Box::new(remember)), ..seams };
        let handle = Application::build(Config::on_free_port(DataDir::Ephemeral), seams).await.unwrap().spawn();
        Self { handle, keys }
    }

    fn target(&self) -> Target {
        let services = self.handle.services();
        let url = format!("http://{}/", self.handle.address()).parse().unwrap();
        Target {
            place: Place { store: Arc::clone(&services.store), queue: Arc::clone(&services.queue) },
            tokens: services.accounts.access_tokens().clone(),
            api: ApiClient::new(url).unwrap(),
        }
    }

    async fn drive(&self, plan: Plan) -> Result<StackReport, LoadtestError> {
        drive(&self.target(), plan, future::pending).await
    }

    /// Fails when a key that was written at some time holds something now. Ends the process.
    async fn holds_nothing(self) {
        assert_eq!(self.left().await, []);
        self.handle.stop().await.unwrap();
    }

    async fn left(&self) -> Vec<(Table, Key)> {
        let keys = self.keys.lock().clone();
        assert!(!keys.is_empty(), "something was written");
        let store = &self.handle.services().store;
        let mut left = Vec::new();
        for (table, key) in keys {
            if store.get(table, &key, Consistency::Strong).await.unwrap().is_some() {
                left.push((table, key));
            }
        }
        left
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_feed_shows_every_post_once_and_nothing_is_left_behind() {
    let stack = Stack::start(Seams::default()).await;
    let report = stack.drive(PLAN).await.unwrap();
    assert_eq!((report.entries_expected, report.entries_found, report.duplicates), (240, 240, 0));
    assert!(report.is_complete());
    // A profile for each, two sides of each edge.
    assert_eq!(report.rows_seeded, 121 + 2 * 120);
    // A look at each feed for each post, and one in the check.
    assert!(report.feed_reads >= 3 * 120, "{report}");
    assert!(report.post_ms.max > 0.0 && report.fanout_ms.max > 0.0 && report.feed_read_ms.p99 > 0.0, "{report}");
    assert!(report.cost.posts > 0.0 && report.cost.reads > 0.0 && report.cost.rows > 0.0, "{report}");
    assert_eq!(report.not_removed, [""; 0]);
    stack.holds_nothing().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_that_delivers_nothing_is_found_incomplete_and_is_cleaned() {
    let stack = Stack::start(Seams { workers: false, sweep: false, ..Seams::default() }).await;
    let report = stack.drive(Plan { patience: Duration::ZERO, ..PLAN }).await.unwrap();
    // The first post is waited for in vain, and the second not made any more.
    assert_eq!((report.entries_expected, report.entries_found), (240, 0));
    assert!(!report.is_complete());
    stack.holds_nothing().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_run_removes_what_is_there() {
    let stack = Stack::start(Seams::default()).await;
    let target = stack.target();
    let once = AtomicBool::new(true);
    // While feeds are being waited for, and not again.
    let interrupt = || async {
        while target.api.requests().reads == 0 {
            tokio::task::yield_now().await;
        }
        if !once.swap(false, Ordering::SeqCst) {
            future::pending::<()>().await;
        }
    };
    let outcome = drive(&target, PLAN, interrupt).await;
    assert!(matches!(outcome, Err(LoadtestError::Stack(StackError::Interrupted))), "{outcome:?}");
    stack.handle.drain().await;
    stack.holds_nothing().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_the_api_refuses_removes_what_it_seeded() {
    let stack = Stack::start(Seams::default()).await;
    let tokens = AccessTokens::new(&TokenKeys::new([7; SECRET_BYTES]));
    let outcome = drive(&Target { tokens, ..stack.target() }, PLAN, future::pending).await;
    let error = outcome.unwrap_err();
    assert!(matches!(error, LoadtestError::Stack(StackError::Request(_))), "{error}");
    stack.holds_nothing().await;
}

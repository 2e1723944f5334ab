//! A run against a stack simulated by one process, of which the run sees the API and the tables.

use std::{
    collections::BTreeSet,
    future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use loadtest::{
    error::LoadtestError,
    stack::{Place, Plan, Target, api::ApiClient, drive, error::StackError, report::StackReport},
};
use parking_lot::Mutex;
use ports::signing::{SECRET_BYTES, TokenKeys};
use ports::store::{Consistency, Key, Store, StoreError, Table};
use service::tokens::AccessTokens;
use testkit::faults::{FaultyStore, HookedStore, StoreFaults};
use tweeter::{Application, Config, DataDir, Handle, TestHooks};

const PLAN: Plan =
    Plan { followers: 120, posts: 2, rows_per_second: 100_000, at_once: 8, patience: Duration::from_secs(30) };

/// Every key that was ever written.
type Keys = Arc<Mutex<BTreeSet<(Table, Key)>>>;

/// A store that records every written key in `keys`.
fn remembering(store: Arc<dyn Store>, keys: &Keys) -> Arc<dyn Store> {
    let keys = Arc::clone(keys);
    Arc::new(HookedStore::before(store, move |call| {
        keys.lock().extend(call.written());
        Box::pin(future::ready(Ok(())))
    }))
}

/// A store that rejects feed entries.
fn without_feed(store: Arc<dyn Store>) -> Arc<dyn Store> {
    Arc::new(HookedStore::before(store, |call| {
        let is_refused = call.written().iter().any(|(table, _)| *table == Table::Feed);
        let answer = if is_refused { Err(StoreError::Rejected("no permission".into())) } else { Ok(()) };
        Box::pin(future::ready(answer))
    }))
}

/// A process that simulates the stack.
struct Stack {
    handle: Handle,
    keys: Keys,
    /// Whether the process has workers that finish pending work.
    drains: bool,
}

impl Stack {
    async fn start(hooks: TestHooks) -> Self {
        let keys: Keys = Arc::default();
        let remembered = Arc::clone(&keys);
        let remember = move |inner| remembering(inner, &remembered);
        let drains = hooks.workers;
        let hooks = TestHooks { wrap_store: Some(Box::new(remember)), ..hooks };
        let handle = Application::build(Config::on_free_port(DataDir::Ephemeral), hooks).await.unwrap().spawn();
        Self { handle, keys, drains }
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

    /// Fails if a key that was ever written still holds an item, except one ledger entry per post. Ends the process.
    async fn holds_nothing(self) {
        // Changes by seeding, posts and cleaning may be applied late.
        if self.drains {
            self.handle.drain().await;
        }
        let left = self.left().await;
        self.handle.stop().await.unwrap();
        let (ledger, left): (Vec<_>, Vec<_>) =
            left.into_iter().partition(|(_, key)| key.partition.starts_with("LEDGER#"));
        assert_eq!(left, []);
        assert!(ledger.len() as u64 <= PLAN.posts, "{ledger:?}");
    }

    async fn left(&self) -> Vec<(Table, Key)> {
        let keys = self.keys.lock().clone();
        assert!(!keys.is_empty(), "keys were written");
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
async fn every_feed_is_complete_and_the_stack_cleaned() {
    let stack = Stack::start(TestHooks::default()).await;
    let report = stack.drive(PLAN).await.unwrap();
    stack.holds_nothing().await;
    assert_eq!((report.entries_expected, report.entries_found, report.duplicates), (240, 240, 0));
    assert!(report.is_complete());
    // A profile and an activity for each, two sides of each edge.
    assert_eq!(report.rows_seeded, 2 * 121 + 2 * 120);
    // At least one poll of each feed for each post, and one in the check.
    assert!(report.feed_reads >= 3 * 120, "{report}");
    assert!(report.post_ms.max > 0.0 && report.fanout_ms.max > 0.0 && report.feed_read_ms.p99 > 0.0, "{report}");
    assert!(report.cost.posts > 0.0 && report.cost.reads > 0.0 && report.cost.rows > 0.0, "{report}");
    assert_eq!(report.not_removed, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn throttled_and_unprocessed_rows_are_retried() {
    let stack = Stack::start(TestHooks::default()).await;
    let mut target = stack.target();
    let faults = StoreFaults { throttled: 0.3, unprocessed: 0.3, ..StoreFaults::default() };
    let faulty = Arc::new(FaultyStore::new(target.place.store, faults, 7));
    target.place.store = Arc::clone(&faulty) as Arc<dyn Store>;
    let report = drive(&target, PLAN, future::pending).await.unwrap();
    stack.holds_nothing().await;
    assert!(report.is_complete(), "{report}");
    assert_eq!((report.rows_seeded, report.not_removed.len()), (2 * 121 + 2 * 120, 0));
    assert!(faulty.counts().throttled > 0 && faulty.counts().undone > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_cannot_be_removed_are_reported() {
    let stack = Stack::start(TestHooks::default()).await;
    let mut target = stack.target();
    target.place.store = without_feed(Arc::clone(&target.place.store));
    let report = drive(&target, PLAN, future::pending).await.unwrap();
    let mut left = stack.left().await;
    left.retain(|(table, _)| *table == Table::Feed);
    stack.handle.stop().await.unwrap();
    // The two posts in the followers' and the author's feeds.
    assert_eq!(left.len(), 2 * 121);
    assert_eq!(report.not_removed, ["242 rows of the feed table: the store rejected the call: no permission"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_without_deliveries_is_incomplete_and_cleaned() {
    let stack = Stack::start(TestHooks { workers: false, sweep: false, ..TestHooks::default() }).await;
    let report = stack.drive(Plan { patience: Duration::ZERO, ..PLAN }).await.unwrap();
    // The run never sees the first post delivered, and so never sends the second.
    stack.holds_nothing().await;
    assert_eq!((report.entries_expected, report.entries_found), (240, 0));
    assert!(!report.is_complete());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_run_removes_its_rows() {
    let stack = Stack::start(TestHooks::default()).await;
    let target = stack.target();
    let once = AtomicBool::new(true);
    // Interrupts once, while the run waits for feeds.
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
async fn a_run_refused_by_the_api_cleans_up() {
    let stack = Stack::start(TestHooks::default()).await;
    let tokens = AccessTokens::new(&TokenKeys::new([7; SECRET_BYTES]));
    let outcome = drive(&Target { tokens, ..stack.target() }, PLAN, future::pending).await;
    let error = outcome.unwrap_err();
    assert!(matches!(error, LoadtestError::Stack(StackError::Request(_))), "{error}");
    stack.holds_nothing().await;
}

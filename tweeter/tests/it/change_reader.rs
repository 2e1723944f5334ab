//! The loop from the change log to its handler.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering},
    },
    time::Duration,
};

use crate::support::{ApiClient, TestApp, hooks, in_time};
use async_trait::async_trait;
use data::{keys, messages::ChangeMessage};
use domain::{Clock, PostId, Timestamp};
use embedded::{EmbeddedChanges, EmbeddedQueue, EmbeddedStore, Engine, EngineOptions, QueueSettingsOf};
use http::Method;
use parking_lot::Mutex;
use ports::{
    changes::{Backlog, Change, ChangeLog},
    queue::{
        OutgoingMessage, Queue as _,
        QueueName::{ChangeDlq, ChangeQ},
    },
    store::{BatchWrite, Item, Key, Store as _, StoreError, Table},
};
use service::changes::Applied;
use stream_handler::{Apply, Patience, StreamHandler};
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tweeter::{
    change_reader::ChangeReader,
    dead_letters::{DeadLetters, Selection},
};
use worker::RetryPauses;

/// Applies changes, except those with failures left.
#[derive(Debug, Default)]
struct Script {
    /// The remaining failures by the sort key of the item, and their kind.
    failures: Mutex<HashMap<String, (u32, Failure)>>,
    applied: Mutex<Vec<String>>,
    batches: AtomicUsize,
}

#[derive(Debug, Clone, Copy)]
enum Failure {
    Throttled,
    Rejected,
    Hangs,
}

impl Script {
    fn fails(self, sort: &str, times: u32, failure: Failure) -> Self {
        self.failures.lock().insert(sort.to_owned(), (times, failure));
        self
    }

    fn next_failure(&self, sort: &str) -> Option<Failure> {
        let mut failures = self.failures.lock();
        let (left, failure) = failures.get_mut(sort).filter(|(left, _)| *left > 0)?;
        *left -= 1;
        Some(*failure)
    }
}

#[async_trait]
impl Apply for Script {
    async fn apply(&self, changes: &[Change], _: Timestamp) -> Vec<Applied> {
        self.batches.fetch_add(1, Ordering::SeqCst);
        let mut outcomes = Vec::new();
        for change in changes {
            outcomes.push(match self.next_failure(&change.key.sort) {
                None => {
                    self.applied.lock().push(change.key.sort.clone());
                    Applied::Done
                }
                Some(Failure::Throttled) => {
                    outcomes.push(Applied::Retry(StoreError::Throttled.into()));
                    return outcomes;
                }
                Some(Failure::Rejected) => Applied::Poison(StoreError::Rejected("injected by the test".into()).into()),
                Some(Failure::Hangs) => std::future::pending().await,
            });
        }
        outcomes
    }
}

/// A log whose calls fail, or succeed but lose the answer, once each.
#[derive(Debug)]
struct Faulty {
    log: EmbeddedChanges,
    loses_an_answer: AtomicBool,
    fails_a_read: AtomicBool,
    fails_a_pass: AtomicBool,
}

fn lost() -> StoreError {
    StoreError::Unavailable("injected by the test".into())
}

#[async_trait]
impl ChangeLog for Faulty {
    async fn read(&self, max: usize, wait: Duration) -> Result<Vec<Change>, StoreError> {
        if self.fails_a_read.swap(false, Ordering::SeqCst) { Err(lost()) } else { self.log.read(max, wait).await }
    }

    async fn pass(&self, last: &Change) -> Result<(), StoreError> {
        if self.fails_a_pass.swap(false, Ordering::SeqCst) {
            return Err(lost());
        }
        self.log.pass(last).await?;
        if self.loses_an_answer.swap(false, Ordering::SeqCst) { Err(lost()) } else { Ok(()) }
    }

    async fn is_empty(&self) -> Result<bool, StoreError> {
        self.log.is_empty().await
    }

    async fn backlog(&self) -> Result<Backlog, StoreError> {
        self.log.backlog().await
    }
}

struct Fixture {
    store: EmbeddedStore,
    queue: EmbeddedQueue,
    log: EmbeddedChanges,
    script: Arc<Script>,
    progress: watch::Sender<u64>,
    stop: CancellationToken,
    engine: Engine,
    _folder: tempfile::TempDir,
}

impl Drop for Fixture {
    /// Otherwise the database's directory would be removed while a reader still runs.
    fn drop(&mut self) {
        self.engine.close();
    }
}

impl Fixture {
    fn new(script: Script) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::open(EngineOptions::at(folder.path())).unwrap();
        let queue = EmbeddedQueue::open(engine.clone(), QueueSettingsOf::default()).unwrap();
        Self {
            store: EmbeddedStore::new(engine.clone()),
            queue,
            log: EmbeddedChanges::new(engine.clone()),
            engine,
            script: Arc::new(script),
            progress: watch::Sender::new(0),
            stop: CancellationToken::new(),
            _folder: folder,
        }
    }

    async fn put(&self, sorts: &[&str]) {
        let puts: Vec<_> = sorts
            .iter()
            .map(|sort| Item::new(Key { partition: "POST#p".to_owned(), sort: (*sort).to_owned() }))
            .map(BatchWrite::Put)
            .collect();
        assert_eq!(self.store.batch_write(Table::Social, &puts).await.unwrap(), []);
    }

    fn reader(&self, log: impl ChangeLog) -> ChangeReader {
        self.reader_with(log, Patience::default())
    }

    fn reader_with(&self, log: impl ChangeLog, patience: Patience) -> ChangeReader {
        let queue = Arc::new(self.queue.clone());
        let handler = StreamHandler::new(self.script.clone(), queue, RetryPauses::default()).with_patience(patience);
        ChangeReader::new(Arc::new(log), handler, Clock::System, self.progress.clone())
    }

    fn start(&self, reader: ChangeReader) -> JoinHandle<()> {
        tokio::spawn(reader.run(self.stop.clone()))
    }

    /// Waits until every change is passed.
    async fn drained(&self) {
        let mut progress = self.progress.subscribe();
        in_time(async {
            while !self.log.is_empty().await.unwrap() {
                progress.changed().await.unwrap();
            }
        })
        .await;
    }

    /// The sort keys of the changes on ChangeDLQ.
    async fn dead_letters(&self) -> Vec<String> {
        let letters = self.queue.receive(ChangeDlq, 10, Duration::ZERO, None).await.unwrap();
        letters.iter().map(|letter| ChangeMessage::decode(&letter.body).unwrap().into_change().key.sort).collect()
    }

    fn applied(&self) -> Vec<String> {
        self.script.applied.lock().clone()
    }
}

#[tokio::test]
async fn changes_are_applied_and_passed_in_order() {
    let fixture = Fixture::new(Script::default());
    fixture.put(&["a", "b"]).await;
    let running = fixture.start(fixture.reader(fixture.log.clone()));
    fixture.drained().await;
    fixture.put(&["c"]).await;
    fixture.drained().await;
    assert_eq!(fixture.applied(), ["a", "b", "c"]);
    fixture.stop.cancel();
    in_time(running).await.unwrap();
}

#[tokio::test]
async fn changes_within_the_window_are_batched() {
    let fixture = Fixture::new(Script::default());
    // Longer than three writes take on any machine.
    let reader = fixture.reader(fixture.log.clone()).with_window(Duration::from_secs(2));
    let running = fixture.start(reader);
    fixture.put(&["a"]).await;
    in_time(async {
        while fixture.applied().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    for sort in ["b", "c", "d"] {
        fixture.put(&[sort]).await;
    }
    fixture.drained().await;
    assert_eq!(fixture.applied(), ["a", "b", "c", "d"]);
    assert_eq!(fixture.script.batches.load(Ordering::SeqCst), 2);
    fixture.stop.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn only_throttled_changes_are_retried() {
    let fixture = Fixture::new(Script::default().fails("c", 3, Failure::Throttled));
    fixture.put(&["a", "b", "c", "d"]).await;
    let _running = fixture.start(fixture.reader(fixture.log.clone()));
    fixture.drained().await;
    assert_eq!(fixture.applied(), ["a", "b", "c", "d"]);
}

#[tokio::test]
async fn poison_changes_are_dead_lettered_before_they_pass() {
    let fixture = Fixture::new(Script::default().fails("b", 1, Failure::Rejected));
    fixture.put(&["a", "b", "c"]).await;
    let _running = fixture.start(fixture.reader(fixture.log.clone()));
    fixture.drained().await;
    assert_eq!(fixture.applied(), ["a", "c"]);
    assert_eq!(fixture.dead_letters().await, ["b"]);
}

/// Short for the test, but longer than any change takes that does not hang.
const SHORT: Patience =
    Patience { several: Duration::from_millis(50), single: Duration::from_millis(500), batch: Duration::from_mins(1) };

#[tokio::test]
async fn a_part_that_hangs_once_is_retried() {
    let fixture = Fixture::new(Script::default().fails("b", 1, Failure::Hangs));
    fixture.put(&["a", "b"]).await;
    let _running = fixture.start(fixture.reader_with(fixture.log.clone(), SHORT));
    fixture.drained().await;
    assert_eq!(fixture.applied(), ["a", "a", "b"]);
    assert_eq!(fixture.dead_letters().await, [""; 0]);
}

#[tokio::test]
async fn a_hanging_change_becomes_a_dead_letter() {
    let fixture = Fixture::new(Script::default().fails("b", u32::MAX, Failure::Hangs));
    fixture.put(&["a", "b", "c", "d"]).await;
    let _running = fixture.start(fixture.reader_with(fixture.log.clone(), SHORT));
    fixture.drained().await;
    assert_eq!(fixture.dead_letters().await, ["b"]);
    let applied: HashSet<String> = fixture.applied().into_iter().collect();
    assert_eq!(applied, HashSet::from(["a", "c", "d"].map(str::to_owned)));
}

#[tokio::test]
async fn restarted_readers_get_past_hanging_changes() {
    let script = Script::default().fails("b", u32::MAX, Failure::Hangs).fails("d", u32::MAX, Failure::Hangs);
    let fixture = Fixture::new(script);
    fixture.put(&["a", "b", "c", "d", "e"]).await;
    // Each reader has time for little more than one hanging change, and keeps no state of earlier ones.
    let patience = Patience { batch: SHORT.single + SHORT.several, ..SHORT };
    while !fixture.log.is_empty().await.unwrap() {
        let mut progress = fixture.progress.subscribe();
        let stop = CancellationToken::new();
        let running = tokio::spawn(fixture.reader_with(fixture.log.clone(), patience).run(stop.clone()));
        in_time(progress.changed()).await.unwrap();
        stop.cancel();
        in_time(running).await.unwrap();
    }
    assert_eq!(fixture.dead_letters().await, ["b", "d"]);
}

#[tokio::test]
async fn a_failing_log_is_read_again() {
    let fixture = Fixture::new(Script::default());
    fixture.put(&["a"]).await;
    let faulty = Faulty {
        log: fixture.log.clone(),
        loses_an_answer: true.into(),
        fails_a_read: true.into(),
        fails_a_pass: true.into(),
    };
    let _running = fixture.start(fixture.reader(faulty));
    fixture.drained().await;
    fixture.put(&["b"]).await;
    fixture.drained().await;
    assert_eq!(fixture.applied(), ["a", "a", "b"]);
}

#[tokio::test]
async fn a_stop_waits_for_the_current_batch() {
    /// Signals its start, and continues when released.
    #[derive(Debug)]
    struct Slow {
        began: CancellationToken,
        go_on: CancellationToken,
        ended: AtomicU32,
    }
    #[async_trait]
    impl Apply for Slow {
        async fn apply(&self, changes: &[Change], _: Timestamp) -> Vec<Applied> {
            self.began.cancel();
            self.go_on.cancelled().await;
            self.ended.fetch_add(1, Ordering::SeqCst);
            changes.iter().map(|_| Applied::Done).collect()
        }
    }
    let fixture = Fixture::new(Script::default());
    fixture.put(&["a"]).await;
    let slow = Arc::new(Slow { began: CancellationToken::new(), go_on: CancellationToken::new(), ended: 0.into() });
    let handler = StreamHandler::new(slow.clone(), Arc::new(fixture.queue.clone()), RetryPauses::default());
    let log = Arc::new(fixture.log.clone());
    let running = fixture.start(ChangeReader::new(log, handler, Clock::System, fixture.progress.clone()));
    in_time(slow.began.cancelled()).await;
    fixture.stop.cancel();
    slow.go_on.cancel();
    in_time(running).await.unwrap();
    assert_eq!(slow.ended.load(Ordering::SeqCst), 1);
    assert!(fixture.log.is_empty().await.unwrap(), "handled changes are passed");
}

#[tokio::test]
async fn the_service_reads_its_log_and_reports_backlog() {
    let with_metrics = |config: &mut tweeter::Config| config.metrics_listen = Some(([127, 0, 0, 1], 0).into());
    let app = TestApp::start_configured(with_metrics, hooks()).await;
    let (alice, bob) = (app.register("alice").await, app.register("bob").await);
    app.follow(&bob, &alice).await;
    app.post(&alice, "hello").await;
    app.drain().await;
    let log = EmbeddedChanges::new(app.handle.engine().unwrap().clone());
    assert_eq!(log.backlog().await.unwrap(), Backlog::default());
    let metrics = ApiClient::new(format!("http://{}", app.handle.metrics_address().unwrap()));
    let answer = metrics.request(Method::GET, "/metrics", None, None).await.expect(200);
    let text = answer.body.as_str().unwrap();
    assert!(text.contains("tweeter_changes_waiting 0"), "{text}");
    assert!(text.contains("tweeter_changes_total{outcome=\"done\"}"), "{text}");
}

#[tokio::test]
async fn changes_wait_until_workers_start() {
    let mut without = hooks();
    without.workers = false;
    let app = TestApp::start_with(without).await;
    let alice = app.register("alice").await;
    app.post(&alice, "hello").await;
    let log = EmbeddedChanges::new(app.handle.engine().unwrap().clone());
    assert_eq!(log.backlog().await.unwrap().changes, 1);
    drop(log);
    let app = app.restart(hooks()).await;
    app.drain().await;
    assert!(EmbeddedChanges::new(app.handle.engine().unwrap().clone()).is_empty().await.unwrap());
}

#[tokio::test]
async fn a_disabled_change_log_records_nothing() {
    let mut without = hooks();
    (without.changes, without.workers) = (false, false);
    let app = TestApp::start_with(without).await;
    let alice = app.register("alice").await;
    app.post(&alice, "hello").await;
    assert!(EmbeddedChanges::new(app.handle.engine().unwrap().clone()).is_empty().await.unwrap());
}

#[tokio::test]
async fn a_redriven_change_is_applied() {
    let app = TestApp::start().await;
    let queue = app.services().queue.as_ref();
    let key = keys::post(PostId::first_of(Clock::System.now()));
    let change = Change { id: "c".to_owned(), key, before: None, after: None };
    let body = ChangeMessage::of(change, String::new()).encode();
    let letter = OutgoingMessage { body, group: "POST#p".to_owned(), delay: Duration::ZERO };
    queue.send(ChangeDlq, vec![letter]).await.unwrap();
    let letters = DeadLetters { queue, name: ChangeDlq, patience: Duration::ZERO };
    let moved = letters.redrive(&Selection::All, Clock::System.now()).await.unwrap();
    assert_eq!(moved, 1);
    app.drain().await;
    for name in [ChangeQ, ChangeDlq] {
        let depth = queue.depth(name).await.unwrap();
        assert_eq!(depth.visible + depth.in_flight + depth.delayed, 0, "{name:?}");
    }
}

//! The event source on real queues.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use domain::limits;
use embedded::{EmbeddedQueue, Engine, EngineOptions, QueueSettingsOf};
use parking_lot::Mutex;
use ports::queue::{
    OutgoingMessage, Queue, QueueDepth,
    QueueName::{JobDlq, JobQ, PostQ},
    QueueSettings, ReceivedMessage,
};
use tempfile::TempDir;
use tokio::{
    sync::{Semaphore, watch},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;
use tweeter::event_source::{EventSource, Mapping};
use worker::BatchOutcome;

/// JobQ on a separate database, with an event source.
struct Fixture {
    queue: Arc<EmbeddedQueue>,
    engine: Engine,
    progress: watch::Receiver<u64>,
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
    _dir: TempDir,
}

impl Drop for Fixture {
    /// Otherwise the database's directory would be removed while a hanging handler keeps the engine open.
    fn drop(&mut self) {
        self.engine.close();
    }
}

impl Fixture {
    fn new(visibility_timeout: Duration) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let engine = Engine::open(EngineOptions::at(dir.path())).unwrap();
        let settings = QueueSettings { visibility_timeout, ..QueueSettings::default() };
        let queue = EmbeddedQueue::open(engine.clone(), QueueSettingsOf::all(settings)).unwrap();
        let (_, progress) = watch::channel(0);
        Self { queue: Arc::new(queue), engine, progress, stop: CancellationToken::new(), task: None, _dir: dir }
    }

    async fn send(&self, bodies: &[&str]) {
        let message =
            |body: &&str| OutgoingMessage { body: (*body).to_owned(), group: "g".to_owned(), delay: Duration::ZERO };
        assert_eq!(self.queue.send(JobQ, bodies.iter().map(message).collect()).await.unwrap(), []);
    }

    fn start<F>(&mut self, mapping: Mapping, handler: impl Fn(Vec<ReceivedMessage>) -> F + Send + Sync + 'static)
    where
        F: Future<Output = BatchOutcome> + Send + 'static,
    {
        let (sender, progress) = watch::channel(0);
        self.progress = progress;
        let source = EventSource::new(self.queue.clone(), JobQ, mapping, sender);
        self.task = Some(tokio::spawn(source.run(handler, self.stop.clone())));
    }

    async fn wait_for(&mut self, what: impl Fn(QueueDepth) -> bool) {
        while !what(self.queue.depth(JobQ).await.unwrap()) {
            // Raised after each invocation, but not when a message times out in the queue.
            let _ = tokio::time::timeout(Duration::from_millis(20), self.progress.changed()).await;
        }
    }

    async fn invocations(&mut self, number: u64) {
        self.progress.wait_for(|done| *done >= number).await.unwrap();
    }

    async fn stop(mut self) {
        self.stop.cancel();
        self.task.take().unwrap().await.unwrap();
    }
}

fn message(body: &str) -> OutgoingMessage {
    OutgoingMessage { body: body.to_owned(), group: "g".to_owned(), delay: Duration::ZERO }
}

fn mapping(batch_size: usize) -> Mapping {
    Mapping { batch_size, max_concurrency: 2, timeout: Duration::from_secs(30) }
}

fn is_empty(depth: QueueDepth) -> bool {
    depth.visible + depth.in_flight + depth.delayed == 0
}

const HOUR: Duration = Duration::from_hours(1);

#[tokio::test]
async fn only_messages_not_reported_failed_are_deleted() {
    let mut fixture = Fixture::new(HOUR);
    fixture.send(&["good", "bad", "also good"]).await;
    fixture.start(mapping(10), |batch| async move {
        let bad = batch.into_iter().filter(|message| message.body == "bad");
        BatchOutcome { failed: bad.map(|message| message.message_id).collect() }
    });
    fixture.wait_for(|depth| depth.visible == 0 && depth.in_flight == 1).await;
    fixture.stop().await;
}

#[tokio::test]
async fn an_unknown_reported_message_fails_the_batch() {
    let mut fixture = Fixture::new(HOUR);
    fixture.send(&["a", "b"]).await;
    fixture.start(mapping(10), |_| async { BatchOutcome { failed: vec!["nobody".to_owned()] } });
    fixture.invocations(1).await;
    assert_eq!(fixture.queue.depth(JobQ).await.unwrap().in_flight, 2);
    fixture.stop().await;
}

#[tokio::test]
async fn a_panic_fails_only_its_batch() {
    let mut fixture = Fixture::new(Duration::from_millis(20));
    fixture.send(&["panics", "a", "b"]).await;
    let seen = Arc::new(Mutex::new(HashMap::<String, usize>::new()));
    fixture.start(mapping(1), {
        let seen = Arc::clone(&seen);
        move |mut batch| {
            let body = batch.remove(0).body;
            let times = {
                let mut seen = seen.lock();
                let times = seen.entry(body.clone()).or_default();
                *times += 1;
                *times
            };
            async move {
                assert!(body != "panics" || times > 1, "injected by the test");
                BatchOutcome::default()
            }
        }
    });
    fixture.wait_for(is_empty).await;
    assert_eq!(seen.lock().get("panics"), Some(&2));
    fixture.stop().await;
}

#[tokio::test]
async fn a_hanging_handler_is_aborted_and_retried() {
    let mut fixture = Fixture::new(Duration::from_millis(20));
    fixture.send(&["a"]).await;
    let calls = Arc::new(AtomicUsize::new(0));
    let mapping = Mapping { timeout: Duration::from_millis(10), ..mapping(1) };
    fixture.start(mapping, {
        let calls = Arc::clone(&calls);
        move |_| {
            let first = calls.fetch_add(1, Ordering::SeqCst) == 0;
            async move {
                if first {
                    std::future::pending::<()>().await;
                }
                BatchOutcome::default()
            }
        }
    });
    fixture.wait_for(is_empty).await;
    assert!(calls.load(Ordering::SeqCst) >= 2);
    fixture.stop().await;
}

#[tokio::test]
async fn an_always_hanging_message_becomes_a_dead_letter() {
    let mut fixture = Fixture::new(Duration::from_millis(20));
    fixture.send(&["a"]).await;
    let mapping = Mapping { timeout: Duration::from_millis(5), ..mapping(1) };
    let calls = Arc::new(AtomicUsize::new(0));
    fixture.start(mapping, {
        let calls = Arc::clone(&calls);
        move |_| {
            calls.fetch_add(1, Ordering::SeqCst);
            std::future::pending::<BatchOutcome>()
        }
    });
    fixture.wait_for(is_empty).await;
    let dead = fixture.queue.receive(JobDlq, 10, Duration::ZERO, None).await.unwrap();
    assert_eq!(dead.iter().map(|message| message.body.as_str()).collect::<Vec<_>>(), ["a"]);
    assert_eq!(calls.load(Ordering::SeqCst), usize::try_from(limits::MAX_RECEIVES).unwrap());
    fixture.stop().await;
}

#[tokio::test]
async fn concurrent_invocations_respect_the_mappings_limit() {
    let mut fixture = Fixture::new(HOUR);
    let names: Vec<String> = (0..10).map(|n| n.to_string()).collect();
    fixture.send(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    fixture.start(mapping(1), {
        let (queue, running, most) = (fixture.queue.clone(), Arc::clone(&running), Arc::clone(&most));
        move |_| {
            let (queue, running, most) = (queue.clone(), Arc::clone(&running), Arc::clone(&most));
            async move {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                // Gives further invocations time to start if they were allowed: a receive takes as long as a send.
                for _ in 0..5 {
                    queue.send(PostQ, vec![message("x")]).await.unwrap();
                }
                running.fetch_sub(1, Ordering::SeqCst);
                BatchOutcome::default()
            }
        }
    });
    fixture.wait_for(is_empty).await;
    assert!((1..=2).contains(&most.load(Ordering::SeqCst)));
    fixture.stop().await;
}

#[tokio::test]
async fn a_stop_finishes_current_work_and_receives_nothing() {
    let mut fixture = Fixture::new(HOUR);
    fixture.send(&["under way"]).await;
    let (begun, go_on) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let mapping = Mapping { max_concurrency: 1, ..mapping(1) };
    fixture.start(mapping, {
        let (begun, go_on) = (Arc::clone(&begun), Arc::clone(&go_on));
        move |_| {
            let (begun, go_on) = (Arc::clone(&begun), Arc::clone(&go_on));
            async move {
                begun.add_permits(1);
                go_on.acquire().await.unwrap().forget();
                BatchOutcome::default()
            }
        }
    });
    begun.acquire().await.unwrap().forget();
    fixture.send(&["too late"]).await;
    fixture.stop.cancel();
    go_on.add_permits(1);
    fixture.task.take().unwrap().await.unwrap();
    let depth = fixture.queue.depth(JobQ).await.unwrap();
    assert_eq!((depth.visible, depth.in_flight), (1, 0), "the first is done, the second untouched");
}

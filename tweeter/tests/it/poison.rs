//! A job that panics its handler or kills the process becomes a dead letter after its maximum of receives, across
//! restarts; all other jobs are delivered, and a redrive recovers it.

use std::{
    collections::BTreeSet,
    future::ready,
    path::Path,
    process::{Command, Output},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use crate::support::{Person, TestApp, hooks, in_time, wrap_store};
use data::{
    Outbox, keys,
    messages::{FanOutMessage, FeedJob},
};
use domain::{Clock, limits};
use ports::{
    queue::{Queue, QueueName, ReceivedMessage},
    store::{Store, Table},
};
use service::fan_out::{FanOutOptions, FanOutService};
use testkit::faults::{HookedStore, StoreCall};
use tweeter::{
    Application, Config, DataDir, TestHooks,
    dead_letters::{DeadLetters, Selection},
    event_source::Mapping,
};

const FOLLOWERS: usize = 45;
/// Yields nine jobs, all in one batch.
const FOLLOWERS_PER_JOB: usize = 5;
/// Environment variable with the child process's data directory.
const DATA_DIR: &str = "POISON_TEST_DATA_DIR";
/// The reader whose feed entry kills the process.
const VICTIM: &str = "POISON_TEST_VICTIM";

/// Whether these writes put an entry into the reader's feed.
fn delivers_to(reader: &str, call: StoreCall<'_>) -> bool {
    let partition = keys::feed_partition(reader.parse().unwrap());
    let StoreCall::BatchWrite(Table::Feed, writes) = call else { return false };
    writes.iter().any(|write| write.key().partition == partition)
}

fn few_followers_per_job() -> FanOutOptions {
    FanOutOptions { followers_per_job: FOLLOWERS_PER_JOB, ..tweeter::application::fan_out() }
}

/// Hooks for small jobs and immediate redelivery.
fn small_jobs() -> TestHooks {
    let mut hooks = hooks();
    hooks.fan_out = Some(few_followers_per_job());
    hooks.retry_pauses.first = Duration::from_millis(1);
    hooks
}

/// One batch at a time, so that the handler holds all jobs when one of them strikes.
fn one_batch_at_a_time(config: &mut Config) {
    config.delivery = Mapping { max_concurrency: 1, ..config.delivery };
}

/// An author's post and its followers.
struct FanOut {
    followers: Vec<Person>,
    post: String,
}

impl FanOut {
    /// A follower in the middle, and so in a job in the middle.
    fn victim(&self) -> &Person {
        &self.followers[FOLLOWERS / 2]
    }

    async fn register(app: &TestApp) -> (Person, Vec<Person>) {
        let alice = app.register("alice").await;
        let followers = app.register_many("follower", FOLLOWERS).await;
        app.follow_all(&followers, &alice).await;
        (alice, followers)
    }

    /// Asserts that the post is once in every feed except those of `missing`.
    async fn assert_delivered_but_to(&self, app: &TestApp, missing: &BTreeSet<String>) {
        for follower in &self.followers {
            let feed = app.feed(follower, "").await.expect(200).post_ids();
            let due = if missing.contains(&follower.user_id) { vec![] } else { vec![self.post.clone()] };
            assert_eq!(feed, due, "{}", follower.handle);
        }
    }

    /// The only dead letter: the victim's job.
    async fn dead_letter(&self, app: &TestApp) -> (ReceivedMessage, BTreeSet<String>) {
        let mut letters = dead_letters(app).look(&Selection::All, 100).await.unwrap();
        assert_eq!(letters.len(), 1, "{letters:#?}");
        let job = FeedJob::decode(&letters[0].body).unwrap();
        let readers: BTreeSet<String> = job.followers.iter().map(ToString::to_string).collect();
        assert!(readers.contains(&self.victim().user_id) && readers.len() == FOLLOWERS_PER_JOB, "{readers:?}");
        (letters.remove(0), readers)
    }

    /// Redrives all dead letters in a service without faults.
    async fn assert_redrive_delivers(&self, app: &TestApp) {
        let now = Clock::System.now();
        let moved = dead_letters(app).redrive(&Selection::All, now).await.unwrap();
        assert_eq!(moved, 1);
        app.drain().await;
        self.assert_delivered_but_to(app, &BTreeSet::new()).await;
        assert_eq!(app.depth(QueueName::JobDlq).await, (0, 0));
    }
}

fn dead_letters(app: &TestApp) -> DeadLetters<'_> {
    DeadLetters { queue: app.queue(), name: QueueName::JobDlq, patience: Duration::ZERO }
}

impl TestApp {
    fn queue(&self) -> &dyn Queue {
        self.services().queue.as_ref()
    }

    /// The numbers of visible and in-flight messages.
    async fn depth(&self, name: QueueName) -> (u64, u64) {
        let depth = self.queue().depth(name).await.unwrap();
        (depth.visible + depth.delayed, depth.in_flight)
    }

    async fn wait_for_depth(&self, name: QueueName, expected: (u64, u64)) {
        until(async || self.depth(name).await == expected).await;
    }

    async fn wait_for_fan_outs(&self) {
        let outbox = Outbox::new(self.services().store.clone());
        until(async || outbox.is_empty().await.unwrap()).await;
        self.wait_for_depth(QueueName::PostQ, (0, 0)).await;
    }
}

/// Waits for a condition.
#[track_caller]
fn until(holds: impl AsyncFn() -> bool) -> impl Future<Output = ()> {
    in_time(async move {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
}

/// A store whose write into the victim's feed panics, with a count of panics. There is no victim until one is set.
#[derive(Debug, Clone, Default)]
struct Trap {
    victim: Arc<OnceLock<String>>,
    panics: Arc<AtomicU32>,
}

impl Trap {
    fn set_in(&self, mut hooks: TestHooks) -> TestHooks {
        let trap = self.clone();
        let _wrapped = wrap_store(&mut hooks, move |bare| {
            let trap = trap.clone();
            HookedStore::before(bare, move |call| {
                if trap.victim.get().is_some_and(|victim| delivers_to(victim, call)) {
                    trap.panics.fetch_add(1, Ordering::SeqCst);
                    panic!("injected by the test");
                }
                Box::pin(ready(Ok(())))
            })
        });
        hooks
    }

    fn panics(&self) -> u32 {
        self.panics.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn a_panicking_job_becomes_a_dead_letter() {
    let trap = Trap::default();
    // A message whose handler panicked stays hidden until the next start.
    let patient = || {
        let mut hooks = trap.set_in(small_jobs());
        hooks.retry_pauses.first = Duration::from_hours(1);
        hooks
    };
    let app = TestApp::start_configured(one_batch_at_a_time, patient()).await;
    let (alice, followers) = FanOut::register(&app).await;
    trap.victim.set(followers[FOLLOWERS / 2].user_id.clone()).unwrap();
    let fan_out = FanOut { post: app.post(&alice, "hello").await, followers };
    app.wait_for_fan_outs().await;
    app.wait_for_depth(QueueName::JobQ, (0, 1)).await;
    assert_eq!(trap.panics(), 1);

    let app = app.restart(patient()).await;
    until(async || trap.panics() == 2).await;

    let app = app.restart(trap.set_in(small_jobs())).await;
    app.drain().await;
    assert_eq!(trap.panics(), limits::MAX_RECEIVES);
    let (_, unreached) = fan_out.dead_letter(&app).await;
    fan_out.assert_delivered_but_to(&app, &unreached).await;

    let app = app.restart(small_jobs()).await;
    fan_out.assert_redrive_delivers(&app).await;
}

#[tokio::test]
#[ignore = "not a test: the next one runs it as a child process that a job kills"]
async fn child_works_until_a_job_kills_it() {
    let (Ok(data_dir), Ok(victim)) = (std::env::var(DATA_DIR), std::env::var(VICTIM)) else { return };
    let mut deadly = small_jobs();
    let _wrapped = wrap_store(&mut deadly, move |bare| {
        let victim = victim.clone();
        HookedStore::before(bare, move |call| {
            if delivers_to(&victim, call) {
                std::process::abort();
            }
            Box::pin(ready(Ok(())))
        })
    });
    let mut config = Config::on_free_port(DataDir::Path(data_dir.into()));
    one_batch_at_a_time(&mut config);
    let handle = Application::build(config, deadly).await.unwrap().spawn();
    handle.drain().await;
    handle.stop().await.unwrap();
}

fn run_child(data_dir: &Path, victim: &str) -> Output {
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "poison::child_works_until_a_job_kills_it"])
        .env(DATA_DIR, data_dir)
        .env(VICTIM, victim)
        .output()
        .unwrap()
}

/// Sends the post's jobs to JobQ, so that all are queued before the first one kills the process.
async fn fan_out_by_hand(app: &TestApp) {
    let services = app.services();
    let (store, queue): (Arc<dyn Store>, Arc<dyn Queue>) = (services.store.clone(), services.queue.clone());
    let fan_out = FanOutService::new(store, queue.clone(), services.clock.clone(), few_followers_per_job());
    let messages = queue.receive(QueueName::PostQ, 1, Duration::ZERO, None).await.unwrap();
    fan_out.fan_out(&FanOutMessage::decode(&messages[0].body).unwrap(), None).await.unwrap();
    queue.delete(QueueName::PostQ, vec![messages[0].receipt.clone()]).await.unwrap();
}

#[tokio::test]
async fn a_process_killing_job_becomes_a_dead_letter() {
    let mut idle = small_jobs();
    idle.workers = false;
    let app = TestApp::start_with(idle).await;
    let (alice, followers) = FanOut::register(&app).await;
    let fan_out = FanOut { post: app.post(&alice, "hello").await, followers };
    fan_out_by_hand(&app).await;
    assert_eq!(app.depth(QueueName::JobQ).await, (FOLLOWERS.div_ceil(FOLLOWERS_PER_JOB) as u64, 0));
    let stopped = app.stop().await;

    let mut deaths = 0;
    loop {
        let output = run_child(&stopped.data_dir(), &fan_out.victim().user_id);
        if output.status.success() {
            let printed = String::from_utf8_lossy(&output.stdout);
            assert!(printed.contains("1 passed"), "the child ran no test: {printed}");
            break;
        }
        assert_eq!(output.status.code(), None, "killed by a signal: {output:?}");
        deaths += 1;
        assert!(deaths <= limits::MAX_RECEIVES, "the job keeps killing the process");
    }
    assert_eq!(deaths, limits::MAX_RECEIVES);

    let app = stopped.start(small_jobs()).await;
    let (_, unreached) = fan_out.dead_letter(&app).await;
    fan_out.assert_delivered_but_to(&app, &unreached).await;
    fan_out.assert_redrive_delivers(&app).await;
}

//! The parts of a running process: tasks that run until the stop.

use std::{sync::Arc, time::Duration};

use domain::{Clock, Timestamp, limits};
use embedded::{EmbeddedBlobs, EmbeddedChanges, EmbeddedStore};
use follow_fetcher::FollowFetcher;
use job_handler::JobHandler;
use media_handler::MediaHandler;
use metrics_exporter_prometheus::PrometheusHandle;
use outbox_sweeper::OutboxSweeper;
use ports::{
    changes::ChangeLog,
    queue::{Queue, QueueName},
};
use service::{erasure::ErasureService, live::LiveService, safe_time::SafeTime, timekeeper::Timekeeper};
use stream_handler::StreamHandler;
use tokio::{
    net::TcpListener,
    sync::{Notify, watch},
    task::JoinSet,
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{
    change_reader::ChangeReader,
    config::Config,
    eraser::erase_when_woken,
    error::RunError,
    event_source::EventSource,
    http_server::{self, ConnectionLimits},
    metrics,
    schedule::every,
};

/// How often expired items are removed.
const EXPIRY_INTERVAL: Duration = Duration::from_mins(1);
/// How often old uploads are removed, a day after they were stored.
const UPLOAD_EXPIRY_INTERVAL: Duration = Duration::from_hours(1);
/// How often recorded samples are moved into buckets, so that they do not pile up when nothing scrapes.
const METRICS_UPKEEP_INTERVAL: Duration = Duration::from_secs(5);
/// Maximum concurrent connections to the metrics endpoint: a few scrapers keep one each.
const METRICS_CONNECTIONS: usize = 16;

/// The handlers that consume the queues and the change log.
#[derive(Debug)]
pub(crate) struct Workers {
    pub(crate) fetcher: FollowFetcher,
    pub(crate) jobs: JobHandler,
    /// `None` without object storage: uploads wait for a process that has it.
    pub(crate) pictures: Option<MediaHandler>,
    pub(crate) stream: StreamHandler,
    pub(crate) eraser: ErasureService,
    /// The time that decides what may be erased.
    pub(crate) safe_time: SafeTime,
    /// The change log, in the embedded store.
    pub(crate) changes: Option<Arc<dyn ChangeLog>>,
}

/// The queues, and what their consumers share.
#[derive(Debug)]
pub(crate) struct Sources {
    pub(crate) queue: Arc<dyn Queue>,
    /// Incremented after each invocation.
    pub(crate) progress: watch::Sender<u64>,
    /// How long a stop waits for receives in flight.
    pub(crate) last_receive: Duration,
    /// Woken when an erasure is due.
    pub(crate) wake_eraser: Arc<Notify>,
}

/// The running parts.
#[derive(Debug)]
pub(crate) struct Parts {
    tasks: JoinSet<&'static str>,
    stop: CancellationToken,
}

impl Parts {
    /// No parts yet; each ends after `stop`.
    pub(crate) fn new(stop: CancellationToken) -> Self {
        Self { tasks: JoinSet::new(), stop }
    }

    pub(crate) fn spawn(&mut self, name: &'static str, part: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(async move {
            part.await;
            name
        });
    }

    /// Waits until a part ends that should run until the stop.
    pub(crate) async fn ended(&mut self) -> RunError {
        match self.tasks.join_next().await {
            Some(Ok(name)) => RunError::Stopped(name),
            Some(Err(panic)) => RunError::Panicked(panic),
            None => RunError::Stopped("the process"),
        }
    }

    /// Waits until all parts have ended; each does so within bounded time after the stop.
    pub(crate) async fn finish(mut self) {
        while self.tasks.join_next().await.is_some() {}
    }

    pub(crate) fn serve_metrics(
        &mut self,
        listener: TcpListener,
        recorder: PrometheusHandle,
        queue: Arc<dyn Queue>,
        changes: Option<EmbeddedChanges>,
        clock: &Clock,
    ) {
        let router = metrics::router(recorder.clone(), queue, changes, clock.clone());
        let upkeep = every(METRICS_UPKEEP_INTERVAL, Clock::System, self.stop.clone(), move || {
            recorder.run_upkeep();
            std::future::ready(())
        });
        let limits = ConnectionLimits::shared(METRICS_CONNECTIONS);
        self.spawn("the metrics", http_server::serve(listener, router, limits, self.stop.clone()));
        self.spawn("the metrics' upkeep", upkeep);
    }

    /// Consumes PostQ, JobQ, ChangeQ, MediaQ and the change log.
    pub(crate) fn work(&mut self, workers: Workers, config: &Config, clock: &Clock, sources: &Sources) {
        let Workers { fetcher, jobs, pictures, stream, eraser, safe_time, changes } = workers;
        let source = |name, mapping| {
            EventSource::new(Arc::clone(&sources.queue), name, mapping, sources.progress.clone())
                .with_last_receive(sources.last_receive)
        };
        let timeout = config.fan_out.timeout;
        let fan_outs = source(QueueName::PostQ, config.fan_out).run(
            move |batch| {
                let (fetcher, deadline) = (fetcher.clone(), Instant::now().checked_add(timeout));
                async move { fetcher.handle(batch, deadline).await }
            },
            self.stop.clone(),
        );
        let deliveries = source(QueueName::JobQ, config.delivery).run(
            move |batch| {
                let jobs = jobs.clone();
                async move { jobs.handle(batch).await }
            },
            self.stop.clone(),
        );
        if let Some(pictures) = pictures {
            let uploads = source(QueueName::MediaQ, config.pictures).run(
                move |batch| {
                    let pictures = pictures.clone();
                    async move { pictures.handle(batch).await }
                },
                self.stop.clone(),
            );
            self.spawn("the event source of MediaQ", uploads);
        }
        if let Some(log) = changes {
            let reader = ChangeReader::new(log, stream.clone(), clock.clone(), sources.progress.clone());
            self.spawn("the change reader", reader.run(self.stop.clone()));
        }
        let erases = erase_when_woken(eraser, Arc::clone(&sources.wake_eraser), safe_time, self.stop.clone());
        self.spawn("the eraser", erases);
        let clock = clock.clone();
        let redriven_changes = source(QueueName::ChangeQ, config.redriven_changes).run(
            move |batch| {
                let (stream, now) = (stream.clone(), clock.now());
                async move { stream.handle_queue(batch, now).await }
            },
            self.stop.clone(),
        );
        self.spawn("the event source of ChangeQ", redriven_changes);
        self.spawn("the event source of PostQ", fan_outs);
        self.spawn("the event source of JobQ", deliveries);
    }

    /// Sweeps the outbox, then wakes the eraser for erasures that the sweep had no time for.
    pub(crate) fn sweep(&mut self, sweeper: OutboxSweeper, wake_eraser: &Arc<Notify>, clock: &Clock) {
        let (now, wake_eraser) = (clock.clone(), Arc::clone(wake_eraser));
        let sweeps = every(limits::SWEEP_INTERVAL, clock.clone(), self.stop.clone(), move || {
            let (sweeper, now, wake_eraser) = (sweeper.clone(), now.now(), Arc::clone(&wake_eraser));
            async move {
                sweep(sweeper, now).await;
                wake_eraser.notify_one();
            }
        });
        self.spawn("the sweeper", sweeps);
    }

    /// Closes event streams whose tokens have expired or whose users were deleted.
    pub(crate) fn watch_streams(&mut self, live: &LiveService, clock: &Clock) {
        let live = live.clone();
        let looks = every(limits::STREAM_CHECK_INTERVAL, clock.clone(), self.stop.clone(), move || {
            end_outdated_streams(live.clone())
        });
        self.spawn("the watch over streams", looks);
    }

    /// Removes expired items.
    pub(crate) fn expire(&mut self, store: EmbeddedStore, clock: &Clock, safe_time: SafeTime) {
        let expiry = every(EXPIRY_INTERVAL, clock.clone(), self.stop.clone(), move || {
            remove_expired(store.clone(), safe_time.now())
        });
        self.spawn("the expiry", expiry);
    }

    /// Removes old uploads.
    pub(crate) fn expire_uploads(&mut self, blobs: EmbeddedBlobs, clock: &Clock, safe_time: SafeTime) {
        let expiry = every(UPLOAD_EXPIRY_INTERVAL, clock.clone(), self.stop.clone(), move || {
            remove_old_uploads(blobs.clone(), safe_time.now())
        });
        self.spawn("the expiry of uploads", expiry);
    }

    /// Reserves ids and remembers the time.
    pub(crate) fn keep_time(&mut self, timekeeper: &Timekeeper, clock: &Clock) {
        let timekeeper = timekeeper.clone();
        let marks =
            every(limits::CLOCK_MARK_INTERVAL, clock.clone(), self.stop.clone(), move || keep_time(timekeeper.clone()));
        self.spawn("the timekeeper", marks);
    }
}

async fn sweep(sweeper: OutboxSweeper, now: Timestamp) {
    if let Err(error) = sweeper.handle(now).await {
        warn!(error = telemetry::chain(&error), "Could not sweep the outbox; retrying in a minute");
    }
}

async fn end_outdated_streams(live: LiveService) {
    if let Err(error) = live.end_outdated().await {
        warn!(error = telemetry::chain(&error), "Could not check which event streams to close; retrying");
    }
}

async fn keep_time(timekeeper: Timekeeper) {
    if let Err(error) = timekeeper.keep().await {
        warn!(
            error = telemetry::chain(&error),
            "Could not reserve ids: the store failed; posts keep the last reserved time until it works"
        );
    }
}

async fn remove_expired(store: EmbeddedStore, now: Timestamp) {
    if let Err(error) = store.sweep_expired(now).await {
        warn!(error = telemetry::chain(&error), "Could not remove expired items; retrying in a minute");
    }
}

async fn remove_old_uploads(blobs: EmbeddedBlobs, now: Timestamp) {
    if let Err(error) = blobs.remove_old_uploads(now).await {
        warn!(error = telemetry::chain(&error), "Could not remove old uploads; retrying in an hour");
    }
}

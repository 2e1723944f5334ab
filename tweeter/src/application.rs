//! The whole service in one process: API, workers, schedules, metrics and the operator's socket.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use data::keys::blobs::media_of_upload;
use domain::InvalidId;
use embedded::{EmbeddedBlobs, Engine};
use follow_fetcher::FollowFetcher;
use futures::future::BoxFuture;
use http_api::HttpOptions;
use job_handler::JobHandler;
use media_handler::MediaHandler;
use metrics_exporter_prometheus::PrometheusHandle;
use outbox_sweeper::OutboxSweeper;
use ports::{
    blobs::Blobs,
    changes::ChangeLog,
    queue::{Queue, QueueError},
};
use service::{
    Foundation, ServiceOptions,
    changes::ChangeService,
    delivery::DeliveryService,
    erasure::ErasureService,
    fan_out::{FanOutOptions, FanOutService},
    live::Hub,
    media::{announce_upload, files::PictureFiles, processing::ProcessingService, urls::MediaUrls},
    stories::Stories,
    sweep::SweepService,
};
use stream_handler::{Eraser, StreamHandler};
use tokio::{
    net::TcpListener,
    sync::{Notify, watch},
    task::JoinHandle,
};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::{info, warn};

use crate::{
    backend::Backend,
    config::Config,
    descriptors,
    error::{RunError, StartError},
    http_server::{self, ConnectionLimits},
    metrics,
    object_routes::ObjectRoutes,
    operator::Operator,
    parts::{Parts, Sources, Workers},
    services::{Pipeline, Services},
    socket::OperatorSocket,
    test_hooks::{TestHooks, Wrap},
    web::{self, WebClient},
};

/// Followers per page: the first jobs are sent while the remaining followers are read.
const FOLLOWER_PAGE: u32 = 1_000;
/// Maximum jobs pending while a fan-out runs: about 1 MB, which stays in memory.
const MAX_BACKLOG: u64 = 1_000;

/// A process with open stores and listeners that does no work yet.
#[derive(Debug)]
pub struct Application {
    config: Config,
    backend: Backend,
    /// In a box, as every future that holds the process would hold them too.
    services: Box<Services>,
    workers: Option<Workers>,
    sweeper: Option<OutboxSweeper>,
    progress: watch::Sender<u64>,
    wake_eraser: Arc<Notify>,
    /// Object storage, if this process serves it.
    blobs: Option<EmbeddedBlobs>,
    api: TcpListener,
    address: SocketAddr,
    router: axum::Router,
    metrics: Option<Metrics>,
    socket: Option<OperatorSocket>,
}

#[derive(Debug)]
struct Metrics {
    listener: TcpListener,
    address: SocketAddr,
    recorder: PrometheusHandle,
}

impl Application {
    /// Opens the stores and the listeners.
    pub async fn build(config: Config, hooks: TestHooks) -> Result<Self, StartError> {
        let backend = Backend::open(&config, &hooks).await?;
        let tokens = backend.access_tokens();
        let (api, address) = listen(config.listen).await?;
        let metrics = match config.metrics_listen {
            Some(address) => Some(Metrics::listen(address).await?),
            None => None,
        };
        let socket = backend.operator_socket()?;
        let time = backend.timekeeper(&hooks.clock).await?;

        let (progress, seen) = watch::channel(0);
        let (store, queue) = backend.ports();
        let log = if hooks.changes { backend.changes() } else { None };
        let log = log.map(|log| Arc::new(log) as Arc<dyn ChangeLog>);
        let changes = log.as_ref().map(|log| wrapped(log, hooks.wrap_changes.as_ref()));
        let pipeline = Pipeline { store, queue, changes: log, progress: seen };
        let store = wrapped(&pipeline.store, hooks.wrap_store.as_ref());
        let queue = wrapped(&pipeline.queue, hooks.wrap_queue.as_ref());
        let public_url = config.public_url(address);
        let served = backend.served_blobs(&public_url);
        let blobs = served.clone().map(|blobs| Arc::new(blobs) as Arc<dyn Blobs>);
        let files = PictureFiles::new(blobs.clone());
        let foundation = Foundation {
            ids: Arc::clone(time.ids()),
            clock: hooks.clock.clone(),
            tokens,
            rates: config.rate_limits.limiter(Arc::clone(&store)),
            pull_threshold: config.pull_threshold,
            stories: Stories::new(Arc::clone(&store), hooks.clock.clone()),
            streams: backend.is_alone().then(|| Hub::new(hooks.clock.clone(), hooks.live)),
            blobs,
            media_urls: MediaUrls::under(&public_url),
            store,
        };
        let options = ServiceOptions { hashing: hooks.hashing.clone(), ..ServiceOptions::default() };
        let services = Box::new(Services::new(&foundation, queue, &options, time, pipeline));
        let wake_eraser = Arc::new(Notify::new());
        let workers = hooks.workers.then(|| {
            let fan_out = backend.fan_out(hooks.fan_out.unwrap_or_else(fan_out));
            workers(&services, changes, &files, &hooks, fan_out, &wake_eraser)
        });
        Ok(Self {
            router: hooks
                .more_routes
                .clone()
                .into_iter()
                .fold(web::around(router(&services, &config, served.clone()), &config.web), axum::Router::merge),
            blobs: served,
            workers: workers.transpose().map_err(StartError::Thread)?,
            sweeper: hooks.sweep.then(|| {
                let sweep =
                    SweepService::new(Arc::clone(&services.store), Arc::clone(&services.queue)).with_files(files);
                OutboxSweeper::new(sweep.erasing_by(services.time.safe_time().clone()))
            }),
            config,
            backend,
            services,
            progress,
            wake_eraser,
            api,
            address,
            metrics,
            socket,
        })
    }

    /// The address of the API.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The routes, for calls within the process.
    pub(crate) fn router(&self) -> axum::Router {
        self.router.clone()
    }

    /// The address of the metrics, if they are served.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics.as_ref().map(|metrics| metrics.address)
    }

    /// The data directory; `None` on AWS with a signing secret.
    pub fn data_dir(&self) -> Option<&Path> {
        self.backend.data_dir()
    }

    /// The services, which keep working on the same stores while this runs.
    pub fn services(&self) -> &Services {
        &self.services
    }

    /// The embedded database's engine, if there is one; for counting syncs.
    pub fn engine(&self) -> Option<&Engine> {
        self.backend.engine()
    }

    /// Object storage, if this process serves it.
    pub const fn blobs(&self) -> Option<&EmbeddedBlobs> {
        self.blobs.as_ref()
    }

    /// Runs in the background until the handle stops it or is dropped.
    pub fn spawn(self) -> Handle {
        let stop = CancellationToken::new();
        let (address, metrics_address) = (self.address(), self.metrics_address());
        let (data_dir, engine, blobs) =
            (self.data_dir().map(Path::to_owned), self.engine().cloned(), self.blobs().cloned());
        let services = self.services.clone();
        let task = tokio::spawn(self.run(stop.clone().cancelled_owned()));
        Handle { address, metrics_address, data_dir, engine, blobs, services, task, stop: stop.drop_guard() }
    }

    /// Runs until `shutdown`, then accepts no more work, gives running work ten seconds to finish, and closes the
    /// stores.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), RunError> {
        descriptors::raise_limit();
        if let Some(sweeper) = &self.sweeper {
            self.backend.reclaim(sweeper, self.services.clock.now()).await;
        }
        self.announce();
        let stop = CancellationToken::new();
        let time = self.services.time.clone();
        let clean_ups = self.services.feeds.background().clone();
        let streams = self.services.live.as_ref().map(|live| live.hub().clone());
        let (backend, mut parts) = self.start(&stop);
        let outcome = tokio::select! {
            () = shutdown => Ok(()),
            ended = parts.ended() => Err(ended),
        };
        info!("Stopping; accepting no new work");
        stop.cancel();
        // Otherwise the server would wait for event streams as for any response in progress.
        streams.inspect(Hub::close);
        parts.finish().await;
        clean_ups.idle().await;
        if let Err(error) = time.end().await {
            warn!(
                error = telemetry::chain(&error),
                "Could not store the last id; the next start continues after the reserved ids"
            );
        }
        // Its store would keep the database open.
        drop(time);
        backend.close().await;
        info!("Stopped");
        outcome
    }

    /// Starts all parts.
    fn start(self, stop: &CancellationToken) -> (Backend, Parts) {
        let mut parts = Parts::new(stop.clone());
        let (services, clock) = (&self.services, &self.services.clock);
        let (store, queue) = services.bare_ports();
        let limits = ConnectionLimits::new(descriptors::max_connections(), self.config.max_connections_per_network);
        parts.spawn("the API", http_server::serve(self.api, self.router, limits, stop.clone()));
        if let Some(socket) = self.socket {
            let recount = self.backend.recount();
            let verify = self.backend.verify(clock);
            let backup = self.backend.backup();
            let (queue, changes) = (Arc::clone(&queue), services.change_log());
            let operator = Operator { queue, changes, store, patience: Duration::ZERO, recount, verify, backup };
            parts.spawn("the operator's socket", socket.serve(operator, clock.clone(), stop.clone()));
        }
        if let Some(metrics) = self.metrics {
            let changes = self.backend.changes();
            parts.serve_metrics(metrics.listener, metrics.recorder, queue, changes, clock);
        }
        if let Some(workers) = self.workers {
            let queue = Arc::clone(&services.queue);
            let last_receive = self.backend.last_receive();
            let wake_eraser = Arc::clone(&self.wake_eraser);
            let sources = Sources { queue, progress: self.progress, last_receive, wake_eraser };
            parts.work(workers, &self.config, clock, &sources);
        }
        parts.keep_time(&services.time, clock);
        if let Some(live) = &services.live {
            parts.watch_streams(live, clock);
        }
        if let Some(sweeper) = self.sweeper {
            parts.sweep(sweeper, &self.wake_eraser, clock);
            self.backend.expire(&mut parts, clock, services.time.safe_time());
        }
        (self.backend, parts)
    }

    fn announce(&self) {
        self.backend.announce();
        if let Some(address) = self.metrics_address() {
            info!(metrics.address = %address, "Metrics are at http://{address}/metrics");
        }
        let api = self.address;
        let served = if self.config.web == WebClient::Off { "the API is" } else { "the web client and the API are" };
        info!(http.address = %api, "Ready: {served} at http://{api}, the API's description at http://{api}/openapi.json");
    }
}

impl Metrics {
    async fn listen(address: SocketAddr) -> Result<Self, StartError> {
        let (listener, address) = listen(address).await?;
        Ok(Self { listener, address, recorder: metrics::recorder() })
    }
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let listen = async {
        let listener = TcpListener::bind(address).await?;
        let bound = listener.local_addr()?;
        Ok((listener, bound))
    };
    listen.await.map_err(|error| StartError::Listen { address, error })
}

/// The port in its wrapper, if there is one.
fn wrapped<P: ?Sized>(port: &Arc<P>, wrap: Option<&Wrap<P>>) -> Arc<P> {
    wrap.map_or_else(|| Arc::clone(port), |wrap| wrap(Arc::clone(port)))
}

fn workers(
    services: &Services,
    changes: Option<Arc<dyn ChangeLog>>,
    files: &PictureFiles,
    hooks: &TestHooks,
    fan_out: FanOutOptions,
    wake_eraser: &Arc<Notify>,
) -> io::Result<Workers> {
    let (store, queue, clock) = (&services.store, &services.queue, &services.clock);
    let safe_time = services.time.safe_time();
    let fan_out = FanOutService::new(Arc::clone(store), Arc::clone(queue), clock.clone(), fan_out)
        .with_activity(services.activity.clone(), safe_time.clone())
        .with_streams(services.live.as_ref().map(|live| live.hub().clone()));
    let delivery = DeliveryService::new(Arc::clone(store), clock.clone())
        .aging_by(safe_time.clone())
        .with_live_events(services.live.clone());
    let applies = ChangeService::new(Arc::clone(store), Arc::clone(&services.ids))
        .with_files(files.clone())
        .with_live_events(services.live.clone());
    let pictures = files.is_configured().then(|| {
        let processing = ProcessingService::new(Arc::clone(store), files.clone());
        MediaHandler::new(processing, Arc::clone(queue), hooks.retry_pauses)
    });
    Ok(Workers {
        stream: StreamHandler::new(Arc::new(applies), Arc::clone(queue), hooks.retry_pauses)
            .with_eraser(Eraser::Woken(Arc::clone(wake_eraser))),
        eraser: ErasureService::new(Arc::clone(store)).with_files(files.clone(), Arc::clone(queue)),
        safe_time: safe_time.clone(),
        changes,
        fetcher: FollowFetcher::new(fan_out, Arc::clone(queue), hooks.retry_pauses),
        jobs: JobHandler::new(delivery, Arc::clone(queue), hooks.retry_pauses),
        pictures: pictures.transpose()?,
    })
}

/// The fan-out options of production.
pub fn fan_out() -> FanOutOptions {
    FanOutOptions { follower_page: Some(FOLLOWER_PAGE), max_backlog: Some(MAX_BACKLOG), ..FanOutOptions::default() }
}

fn router(services: &Services, config: &Config, blobs: Option<EmbeddedBlobs>) -> axum::Router {
    let options = HttpOptions {
        cors_origins: config.cors_origins.clone(),
        trusted_proxy: config.trusted_proxy.clone(),
        ..HttpOptions::default()
    };
    let api = status_api::router(services.api().clone(), services.change_log(), &options);
    match blobs {
        Some(blobs) => {
            let clock = services.clock.clone();
            let queue = Arc::clone(&services.queue);
            let uploaded = Arc::new(move |key: String| {
                let queue = Arc::clone(&queue);
                Box::pin(async move { announce(queue.as_ref(), &key).await }) as BoxFuture<_>
            });
            let objects = ObjectRoutes { blobs, clock, uploaded };
            objects.beside(api, Arc::clone(&services.store), &options)
        }
        None => api,
    }
}

/// Puts a stored upload on MediaQ. A key of another form was not signed by this service, and leads to no picture.
async fn announce(queue: &dyn Queue, key: &str) -> Result<(), QueueError> {
    match media_of_upload(key) {
        Ok(media) => announce_upload(queue, media).await,
        Err(InvalidId) => Ok(()),
    }
}

/// A process running in the background of this one. Dropping it stops it asynchronously.
#[derive(Debug)]
pub struct Handle {
    address: SocketAddr,
    metrics_address: Option<SocketAddr>,
    data_dir: Option<PathBuf>,
    engine: Option<Engine>,
    blobs: Option<EmbeddedBlobs>,
    /// In a box, as every future that holds the process would hold them too.
    services: Box<Services>,
    task: JoinHandle<Result<(), RunError>>,
    stop: DropGuard,
}

impl Handle {
    /// The address of the API.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of the metrics, if they are served.
    pub const fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_address
    }

    /// The data directory; `None` on AWS with a signing secret.
    pub fn data_dir(&self) -> Option<&Path> {
        self.data_dir.as_deref()
    }

    /// The services, on the same stores.
    pub fn services(&self) -> &Services {
        &self.services
    }

    /// The embedded database's engine, if there is one; for counting syncs.
    pub const fn engine(&self) -> Option<&Engine> {
        self.engine.as_ref()
    }

    /// Object storage, if the process serves it.
    pub const fn blobs(&self) -> Option<&EmbeddedBlobs> {
        self.blobs.as_ref()
    }

    /// Waits until every post published so far has reached all followers: see [`Services::drain`].
    pub async fn drain(&self) {
        self.services.drain().await;
    }

    /// Stops the process and waits until all its parts have ended. The data directory can then be opened again, unless
    /// a clone of the services is still held.
    pub async fn stop(self) -> Result<(), RunError> {
        let Self { task, stop, services, engine, .. } = self;
        // Otherwise the database would still be open and written to when a temporary directory is removed.
        drop((services, engine));
        drop(stop);
        task.await.map_err(RunError::Panicked)?
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::config::DataDir;

    /// The parts that run with these hooks, without the metrics.
    async fn parts_with(hooks: TestHooks) -> BTreeSet<&'static str> {
        let application = Application::build(Config::on_free_port(DataDir::Ephemeral), hooks).await.unwrap();
        let stop = CancellationToken::new();
        let (backend, mut parts) = application.start(&stop);
        stop.cancel();
        let mut names = BTreeSet::new();
        loop {
            match parts.ended().await {
                RunError::Stopped("the process") => break,
                RunError::Stopped(name) => names.insert(name),
                RunError::Panicked(panic) => panic!("{panic}"),
            };
        }
        backend.close().await;
        names
    }

    #[tokio::test]
    async fn scheduled_work_can_be_switched_off() {
        let idle = parts_with(TestHooks { workers: false, sweep: false, ..TestHooks::default() }).await;
        let kept = ["the API", "the operator's socket", "the timekeeper", "the watch over streams"];
        assert_eq!(idle, BTreeSet::from(kept), "put work of its own under a hook");
        let sweeping = parts_with(TestHooks { workers: false, ..TestHooks::default() }).await;
        let swept: Vec<_> = sweeping.difference(&idle).copied().collect();
        assert_eq!(swept, ["the expiry", "the expiry of uploads", "the sweeper"]);
    }
}

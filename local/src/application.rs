//! The whole service in one process: API, workers, schedules, metrics and the operator's socket over one database.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use follow_fetcher::FollowFetcher;
use http::HeaderValue;
use job_handler::JobHandler;
use metrics_exporter_prometheus::PrometheusHandle;
use outbox_sweeper::OutboxSweeper;
use shared::{
    changes::ChangeLog,
    embedded::{EmbeddedChanges, EmbeddedQueue, EmbeddedStore, Engine},
    http::HttpOptions,
    service::{changes::ChangeService, delivery::DeliveryService, fan_out::FanOutService, sweep::SweepService},
};
use stream_handler::StreamHandler;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::{error, info, warn};

use crate::{
    config::Config,
    data_dir::{OpenDir, open_database_logging},
    descriptors,
    error::{RunError, StartError},
    http_server, metrics,
    parts::{Parts, Workers},
    reclaim,
    seams::{Seams, Wrap},
    secret,
    services::{Pipeline, Services},
    socket::OperatorSocket,
};

/// A process that has its data and its addresses, and does not work yet.
#[derive(Debug)]
pub struct Application {
    config: Config,
    data_dir: OpenDir,
    engine: Engine,
    embedded: EmbeddedStore,
    embedded_queue: EmbeddedQueue,
    services: Services,
    workers: Option<Workers>,
    sweeper: Option<OutboxSweeper>,
    progress: watch::Sender<u64>,
    api: TcpListener,
    address: SocketAddr,
    router: axum::Router,
    metrics: Option<Metrics>,
    socket: OperatorSocket,
}

#[derive(Debug)]
struct Metrics {
    listener: TcpListener,
    address: SocketAddr,
    recorder: PrometheusHandle,
}

impl Application {
    /// Opens the data directory and the addresses.
    pub async fn build(config: Config, seams: Seams) -> Result<Self, StartError> {
        let data_dir = OpenDir::open(&config.data_dir)
            .map_err(|error| StartError::DataDir { dir: config.data_dir.clone(), error })?;
        let (engine, embedded, embedded_queue) = {
            let (path, config, clock) = (data_dir.path().to_owned(), config.clone(), seams.clock.clone());
            let open = move || open_database_logging(&path, &config, clock, seams.changes);
            let opened = tokio::task::spawn_blocking(open).await;
            opened.map_err(|_panic| StartError::Panicked)??
        };
        let keys = secret::load_or_create(data_dir.path())?.into();
        let (api, address) = listen(config.listen).await?;
        let metrics = match config.metrics_listen {
            Some(address) => Some(Metrics::listen(address).await?),
            None => None,
        };
        let socket = OperatorSocket::bind(data_dir.path())
            .map_err(|error| StartError::Socket { path: data_dir.path().to_owned(), error })?;

        let (progress, seen) = watch::channel(0);
        let changes: Arc<dyn ChangeLog> = Arc::new(EmbeddedChanges::new(engine.clone()));
        let pipeline = Pipeline {
            store: Arc::new(embedded.clone()),
            queue: Arc::new(embedded_queue.clone()),
            changes: seams.changes.then(|| Arc::clone(&changes)),
            progress: seen,
        };
        let changes = seams.changes.then(|| wrapped(&changes, seams.wrap_changes.as_ref()));
        let store = wrapped(&pipeline.store, seams.wrap_store.as_ref());
        let queue = wrapped(&pipeline.queue, seams.wrap_queue.as_ref());
        let services = Services::new(store, queue, seams.clock.clone(), &keys, &seams.hashing, pipeline);
        Ok(Self {
            router: router(&services, &config.cors_origins),
            workers: seams.workers.then(|| workers(&services, changes, &seams)),
            sweeper: seams.sweep.then(|| {
                OutboxSweeper::new(SweepService::new(Arc::clone(&services.store), Arc::clone(&services.queue)))
            }),
            config,
            data_dir,
            engine,
            embedded,
            embedded_queue,
            services,
            progress,
            api,
            address,
            metrics,
            socket,
        })
    }

    /// Where the API listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where metrics are served, if anywhere.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics.as_ref().map(|metrics| metrics.address)
    }

    /// The data directory.
    pub fn data_dir(&self) -> &Path {
        self.data_dir.path()
    }

    /// The services, which go on to work on the same database while this runs.
    pub const fn services(&self) -> &Services {
        &self.services
    }

    /// The database's engine: for counting syncs.
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Works in the background until the handle says stop or is dropped.
    pub fn spawn(self) -> Handle {
        let stop = CancellationToken::new();
        let (address, metrics_address) = (self.address(), self.metrics_address());
        let (data_dir, engine, services) = (self.data_dir().to_owned(), self.engine.clone(), self.services.clone());
        let task = tokio::spawn(self.run(stop.clone().cancelled_owned()));
        Handle { address, metrics_address, data_dir, engine, services, task, stop: stop.drop_guard() }
    }

    /// Works until `shutdown`: then takes nothing more, gives what is under way ten seconds to end, and closes the
    /// database.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), RunError> {
        descriptors::raise_limit();
        self.reclaim().await;
        self.announce();
        let stop = CancellationToken::new();
        let (engine, data_dir, mut parts) = self.start(&stop);
        let outcome = tokio::select! {
            () = shutdown => Ok(()),
            ended = parts.ended() => Err(ended),
        };
        info!("Stopping: no new work is taken");
        stop.cancel();
        parts.finish().await;
        if tokio::task::spawn_blocking(move || engine.close()).await.is_err() {
            error!("Closing the database panicked");
        }
        drop(data_dir);
        info!("Stopped");
        outcome
    }

    /// Puts back what a process before this one left unfinished: its leases mean nothing any more.
    async fn reclaim(&self) {
        let Some(sweeper) = &self.sweeper else { return };
        let announced = match reclaim::announced(&self.embedded_queue).await {
            Ok(announced) => announced,
            Err(error) => return warn!(%error, "PostQ cannot be read; the sweeper does what is left when leases end"),
        };
        if let Err(error) = sweeper.reclaim(self.services.clock.now(), &announced).await {
            warn!(%error, "The outbox cannot be read; the sweeper tries again");
        }
    }

    /// Starts every part.
    fn start(self, stop: &CancellationToken) -> (Engine, OpenDir, Parts) {
        let mut parts = Parts::new(stop.clone());
        let (services, clock) = (&self.services, &self.services.clock);
        let (store, queue) = services.bare_ports();
        let max_connections = descriptors::max_connections();
        parts.spawn("the API", http_server::serve(self.api, self.router, max_connections, stop.clone()));
        parts.spawn("the operator's socket", self.socket.serve(Arc::clone(&queue), store, clock.clone(), stop.clone()));
        if let Some(metrics) = self.metrics {
            let changes = EmbeddedChanges::new(self.engine.clone());
            parts.serve_metrics(metrics.listener, metrics.recorder, queue, changes, clock);
        }
        if let Some(workers) = self.workers {
            parts.work(workers, &self.config, &services.queue, clock, &self.progress);
        }
        if let Some(sweeper) = self.sweeper {
            parts.sweep(sweeper, self.embedded, clock);
        }
        (self.engine, self.data_dir, parts)
    }

    fn announce(&self) {
        let (api, data) = (self.address, self.data_dir.path().display());
        match &self.data_dir {
            OpenDir::Kept(_) => info!(data.dir = %data, "Data is in {data}"),
            OpenDir::Temporary(_) => info!(data.dir = %data, "Data is in {data} and goes when this process ends"),
        }
        if let Some(address) = self.metrics_address() {
            info!(metrics.address = %address, "Metrics are at http://{address}/metrics");
        }
        info!(http.address = %api, "Ready: the API is at http://{api}, its description at http://{api}/openapi.json");
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

/// The port inside its wrapper, if it has one.
fn wrapped<P: ?Sized>(port: &Arc<P>, wrap: Option<&Wrap<P>>) -> Arc<P> {
    wrap.map_or_else(|| Arc::clone(port), |wrap| wrap(Arc::clone(port)))
}

fn workers(services: &Services, changes: Option<Arc<dyn ChangeLog>>, seams: &Seams) -> Workers {
    let (store, queue, clock) = (&services.store, &services.queue, &services.clock);
    let fan_out = FanOutService::new(Arc::clone(store), Arc::clone(queue), clock.clone(), seams.fan_out);
    let delivery = DeliveryService::new(Arc::clone(store), clock.clone());
    let applies = ChangeService::new(Arc::clone(store), Arc::clone(&services.ids));
    Workers {
        stream: StreamHandler::new(Arc::new(applies), Arc::clone(queue), seams.retry_pauses),
        changes,
        fetcher: FollowFetcher::new(fan_out, Arc::clone(queue), seams.retry_pauses),
        jobs: JobHandler::new(delivery, Arc::clone(queue), seams.retry_pauses),
    }
}

fn router(services: &Services, cors_origins: &[HeaderValue]) -> axum::Router {
    let api = status_api::Api {
        accounts: services.accounts.clone(),
        graph: services.graph.clone(),
        posts: services.posts.clone(),
        feeds: services.feeds.clone(),
        likes: services.likes.clone(),
        comments: services.comments.clone(),
        store: Arc::clone(&services.store),
        clock: services.clock.clone(),
    };
    let options = HttpOptions { cors_origins: cors_origins.to_vec(), ..HttpOptions::default() };
    status_api::router(api, Some(services.publishing.clone()), &options)
}

/// A process that works in the background of this one. Dropped, it stops by itself, in its own time.
#[derive(Debug)]
pub struct Handle {
    address: SocketAddr,
    metrics_address: Option<SocketAddr>,
    data_dir: PathBuf,
    engine: Engine,
    services: Services,
    task: JoinHandle<Result<(), RunError>>,
    stop: DropGuard,
}

impl Handle {
    /// Where the API listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where metrics are served, if anywhere.
    pub const fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_address
    }

    /// The data directory.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// The services, on the same database.
    pub const fn services(&self) -> &Services {
        &self.services
    }

    /// The database's engine: for counting syncs.
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Waits until every post published so far has reached every follower: see [`Services::drain`].
    pub async fn drain(&self) {
        self.services.drain().await;
    }

    /// Stops, and waits until everything has ended. The data directory can then be opened again, when no clone of the
    /// services is kept.
    pub async fn stop(self) -> Result<(), RunError> {
        let Self { task, stop, services, engine, .. } = self;
        // Or the database would still be open, and writing, when a temporary directory goes.
        drop((services, engine));
        drop(stop);
        task.await.map_err(RunError::Panicked)?
    }
}

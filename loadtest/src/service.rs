//! The service under test, in this process: the real application with observed ports.

use std::{net::SocketAddr, path::Path, sync::Arc};

use domain::UserId;
use tweeter::{Application, Config, DataDir, Handle, TestHooks, services::Services};

use crate::{
    client::HttpClient,
    error::LoadtestError,
    observe::{ObservedQueue, ObservedStore, Observer},
    options::Places,
    target::Target,
    timeline::Recorder,
    yardstick,
};

/// Whether changes are applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changes {
    /// Counts and notifications are updated, as in a real service.
    Applied,
    /// Changes are not logged: only the fan-out runs.
    LeftOut,
}

/// A running service.
#[derive(Debug)]
pub struct Service {
    handle: Handle,
    observer: Arc<Observer>,
}

impl Service {
    /// Starts the service on a free port, including metrics, as an operator would.
    pub async fn start(places: &Places, target: &Target, changes: Changes) -> Result<Self, LoadtestError> {
        let data_dir = places.data_dir.clone().map_or(DataDir::Ephemeral, DataDir::Path);
        let free_port = SocketAddr::from(([127, 0, 0, 1], 0));
        let config = Config {
            metrics_listen: Some(free_port),
            stores: target.stores(),
            pull_threshold: places.pull_threshold,
            ..Config::on_free_port(data_dir)
        };
        let observer = Arc::new(Observer::new());
        let handle = Application::build(config, hooks(&observer, changes)).await?.spawn();
        Ok(Self { handle, observer })
    }

    /// The observations at the ports.
    pub const fn observer(&self) -> &Arc<Observer> {
        &self.observer
    }

    /// Starts recording throughput and queue depth.
    pub fn record(&self) -> Recorder {
        Recorder::start(Arc::clone(&self.observer))
    }

    /// The address of the API.
    pub const fn address(&self) -> SocketAddr {
        self.handle.address()
    }

    /// The directory of the embedded database; on AWS that of the signing key, if there is one.
    pub fn data_dir(&self) -> Option<&Path> {
        self.handle.data_dir()
    }

    /// The services and the store.
    pub fn services(&self) -> &Services {
        self.handle.services()
    }

    /// An HTTP client for it.
    pub fn client(&self) -> HttpClient {
        HttpClient::new(self.handle.address(), self.observer.request_count())
    }

    /// An access token of a user, valid for 15 minutes.
    pub fn token(&self, user: UserId) -> String {
        let services = self.services();
        services.accounts.access_tokens().issue(user, services.clock.now())
    }

    /// Waits until no work is in progress.
    pub async fn drain(&self) {
        self.handle.drain().await;
    }

    /// Stops it.
    pub async fn stop(self) -> Result<(), LoadtestError> {
        Ok(self.handle.stop().await?)
    }
}

/// Observed ports. Rate limits are off, as a load test would exceed them.
fn hooks(observer: &Arc<Observer>, changes: Changes) -> TestHooks {
    let (of_store, of_queue) = (Arc::clone(observer), Arc::clone(observer));
    TestHooks {
        wrap_store: Some(Box::new(move |store| Arc::new(ObservedStore::new(store, Arc::clone(&of_store))))),
        wrap_queue: Some(Box::new(move |queue| Arc::new(ObservedQueue::new(queue, Arc::clone(&of_queue))))),
        changes: changes == Changes::Applied,
        more_routes: Some(yardstick::routes()),
        ..TestHooks::default()
    }
}

//! The service under test, in this process: the runner's own application, its ports watched.

use std::{net::SocketAddr, sync::Arc};

use domain::UserId;
use tweeter::{Application, Config, DataDir, Handle, Seams, services::Services};

use crate::{
    client::HttpClient,
    error::LoadtestError,
    ground::Ground,
    observe::{ObservedQueue, ObservedStore, Observer},
    options::Places,
    yardstick,
};

/// Whether what follows from changes is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changes {
    /// Counts and notifications are made, as in every real service.
    Applied,
    /// No change is logged: there is nothing but the fan-out.
    LeftOut,
}

/// A running service.
#[derive(Debug)]
pub struct Service {
    handle: Handle,
    observer: Arc<Observer>,
}

impl Service {
    /// Starts it on a free port, metrics included, as an operator would run it.
    pub async fn start(places: &Places, ground: &Ground, changes: Changes) -> Result<Self, LoadtestError> {
        let data_dir = places.data_dir.clone().map_or(DataDir::Ephemeral, DataDir::Path);
        let free_port = SocketAddr::from(([127, 0, 0, 1], 0));
        let config =
            Config { metrics_listen: Some(free_port), stores: ground.stores(), ..Config::on_free_port(data_dir) };
        let observer = Arc::new(Observer::new());
        let handle = Application::build(config, seams(&observer, changes)).await?.spawn();
        Ok(Self { handle, observer })
    }

    /// What was seen at the ports.
    pub const fn observer(&self) -> &Arc<Observer> {
        &self.observer
    }

    /// The services and the store.
    pub const fn services(&self) -> &Services {
        self.handle.services()
    }

    /// An HTTP client of it.
    pub fn client(&self) -> HttpClient {
        HttpClient::new(self.handle.address())
    }

    /// An access token of a user, good for 15 minutes.
    pub fn token(&self, user: UserId) -> String {
        let services = self.services();
        services.accounts.access_tokens().issue(user, services.clock.now())
    }

    /// Waits until nothing is under way.
    pub async fn drain(&self) {
        self.handle.drain().await;
    }

    /// Stops it.
    pub async fn stop(self) -> Result<(), LoadtestError> {
        Ok(self.handle.stop().await?)
    }
}

/// Ports that are watched. What keeps users from asking too much is to be off here: a load test is nothing else.
fn seams(observer: &Arc<Observer>, changes: Changes) -> Seams {
    let (of_store, of_queue) = (Arc::clone(observer), Arc::clone(observer));
    Seams {
        wrap_store: Some(Box::new(move |store| Arc::new(ObservedStore::new(store, Arc::clone(&of_store))))),
        wrap_queue: Some(Box::new(move |queue| Arc::new(ObservedQueue::new(queue, Arc::clone(&of_queue))))),
        changes: changes == Changes::Applied,
        more_routes: Some(yardstick::routes()),
        ..Seams::default()
    }
}

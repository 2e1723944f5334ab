//! The embedded database, in a data directory that one process has to itself.

use domain::Timestamp;
use embedded::{EmbeddedQueue, EmbeddedStore, Engine};
use outbox_sweeper::OutboxSweeper;
use service::tokens::AccessTokens;
use tracing::{error, info, warn};

use crate::{
    config::Config,
    data_dir::{OpenDir, open_database_logging},
    error::StartError,
    reclaim,
    seams::Seams,
    secret,
    socket::OperatorSocket,
};

/// The database, open and locked.
#[derive(Debug)]
pub(crate) struct Embedded {
    pub(super) data_dir: OpenDir,
    pub(super) engine: Engine,
    pub(super) store: EmbeddedStore,
    pub(super) queue: EmbeddedQueue,
}

impl Embedded {
    pub(super) async fn open(config: &Config, seams: &Seams) -> Result<Self, StartError> {
        let data_dir = OpenDir::open_for_start(&config.data_dir)?;
        let (path, config) = (data_dir.path().to_owned(), config.clone());
        let (clock, log_changes) = (seams.clock.clone(), seams.changes);
        let open = move || open_database_logging(&path, &config, clock, log_changes);
        let opened = tokio::task::spawn_blocking(open).await;
        let (engine, store, queue) = opened.map_err(|_panic| StartError::Panicked)??;
        Ok(Self { data_dir, engine, store, queue })
    }

    pub(super) fn access_tokens(&self) -> Result<AccessTokens, StartError> {
        Ok(AccessTokens::new(&secret::load_or_create(self.data_dir.path())?.into()))
    }

    pub(super) fn operator_socket(&self) -> Result<OperatorSocket, StartError> {
        let path = self.data_dir.path();
        OperatorSocket::bind(path).map_err(|error| StartError::Socket { path: path.to_owned(), error })
    }

    /// The leases of a process before this one mean nothing any more.
    pub(super) async fn reclaim(&self, sweeper: &OutboxSweeper, now: Timestamp) {
        let announced = match reclaim::announced(&self.queue).await {
            Ok(announced) => announced,
            Err(error) => return warn!(%error, "PostQ cannot be read; the sweeper does what is left when leases end"),
        };
        if let Err(error) = sweeper.reclaim(now, &announced).await {
            warn!(%error, "The outbox cannot be read; the sweeper tries again");
        }
    }

    pub(super) fn announce(&self) {
        let data = self.data_dir.path().display();
        match &self.data_dir {
            OpenDir::Kept(_) => info!(data.dir = %data, "Data is in {data}"),
            OpenDir::Temporary(_) => info!(data.dir = %data, "Data is in {data} and goes when this process ends"),
        }
    }

    pub(super) async fn close(self) {
        let Self { engine, data_dir, store, queue } = self;
        // Or they would keep the database open until after a temporary directory has gone.
        drop((store, queue));
        if tokio::task::spawn_blocking(move || engine.close()).await.is_err() {
            error!("Closing the database panicked");
        }
        drop(data_dir);
    }
}

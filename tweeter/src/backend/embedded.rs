//! The embedded database, in a data directory that only one process uses.

use std::path::Path;

use domain::Timestamp;
use embedded::{EmbeddedQueue, EmbeddedStore, Engine};
use outbox_sweeper::OutboxSweeper;
use service::tokens::AccessTokens;
use tracing::{error, warn};

use crate::{
    config::Config,
    data_dir::{OpenDir, open_database_logging},
    error::StartError,
    reclaim, secret,
    socket::OperatorSocket,
    test_hooks::TestHooks,
};

/// The database, open and locked.
#[derive(Debug)]
pub(super) struct Embedded {
    pub(super) engine: Engine,
    pub(super) store: EmbeddedStore,
    pub(super) queue: EmbeddedQueue,
}

impl Embedded {
    pub(super) async fn open(config: &Config, hooks: &TestHooks) -> Result<(Self, OpenDir), StartError> {
        let data_dir = OpenDir::open_for_start(&config.data_dir)?;
        let (path, config) = (data_dir.path().to_owned(), config.clone());
        let (clock, log_changes) = (hooks.clock.clone(), hooks.changes);
        let open = move || open_database_logging(&path, &config, clock, log_changes);
        let opened = tokio::task::spawn_blocking(open).await;
        let (engine, store, queue) = opened.map_err(|_panic| StartError::Panicked)??;
        Ok((Self { engine, store, queue }, data_dir))
    }

    /// Takes over at once, as leases of an earlier process are void.
    pub(super) async fn reclaim(&self, sweeper: &OutboxSweeper, now: Timestamp) {
        let announced = match reclaim::announced(&self.queue).await {
            Ok(announced) => announced,
            Err(error) => {
                return warn!(
                    error = telemetry::chain(&error),
                    "Could not read PostQ; the sweeper will resume unfinished fan-outs when their leases expire"
                );
            }
        };
        if let Err(error) = sweeper.reclaim(now, &announced).await {
            warn!(error = telemetry::chain(&error), "Could not read the outbox; the sweeper will retry");
        }
    }

    pub(super) async fn close(self) {
        let Self { engine, store, queue } = self;
        drop((store, queue));
        if tokio::task::spawn_blocking(move || engine.close()).await.is_err() {
            error!("Closing the database panicked");
        }
    }
}

pub(super) fn access_tokens(data_dir: &OpenDir) -> Result<AccessTokens, StartError> {
    Ok(AccessTokens::new(&secret::load_or_create(data_dir.path())?.into()))
}

pub(super) fn operator_socket(path: &Path) -> Result<OperatorSocket, StartError> {
    OperatorSocket::bind(path).map_err(|error| StartError::Socket { path: path.to_owned(), error })
}

//! The embedded database, in a data directory that only one process uses.

use std::{path::Path, sync::Arc};

use domain::Timestamp;
use embedded::{BlobOptions, EmbeddedBlobs, EmbeddedQueue, EmbeddedStore, Engine};
use outbox_sweeper::OutboxSweeper;
use ports::signing::TokenKeys;
use service::tokens::AccessTokens;
use tracing::{error, warn};

use crate::{
    config::Config,
    data_dir::{OpenDir, open_database_logging},
    error::StartError,
    layout::BLOBS,
    reclaim, secret,
    socket::OperatorSocket,
    test_hooks::TestHooks,
};

/// The database, open and locked, and object storage.
#[derive(Debug)]
pub(super) struct Embedded {
    pub(super) engine: Engine,
    pub(super) store: EmbeddedStore,
    pub(super) queue: EmbeddedQueue,
    pub(super) blobs: EmbeddedBlobs,
    pub(super) tokens: AccessTokens,
}

impl Embedded {
    pub(super) async fn open(config: &Config, hooks: &TestHooks) -> Result<(Self, OpenDir), StartError> {
        let data_dir = OpenDir::open_for_start(&config.data_dir)?;
        let (path, config) = (data_dir.path().to_owned(), config.clone());
        let (clock, log_changes) = (hooks.clock.clone(), hooks.changes);
        let before_blob_write = hooks.before_blob_write.clone();
        let open = move || -> Result<Self, StartError> {
            let (engine, store, queue) = open_database_logging(&path, &config, clock, log_changes)?;
            let keys = TokenKeys::from(secret::load_or_create(&path)?);
            let tokens = AccessTokens::new(&keys);
            let defaults = BlobOptions::at(path.join(BLOBS), keys);
            let before_write = before_blob_write.unwrap_or_else(|| Arc::clone(&defaults.before_write));
            let unusable = |error| StartError::DataDir { dir: config.data_dir.clone(), error };
            let blobs = EmbeddedBlobs::open(BlobOptions { before_write, ..defaults }).map_err(unusable)?;
            Ok(Self { engine, store, queue, blobs, tokens })
        };
        let opened = tokio::task::spawn_blocking(open).await;
        Ok((opened.map_err(|_panic| StartError::Panicked)??, data_dir))
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
        let Self { engine, store, queue, .. } = self;
        drop((store, queue));
        if tokio::task::spawn_blocking(move || engine.close()).await.is_err() {
            error!("Closing the database panicked");
        }
    }
}

pub(super) fn operator_socket(path: &Path) -> Result<OperatorSocket, StartError> {
    OperatorSocket::bind(path).map_err(|error| StartError::Socket { path: path.to_owned(), error })
}

//! The data directory: the database, the signing key and the operator's socket, accessible to its owner only.

use std::{
    fs::DirBuilder,
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use domain::Clock;
use embedded::{EmbeddedQueue, EmbeddedStore, Engine, EngineOptions, OpenError, QueueSettingsOf, manifest::MANIFEST};
use ports::queue::{QueueName, QueueSettings};
use tempfile::TempDir;

use crate::{
    config::{Config, DataDir},
    error::StartError,
    layout::DATABASE,
};

/// An open data directory.
#[derive(Debug)]
pub(crate) enum OpenDir {
    /// A permanent directory.
    Kept(PathBuf),
    /// A temporary directory, removed when this value is dropped.
    Temporary(TempDir),
}

impl OpenDir {
    /// Opens the directory, and creates it if missing.
    pub(crate) fn open(dir: &DataDir) -> io::Result<Self> {
        match dir {
            DataDir::Path(path) => {
                DirBuilder::new().recursive(true).mode(0o700).create(path)?;
                Ok(Self::Kept(path.clone()))
            }
            DataDir::Ephemeral => Ok(Self::Temporary(tempfile::Builder::new().prefix("tweeter").tempdir()?)),
        }
    }

    /// Like [`Self::open`], with the error of a starting process.
    pub(crate) fn open_for_start(dir: &DataDir) -> Result<Self, StartError> {
        Self::open(dir).map_err(|error| StartError::DataDir { dir: dir.clone(), error })
    }

    /// The directory's path.
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Kept(path) => path,
            Self::Temporary(dir) => dir.path(),
        }
    }
}

/// Opens the database of a data directory. Blocks: for operator commands, and before the runtime has other work.
pub fn open_database(
    data_dir: &Path,
    config: &Config,
    clock: Clock,
) -> Result<(Engine, EmbeddedStore, EmbeddedQueue), OpenError> {
    open_database_logging(data_dir, config, clock, true)
}

/// Opens the database with or without a change log.
pub(crate) fn open_database_logging(
    data_dir: &Path,
    config: &Config,
    clock: Clock,
    log_changes: bool,
) -> Result<(Engine, EmbeddedStore, EmbeddedQueue), OpenError> {
    let record_syncs = config.record_syncs;
    let options = EngineOptions {
        manifest: data_dir.join(MANIFEST),
        accept_data_loss: config.accept_data_loss,
        clock,
        record_syncs,
        log_changes,
        ..EngineOptions::at(data_dir.join(DATABASE))
    };
    let engine = Engine::open(options)?;
    let of_pictures = QueueSettings { visibility_timeout: 6 * config.pictures.timeout, ..config.queues };
    let settings = QueueSettingsOf::all(config.queues).with(QueueName::MediaQ, of_pictures);
    let queue = EmbeddedQueue::open(engine.clone(), settings)?;
    Ok((engine.clone(), EmbeddedStore::new(engine), queue))
}

/// Whether the data directory has ever held a database.
pub fn has_database(data_dir: &Path) -> bool {
    data_dir.join(DATABASE).is_dir() || data_dir.join(MANIFEST).exists()
}

//! The data directory: the database, the signing key and the operator's socket, for their owner alone.

use std::{
    fs::DirBuilder,
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use domain::Clock;
use embedded::{EmbeddedQueue, EmbeddedStore, Engine, EngineOptions, OpenError, QueueSettingsOf, manifest::MANIFEST};
use tempfile::TempDir;

use crate::{
    config::{Config, DataDir},
    error::StartError,
    layout::DATABASE,
};

/// The data directory in use.
#[derive(Debug)]
pub(crate) enum OpenDir {
    /// One that stays.
    Kept(PathBuf),
    /// One that goes with this value.
    Temporary(TempDir),
}

impl OpenDir {
    /// Makes the directory when it is not there.
    pub(crate) fn open(dir: &DataDir) -> io::Result<Self> {
        match dir {
            DataDir::Path(path) => {
                DirBuilder::new().recursive(true).mode(0o700).create(path)?;
                Ok(Self::Kept(path.clone()))
            }
            DataDir::Ephemeral => Ok(Self::Temporary(tempfile::Builder::new().prefix("tweeter").tempdir()?)),
        }
    }

    /// The same, where a process that starts says why not.
    pub(crate) fn open_for_start(dir: &DataDir) -> Result<Self, StartError> {
        Self::open(dir).map_err(|error| StartError::DataDir { dir: dir.clone(), error })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Kept(path) => path,
            Self::Temporary(dir) => dir.path(),
        }
    }
}

/// Opens the database of a data directory. Blocks: for operator commands, and before anything runs.
pub fn open_database(
    data_dir: &Path,
    config: &Config,
    clock: Clock,
) -> Result<(Engine, EmbeddedStore, EmbeddedQueue), OpenError> {
    open_database_logging(data_dir, config, clock, true)
}

/// The same, with or without a log of changes.
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
    let queue = EmbeddedQueue::open(engine.clone(), QueueSettingsOf::all(config.queues))?;
    Ok((engine.clone(), EmbeddedStore::new(engine), queue))
}

/// Whether a database was ever made in the data directory.
pub fn has_database(data_dir: &Path) -> bool {
    data_dir.join(DATABASE).is_dir() || data_dir.join(MANIFEST).exists()
}

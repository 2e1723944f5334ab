//! Options of the engine.

use std::path::PathBuf;

use super::{manifest::MANIFEST, syncer::SyncHooks};
use domain::Clock;

/// Options for opening the engine.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// The database's folder; created if missing, and restricted to its owner (on Unix).
    pub path: PathBuf,
    /// The file that records the database's parts: see `manifest`. If it is outside the folder, it also reveals that
    /// the whole folder is missing.
    pub manifest: PathBuf,
    /// Whether to open a damaged database without the missing data. Unusable files are moved to `damaged-N` in its
    /// folder, and skipped parts are logged.
    pub accept_data_loss: bool,
    /// The clock for delays, visibility timeouts and message ages.
    pub clock: Clock,
    /// Whether to record after each sync how far the journal is synced, for [`super::cut_to_last_sync`]. For tests:
    /// memory then holds everything written since the start.
    pub record_syncs: bool,
    /// Hooks before a sync and after a failed one.
    pub sync_hooks: SyncHooks,
    /// Whether changes of streamed items are logged. Without a reader the log grows, so disable it where counts and
    /// notifications are not needed, such as in a load test of the bare fan-out.
    pub log_changes: bool,
}

impl EngineOptions {
    /// A database at `path`, on the system's clock, logging changes, not recording syncs, and ending the process when a
    /// sync fails.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self {
            manifest: path.join(MANIFEST),
            path,
            accept_data_loss: false,
            clock: Clock::System,
            record_syncs: false,
            sync_hooks: SyncHooks::default(),
            log_changes: true,
        }
    }
}

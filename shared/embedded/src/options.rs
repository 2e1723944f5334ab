//! How the engine is opened.

use std::path::PathBuf;

use super::{manifest::MANIFEST, syncer::SyncHooks};
use domain::Clock;

/// How to open the engine.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// The database's folder; made when it is not there, and closed to everybody but its owner (on Unix).
    pub path: PathBuf,
    /// The file that says what the database consists of: see `manifest`. Outside of the folder it also tells when the
    /// whole folder is missing.
    pub manifest: PathBuf,
    /// Whether to open a damaged database without what is missing. Files that cannot be used are moved to `damaged-N` in
    /// its folder, and what is skipped is logged.
    pub accept_data_loss: bool,
    /// Where delays, visibility timeouts and message ages take the time from.
    pub clock: Clock,
    /// Whether to note after each sync how far the journal is synced, for [`super::cut_to_last_sync`]. For tests:
    /// memory then holds everything written since the start.
    pub record_syncs: bool,
    /// What to do before a sync and after a failed one.
    pub sync_hooks: SyncHooks,
    /// Whether changes of streamed items are logged. Without a reader the log grows; whoever wants no counts and no
    /// notifications, such as a load test of the bare fan-out, leaves it out.
    pub log_changes: bool,
}

impl EngineOptions {
    /// A database at `path`, on the system's clock, logging changes, recording no syncs, ending the process when one
    /// fails.
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

//! The embedded engine in a temporary directory.

use std::sync::Arc;

use domain::Clock;
use embedded::{EmbeddedChanges, EmbeddedQueue, EmbeddedStore, Engine, EngineOptions, QueueSettingsOf, SyncHooks};
use ports::{changes::ChangeLog, queue::Queue, store::Store};
use tempfile::TempDir;

/// An engine that is closed on drop, together with its directory.
pub struct Running {
    engine: Engine,
    _directory: TempDir,
}

impl Running {
    pub fn start(clock: &Clock, sync_hooks: SyncHooks) -> Self {
        let directory = TempDir::new().unwrap();
        let options = EngineOptions { clock: clock.clone(), sync_hooks, ..EngineOptions::at(directory.path()) };
        Self { engine: Engine::open(options).unwrap(), _directory: directory }
    }

    pub fn store(&self) -> Arc<dyn Store> {
        Arc::new(EmbeddedStore::new(self.engine.clone()))
    }

    /// The change log, which these tests do not read.
    pub fn changes(&self) -> Arc<dyn ChangeLog> {
        Arc::new(EmbeddedChanges::new(self.engine.clone()))
    }

    pub fn queue(&self) -> Arc<dyn Queue> {
        Arc::new(EmbeddedQueue::open(self.engine.clone(), QueueSettingsOf::default()).unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.engine.close();
    }
}

//! The embedded engine in a temporary directory.

use std::sync::Arc;

use domain::Clock;
use embedded::{
    BlobOptions, EmbeddedBlobs, EmbeddedChanges, EmbeddedQueue, EmbeddedStore, Engine, EngineOptions, QueueSettingsOf,
    SyncHooks,
};
use ports::{blobs::Blobs, changes::ChangeLog, queue::Queue, signing::TokenKeys, store::Store};
use tempfile::TempDir;

/// An engine that is closed on drop, together with its directory.
pub struct Running {
    engine: Engine,
    directory: TempDir,
}

impl Running {
    pub fn start(clock: &Clock, sync_hooks: SyncHooks) -> Self {
        let directory = TempDir::new().unwrap();
        let options =
            EngineOptions { clock: clock.clone(), sync_hooks, ..EngineOptions::at(directory.path().join("db")) };
        Self { engine: Engine::open(options).unwrap(), directory }
    }

    pub fn store(&self) -> Arc<dyn Store> {
        Arc::new(EmbeddedStore::new(self.engine.clone()))
    }

    pub fn blobs(&self) -> Arc<dyn Blobs> {
        let options = BlobOptions::at(self.directory.path().join("blobs"), TokenKeys::new([7; 32]));
        Arc::new(EmbeddedBlobs::open(options).unwrap())
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

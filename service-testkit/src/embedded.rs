//! The embedded stores, in a directory that is removed after the test.

use std::sync::Arc;

use domain::Clock;
use embedded::{EmbeddedChanges, EmbeddedQueue, EmbeddedStore, Engine, EngineOptions, QueueSettingsOf};
use ports::{
    queue::{Queue, QueueSettings},
    store::Store,
};

use crate::pipeline::{Pipeline, START};

/// A separate embedded database, whose clock stands at [`START`] until a test advances it.
#[expect(missing_debug_implementations, reason = "tests print the fields")]
pub struct Embedded {
    /// The store, as the services use it.
    pub store: Arc<dyn Store>,
    /// The queues, with the port's default settings.
    pub queue: Arc<dyn Queue>,
    /// The clock of the database.
    pub clock: Clock,
    /// The store's change log.
    pub changes: Arc<EmbeddedChanges>,
    /// The concrete store, for its scan and its expiry.
    pub expiring: EmbeddedStore,
    /// The database that all of them share.
    pub engine: Engine,
    _directory: tempfile::TempDir,
}

impl Drop for Embedded {
    /// Closes the database before its directory is removed: the engine aborts the process if its directory vanishes.
    fn drop(&mut self) {
        self.engine.close();
    }
}

impl Embedded {
    /// A fresh database.
    pub fn open() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let clock = Clock::manual(START);
        let options = EngineOptions { clock: clock.clone(), ..EngineOptions::at(directory.path()) };
        let engine = Engine::open(options).expect("a fresh database opens");
        let queue = EmbeddedQueue::open(engine.clone(), QueueSettingsOf::all(QueueSettings::default()))
            .expect("a fresh queue opens");
        let expiring = EmbeddedStore::new(engine.clone());
        Self {
            store: Arc::new(expiring.clone()),
            queue: Arc::new(queue),
            clock,
            changes: Arc::new(EmbeddedChanges::new(engine.clone())),
            expiring,
            engine,
            _directory: directory,
        }
    }

    /// Every service and queue handler on this database, reading `follower_page` followers per page.
    pub fn pipeline(&self, follower_page: u32) -> Pipeline {
        Pipeline::on(self.store.clone(), self.queue.clone(), self.clock.clone(), follower_page)
    }
}

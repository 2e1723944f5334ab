//! The embedded home, in a directory that goes with the test.

use std::sync::Arc;

use shared::{
    domain::Clock,
    embedded::{EmbeddedQueue, EmbeddedStore, Engine, EngineOptions, QueueSettingsOf},
    queue::{Queue, QueueSettings},
    store::Store,
};
use testkit::pipeline::{Pipeline, START};

/// One embedded database with a clock that stands still.
pub struct Embedded {
    pub store: Arc<dyn Store>,
    pub queue: Arc<dyn Queue>,
    pub clock: Clock,
    _directory: tempfile::TempDir,
}

impl Embedded {
    pub fn open() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let clock = Clock::manual(START);
        let options = EngineOptions { clock: clock.clone(), ..EngineOptions::at(directory.path()) };
        let engine = Engine::open(options).expect("a fresh database opens");
        let queue = EmbeddedQueue::open(engine.clone(), QueueSettingsOf::all(QueueSettings::default()))
            .expect("a fresh queue opens");
        Self { store: Arc::new(EmbeddedStore::new(engine)), queue: Arc::new(queue), clock, _directory: directory }
    }

    pub fn pipeline(&self, follower_page: u32) -> Pipeline {
        Pipeline::on(self.store.clone(), self.queue.clone(), self.clock.clone(), follower_page)
    }
}

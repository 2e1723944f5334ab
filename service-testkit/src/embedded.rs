//! The embedded stores, in a directory that goes with the test.

use std::sync::Arc;

use crate::pipeline::{Pipeline, START};
use async_trait::async_trait;
use domain::Clock;
use embedded::{EmbeddedChanges, EmbeddedQueue, EmbeddedStore, Engine, EngineOptions, QueueSettingsOf};
use ports::{
    queue::{Queue, QueueSettings},
    store::{BatchGot, BatchWrite, Consistency, Item, Key, Outcome, Query, QueryPage, Store, StoreError, Table, Write},
};

/// One embedded database with a clock that stands still.
pub struct Embedded {
    pub store: Arc<dyn Store>,
    pub queue: Arc<dyn Queue>,
    pub clock: Clock,
    pub changes: EmbeddedChanges,
    pub expiring: EmbeddedStore,
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
        let (changes, expiring) = (EmbeddedChanges::new(engine.clone()), EmbeddedStore::new(engine));
        Self {
            store: Arc::new(expiring.clone()),
            queue: Arc::new(queue),
            clock,
            changes,
            expiring,
            _directory: directory,
        }
    }

    pub fn pipeline(&self, follower_page: u32) -> Pipeline {
        Pipeline::on(self.store.clone(), self.queue.clone(), self.clock.clone(), follower_page)
    }
}

/// A store that refuses every query of Social, as one without the permission does.
#[derive(Debug)]
pub struct Broken(pub Arc<dyn Store>);

#[async_trait]
impl Store for Broken {
    async fn query(&self, query: &Query) -> Result<QueryPage, StoreError> {
        if query.table == Table::Social {
            return Err(StoreError::Rejected("no permission".into()));
        }
        self.0.query(query).await
    }

    async fn get(&self, table: Table, key: &Key, consistency: Consistency) -> Result<Option<Item>, StoreError> {
        self.0.get(table, key, consistency).await
    }

    async fn batch_get(&self, table: Table, keys: &[Key], consistency: Consistency) -> Result<BatchGot, StoreError> {
        self.0.batch_get(table, keys, consistency).await
    }

    async fn batch_write(&self, table: Table, writes: &[BatchWrite]) -> Result<Vec<BatchWrite>, StoreError> {
        self.0.batch_write(table, writes).await
    }

    async fn write(&self, table: Table, write: Write) -> Result<Outcome, StoreError> {
        self.0.write(table, write).await
    }

    async fn transact(&self, writes: Vec<(Table, Write)>) -> Result<Outcome, StoreError> {
        self.0.transact(writes).await
    }

    async fn durable(&self) -> Result<(), StoreError> {
        self.0.durable().await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.0.probe().await
    }
}

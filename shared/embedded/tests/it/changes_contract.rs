//! The change log's contract on the embedded engine.

use std::sync::Arc;

use embedded::{EmbeddedChanges, EmbeddedStore, Engine, EngineOptions};
use testkit::contract::changes::ChangesHarness;

fn open() -> ChangesHarness {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().to_owned();
    let open = move || -> testkit::contract::changes::Ports {
        let engine = Engine::open(EngineOptions::at(&path)).expect("the engine opens");
        (Arc::new(EmbeddedStore::new(engine.clone())), Arc::new(EmbeddedChanges::new(engine)))
    };
    ChangesHarness::new(open).keeping(directory)
}

testkit::changes_contract!(std::future::ready(open()));

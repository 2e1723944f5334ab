//! The store's contract on the embedded engine.

use embedded::{EmbeddedStore, Engine, EngineOptions};
use testkit::contract::store::StoreHarness;

fn open() -> StoreHarness {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let engine = Engine::open(EngineOptions::at(directory.path())).expect("the engine opens");
    StoreHarness::new(EmbeddedStore::new(engine)).keeping(directory)
}

testkit::store_contract!(std::future::ready(open()));

//! The store's contract on the DynamoDB API, as implemented by dynoxide.

use testkit::{contract::store::StoreHarness, engines};

async fn open() -> StoreHarness {
    StoreHarness::new(engines::dynamo().await.store())
}

testkit::store_contract!(open());

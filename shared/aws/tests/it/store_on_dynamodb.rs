//! The store's contract on DynamoDB's API, as dynoxide has it.

use testkit::{contract::store::StoreHarness, engines};

async fn open() -> StoreHarness {
    StoreHarness::new(engines::dynamo().await.store())
}

testkit::store_contract!(open());

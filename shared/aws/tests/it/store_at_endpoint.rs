//! The store's contract over HTTP, on a DynamoDB that somebody else started. `scripts/e2e-cloud` does.

use testkit::{contract::store::StoreHarness, engines};

async fn open() -> StoreHarness {
    StoreHarness::new(engines::dynamo_at_endpoint().await.store())
}

testkit::store_contract!(open(), #[ignore = "needs TWEETER_TEST_AWS_ENDPOINT"]);

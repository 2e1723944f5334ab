//! The store's contract over HTTP, on a DynamoDB endpoint started externally, such as by `scripts/e2e-cloud`.

use testkit::{contract::store::StoreHarness, engines};

async fn open() -> StoreHarness {
    StoreHarness::new(engines::dynamo_at_endpoint().await.store())
}

testkit::store_contract!(open(), #[ignore = "needs TWEETER_TEST_AWS_ENDPOINT"]);

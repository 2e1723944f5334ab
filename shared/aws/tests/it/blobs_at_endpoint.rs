//! The contract of object storage on the S3 at `TWEETER_TEST_AWS_ENDPOINT`.

use testkit::{contract::blobs::BlobsHarness, engines};

async fn open() -> BlobsHarness {
    engines::s3_at_endpoint().await.harness()
}

testkit::blobs_contract!(open(), #[ignore = "needs TWEETER_TEST_AWS_ENDPOINT"]);

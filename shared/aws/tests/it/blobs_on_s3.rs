//! The contract of object storage on S3, judged by s3s.

use testkit::{contract::blobs::BlobsHarness, engines};

async fn open() -> BlobsHarness {
    engines::s3_in_process().await.harness()
}

testkit::blobs_contract!(open());

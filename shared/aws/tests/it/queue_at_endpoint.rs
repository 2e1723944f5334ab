//! The queue's contract over HTTP, on an SQS endpoint started externally, such as by `scripts/e2e-cloud`.

use aws::{SqsOptions, SqsQueue};
use testkit::{
    contract::queue::{QueueHarness, settings},
    engines,
};

/// Differences between SQS and ministack: see [`engines`].
async fn open() -> QueueHarness {
    let engine = engines::sqs_at_endpoint(settings).await;
    let queue = SqsQueue::new(&engine.client, engine.urls, SqsOptions::default());
    let mut harness = QueueHarness::new(queue);
    harness.fair_groups = false;
    harness.stale_deletes_succeed = false;
    harness
}

testkit::queue_contract!(open(), #[ignore = "needs TWEETER_TEST_AWS_ENDPOINT"]);

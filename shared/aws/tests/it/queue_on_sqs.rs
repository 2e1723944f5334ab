//! The queue's contract on the SQS API, as implemented by rustack.

use testkit::{
    contract::queue::{QueueHarness, settings},
    engines,
};

/// Differences from SQS: standard queues are not fair, and the maximum message size is a quarter of SQS's.
async fn open() -> QueueHarness {
    let mut harness = QueueHarness::new(engines::sqs(settings).await.queue());
    harness.fair_groups = false;
    harness.max_message_bytes = 256 * 1024;
    harness
}

testkit::queue_contract!(open());

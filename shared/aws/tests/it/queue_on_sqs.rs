//! The queue's contract on SQS's API, as rustack has it.

use testkit::{
    contract::queue::{QueueHarness, settings},
    engines,
};

/// What differs from SQS: standard queues are not fair, and a message has a quarter of SQS's size.
async fn open() -> QueueHarness {
    let mut harness = QueueHarness::new(engines::sqs(settings).await.queue());
    harness.fair_groups = false;
    harness.max_message_bytes = 256 * 1024;
    harness
}

testkit::queue_contract!(open());

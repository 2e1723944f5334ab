//! The contract of [`Queue`]. Each check gets separate, empty queues with the settings of [`settings`].

mod batches;
mod dead_letters;
mod delivery;
mod visibility;

use std::{any::Any, sync::Arc, time::Duration};

use domain::limits::{MAX_MESSAGE_BYTES, MAX_RECEIVE_WAIT};
use ports::queue::{OutgoingMessage, Queue, QueueName, QueueSettings, ReceivedMessage};

contract! {
    $
    /// Makes a test of each check of the queue's contract. The argument is an expression of a future of a
    /// [`QueueHarness`](crate::contract::queue::QueueHarness), evaluated once per test.
    queue_contract, queue
    delivery {
        a_message_arrives_unchanged
        an_empty_queue_gives_nothing
        queues_share_no_messages
        every_message_keeps_its_group
        groups_take_turns
        a_waiting_receive_wakes_when_a_message_arrives
        a_delayed_message_arrives_later
        concurrent_receivers_never_share_a_message
        depth_distinguishes_visible_in_flight_and_delayed
    }
    batches {
        a_batch_holds_at_most_ten_messages
        batches_of_nothing_are_rejected
        times_beyond_the_limits_are_rejected
        the_largest_message_arrives
        a_message_without_a_body_is_rejected
        a_batch_above_one_mebibyte_is_rejected
        a_delete_removes_exactly_the_named_messages
    }
    visibility {
        a_received_message_is_invisible
        an_undeleted_message_returns_after_its_timeout
        the_queues_timeout_is_the_default
        a_message_made_visible_is_received_at_once
        a_waiting_receive_gets_a_message_made_visible
        a_lengthened_timeout_keeps_a_message_invisible
        deleting_with_an_earlier_receipt_succeeds
        changing_a_deleted_message_succeeds
        a_deleted_message_never_returns
    }
    dead_letters {
        too_many_receives_make_a_dead_letter
        the_dead_letters_of_each_queue_are_apart
        dead_letters_have_no_receive_limit
        a_dead_letter_does_not_affect_its_batch
    }
}

/// The queue whose visibility timeout outlasts every check.
const SLOW: QueueName = QueueName::PostQ;
/// The queue whose visibility timeout is [`SHORT`].
const QUICK: QueueName = QueueName::JobQ;
/// The shortest timeout in SQS.
const SHORT: Duration = Duration::from_secs(1);
/// A timeout that outlasts every check.
const LONG: Duration = Duration::from_mins(5);
/// The number of receives after which a message goes to the dead letters.
const MAX_RECEIVES: u32 = 3;

/// The settings that the checks rely on.
pub const fn settings(queue: QueueName) -> QueueSettings {
    let visibility_timeout = match queue {
        QueueName::JobQ => SHORT,
        QueueName::PostQ
        | QueueName::ChangeQ
        | QueueName::MediaQ
        | QueueName::PostDlq
        | QueueName::JobDlq
        | QueueName::ChangeDlq
        | QueueName::MediaDlq => LONG,
    };
    QueueSettings { visibility_timeout, max_receives: MAX_RECEIVES }
}

/// The queues to check, and their permitted differences.
#[derive(Debug)]
pub struct QueueHarness {
    /// The queues; all are empty.
    pub queue: Arc<dyn Queue>,
    /// Whether a large group yields to a small one. SQS promises to try; an engine may not.
    pub fair_groups: bool,
    /// Whether a delete with an outdated receipt (the message was deleted or received again) succeeds, as it does in
    /// SQS.
    pub stale_deletes_succeed: bool,
    /// The largest message that can be sent.
    pub max_message_bytes: usize,
    /// Resources that must outlive the queues.
    keep: Vec<Box<dyn Any + Send>>,
}

impl QueueHarness {
    /// Queues that fulfil the port's whole contract.
    pub fn new(queue: impl Queue) -> Self {
        Self {
            queue: Arc::new(queue),
            fair_groups: true,
            stale_deletes_succeed: true,
            max_message_bytes: MAX_MESSAGE_BYTES,
            keep: Vec::new(),
        }
    }

    /// Keeps a resource alive until the check ends.
    #[must_use]
    pub fn keeping(mut self, thing: impl Any + Send) -> Self {
        self.keep.push(Box::new(thing));
        self
    }
}

fn message(body: impl Into<String>) -> OutgoingMessage {
    OutgoingMessage { body: body.into(), group: "group".to_owned(), delay: Duration::ZERO }
}

async fn send(queue: &dyn Queue, name: QueueName, messages: Vec<OutgoingMessage>) {
    assert_eq!(queue.send(name, messages).await.expect("a send passes"), []);
}

/// The messages that can be received now.
async fn receive_now(queue: &dyn Queue, name: QueueName) -> Vec<ReceivedMessage> {
    queue.receive(name, 10, Duration::ZERO, None).await.expect("a receive passes")
}

/// The next message; waits as long as one receive can.
async fn next(queue: &dyn Queue, name: QueueName, visibility: Option<Duration>) -> ReceivedMessage {
    let mut messages = queue.receive(name, 1, MAX_RECEIVE_WAIT, visibility).await.expect("a receive passes");
    messages.pop().expect("a message arrives")
}

/// Receives until this many messages have arrived.
async fn receive_all(queue: &dyn Queue, name: QueueName, count: usize) -> Vec<ReceivedMessage> {
    let mut messages = Vec::new();
    while messages.len() < count {
        let more = queue.receive(name, 10, MAX_RECEIVE_WAIT, None).await.expect("a receive passes");
        assert!(!more.is_empty(), "{} messages of {count} arrived", messages.len());
        messages.extend(more);
    }
    messages
}

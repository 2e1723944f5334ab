//! The port to queues, with the semantics of SQS standard queues: at least once, in no promised order, a received
//! message invisible until its visibility timeout ends, to a dead-letter queue after too many receives.
//!
//! Every adapter passes one contract suite.

mod retry;

pub use retry::{delete_all, send_all};

use std::time::Duration;

use async_trait::async_trait;

use domain::{Timestamp, limits};

/// A queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum QueueName {
    /// One message per post to fan out.
    PostQ,
    /// One message per batch of followers to deliver to.
    JobQ,
    /// Changes that could not be applied and are to be tried again: see [`crate::changes`].
    ChangeQ,
    /// What could not be taken from PostQ.
    PostDlq,
    /// What could not be taken from JobQ.
    JobDlq,
    /// Changes that could not be applied: put here by their handler, or received from ChangeQ too often.
    ChangeDlq,
}

impl QueueName {
    /// Every queue.
    pub const ALL: [Self; 6] = [Self::PostQ, Self::JobQ, Self::ChangeQ, Self::PostDlq, Self::JobDlq, Self::ChangeDlq];

    /// The queue's name in metrics, logs, commands and configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PostQ => "PostQ",
            Self::JobQ => "JobQ",
            Self::ChangeQ => "ChangeQ",
            Self::PostDlq => "PostDLQ",
            Self::JobDlq => "JobDLQ",
            Self::ChangeDlq => "ChangeDLQ",
        }
    }

    /// Where messages go that were received too often. Dead-letter queues have none.
    pub const fn dead_letter_queue(self) -> Option<Self> {
        match self {
            Self::PostQ => Some(Self::PostDlq),
            Self::JobQ => Some(Self::JobDlq),
            Self::ChangeQ => Some(Self::ChangeDlq),
            Self::PostDlq | Self::JobDlq | Self::ChangeDlq => None,
        }
    }

    /// The queue whose dead letters this one holds.
    pub const fn source_queue(self) -> Option<Self> {
        match self {
            Self::PostDlq => Some(Self::PostQ),
            Self::JobDlq => Some(Self::JobQ),
            Self::ChangeDlq => Some(Self::ChangeQ),
            Self::PostQ | Self::JobQ | Self::ChangeQ => None,
        }
    }

    /// The queue of this name, in any case.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|queue| queue.name().eq_ignore_ascii_case(name))
    }
}

/// How a queue treats its messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueSettings {
    /// How long a received message stays invisible when the receiver asks for nothing else.
    pub visibility_timeout: Duration,
    /// Receives after which a message goes to the dead-letter queue instead of being received again.
    pub max_receives: u32,
}

impl Default for QueueSettings {
    /// One minute: 6 times the timeout of the function behind JobQ (10 s), as Lambda's guide asks.
    fn default() -> Self {
        Self { visibility_timeout: Duration::from_mins(1), max_receives: limits::MAX_RECEIVES }
    }
}

/// A message to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutgoingMessage {
    /// The body: at most [`limits::MAX_MESSAGE_BYTES`].
    pub body: String,
    /// Who the message is for or from. A group with many messages does not hold up the others.
    pub group: String,
    /// How long to wait before the message can be received: at most [`limits::MAX_MESSAGE_DELAY`].
    pub delay: Duration,
}

/// Names one receive of one message. Deleting by a receipt of an earlier receive is not an error.
pub type Receipt = String;

/// A message received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedMessage {
    /// The message's id; stays the same over receives.
    pub message_id: String,
    /// What to delete it by, or to change its visibility by.
    pub receipt: Receipt,
    /// The body.
    pub body: String,
    /// The group it was sent with.
    pub group: String,
    /// How often it has been received, this time included.
    pub receive_count: u32,
    /// When it was sent.
    pub sent_at: Timestamp,
}

/// How full a queue is. Approximate on SQS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueDepth {
    /// Messages that can be received now.
    pub visible: u64,
    /// Messages received and not yet deleted.
    pub in_flight: u64,
    /// Messages whose delay is not over.
    pub delayed: u64,
    /// How long the oldest message that can be received has been in the queue; `None` where the store does not tell.
    pub oldest_age: Option<Duration>,
}

/// Why a queue did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// Too much at once: the same call, later, may pass.
    #[error("the queue is throttling")]
    Throttled,
    /// The queue did not answer or failed inside: the call may or may not have been applied.
    #[error("the queue is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The call itself is wrong (too many entries, too large, a missing queue): the same call never passes.
    #[error("the queue refused the call")]
    Rejected(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl QueueError {
    /// Whether the same call may pass later.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Throttled | Self::Unavailable(_))
    }
}

/// The port to queues. Batches hold 1 to [`limits::MAX_QUEUE_BATCH`] entries.
#[async_trait]
pub trait Queue: Send + Sync + std::fmt::Debug + 'static {
    /// Sends a batch of at most [`limits::MAX_MESSAGE_BYTES`] together. Not atomic: returns the messages that were not
    /// sent.
    async fn send(&self, queue: QueueName, messages: Vec<OutgoingMessage>) -> Result<Vec<OutgoingMessage>, QueueError>;

    /// Up to `max` messages; waits up to `wait` for the first and returns as soon as there is one. They stay
    /// invisible for `visibility`, or for the queue's own timeout.
    async fn receive(
        &self,
        queue: QueueName,
        max: usize,
        wait: Duration,
        visibility: Option<Duration>,
    ) -> Result<Vec<ReceivedMessage>, QueueError>;

    /// Removes received messages. Returns the receipts that were not deleted and are worth another try.
    async fn delete(&self, queue: QueueName, receipts: Vec<Receipt>) -> Result<Vec<Receipt>, QueueError>;

    /// Makes received messages visible again after the given time from now, 0 for at once. Returns the receipts for
    /// which it was not done; of a message that is gone or no longer in flight there is nothing to change.
    async fn change_visibility(
        &self,
        queue: QueueName,
        changes: Vec<(Receipt, Duration)>,
    ) -> Result<Vec<Receipt>, QueueError>;

    /// How full the queue is.
    async fn depth(&self, queue: QueueName) -> Result<QueueDepth, QueueError>;
}

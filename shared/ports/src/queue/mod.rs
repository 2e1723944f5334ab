//! The port to queues, with the semantics of SQS standard queues: at-least-once delivery in unspecified order; a
//! received message is invisible until its visibility timeout ends, and moves to a dead-letter queue after too many
//! receives.
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
    /// Changes that could not be applied, for a retry: see [`crate::changes`].
    ChangeQ,
    /// One message per uploaded picture.
    MediaQ,
    /// Dead letters of PostQ.
    PostDlq,
    /// Dead letters of JobQ.
    JobDlq,
    /// Changes that could not be applied: put here by their handler, or received too often from ChangeQ.
    ChangeDlq,
    /// Dead letters of MediaQ.
    MediaDlq,
}

impl QueueName {
    /// Every queue.
    pub const ALL: [Self; 8] = [
        Self::PostQ,
        Self::JobQ,
        Self::ChangeQ,
        Self::MediaQ,
        Self::PostDlq,
        Self::JobDlq,
        Self::ChangeDlq,
        Self::MediaDlq,
    ];

    /// The queue's name in metrics, logs, commands and configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PostQ => "PostQ",
            Self::JobQ => "JobQ",
            Self::ChangeQ => "ChangeQ",
            Self::MediaQ => "MediaQ",
            Self::PostDlq => "PostDLQ",
            Self::JobDlq => "JobDLQ",
            Self::ChangeDlq => "ChangeDLQ",
            Self::MediaDlq => "MediaDLQ",
        }
    }

    /// The queue to which messages move after too many receives. Dead-letter queues have none.
    pub const fn dead_letter_queue(self) -> Option<Self> {
        match self {
            Self::PostQ => Some(Self::PostDlq),
            Self::JobQ => Some(Self::JobDlq),
            Self::ChangeQ => Some(Self::ChangeDlq),
            Self::MediaQ => Some(Self::MediaDlq),
            Self::PostDlq | Self::JobDlq | Self::ChangeDlq | Self::MediaDlq => None,
        }
    }

    /// The queue whose dead letters this one holds.
    pub const fn source_queue(self) -> Option<Self> {
        match self {
            Self::PostDlq => Some(Self::PostQ),
            Self::JobDlq => Some(Self::JobQ),
            Self::ChangeDlq => Some(Self::ChangeQ),
            Self::MediaDlq => Some(Self::MediaQ),
            Self::PostQ | Self::JobQ | Self::ChangeQ | Self::MediaQ => None,
        }
    }

    /// The queue of this name, ignoring case.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|queue| queue.name().eq_ignore_ascii_case(name))
    }
}

/// The settings of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueSettings {
    /// The time for which a received message stays invisible unless the receiver asks for another.
    pub visibility_timeout: Duration,
    /// Receives after which a message moves to the dead-letter queue instead of being redelivered.
    pub max_receives: u32,
}

impl Default for QueueSettings {
    /// One minute: 6 times the timeout of JobQ's function (10 s), as Lambda's guide recommends.
    fn default() -> Self {
        Self { visibility_timeout: Duration::from_mins(1), max_receives: limits::MAX_RECEIVES }
    }
}

/// A message to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutgoingMessage {
    /// The body: at most [`limits::MAX_MESSAGE_BYTES`].
    pub body: String,
    /// The user the message is for or from. A group with many messages does not delay other groups.
    pub group: String,
    /// The time before the message can be received: at most [`limits::MAX_MESSAGE_DELAY`].
    pub delay: Duration,
}

/// Identifies one receive of one message. Deleting by the receipt of an earlier receive is not an error.
pub type Receipt = String;

/// A received message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedMessage {
    /// The message's id; the same in every receive.
    pub message_id: String,
    /// The receipt to delete the message by, or to change its visibility.
    pub receipt: Receipt,
    /// The body.
    pub body: String,
    /// The group given when it was sent.
    pub group: String,
    /// The number of receives, including this one.
    pub receive_count: u32,
    /// When it was sent.
    pub sent_at: Timestamp,
}

/// The numbers of messages in a queue. Approximate on SQS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueDepth {
    /// Messages that can be received now.
    pub visible: u64,
    /// Messages received and not yet deleted.
    pub in_flight: u64,
    /// Messages whose delay has not elapsed.
    pub delayed: u64,
    /// The time that the oldest receivable message has spent in the queue; `None` if the store does not report it.
    pub oldest_age: Option<Duration>,
}

/// Why a call to a queue failed.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// Throttled: the same call may succeed later.
    #[error("the queue is throttling")]
    Throttled,
    /// No answer, or an internal failure: the call may or may not have been applied.
    #[error("the queue is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The call is invalid (too many entries, too large, a missing queue): the same call never succeeds.
    #[error("the queue rejected the call")]
    Rejected(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl QueueError {
    /// Whether the same call may succeed later.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Throttled | Self::Unavailable(_))
    }
}

/// The port to queues. Batches hold 1 to [`limits::MAX_QUEUE_BATCH`] entries.
#[async_trait]
pub trait Queue: Send + Sync + std::fmt::Debug + 'static {
    /// Sends a batch of at most [`limits::MAX_MESSAGE_BYTES`] in total. Not atomic: returns the messages that were not
    /// sent.
    async fn send(&self, queue: QueueName, messages: Vec<OutgoingMessage>) -> Result<Vec<OutgoingMessage>, QueueError>;

    /// Receives up to `max` messages; waits up to `wait` for the first and returns as soon as there is one. They stay
    /// invisible for `visibility`, or else for the queue's timeout.
    async fn receive(
        &self,
        queue: QueueName,
        max: usize,
        wait: Duration,
        visibility: Option<Duration>,
    ) -> Result<Vec<ReceivedMessage>, QueueError>;

    /// Deletes received messages. Returns the receipts that were not deleted and are worth a retry.
    async fn delete(&self, queue: QueueName, receipts: Vec<Receipt>) -> Result<Vec<Receipt>, QueueError>;

    /// Makes received messages visible after the given time from now, 0 for immediately. Returns the receipts that
    /// failed; a message that is deleted or no longer in flight does not count as failed.
    async fn change_visibility(
        &self,
        queue: QueueName,
        changes: Vec<(Receipt, Duration)>,
    ) -> Result<Vec<Receipt>, QueueError>;

    /// The depth of the queue.
    async fn depth(&self, queue: QueueName) -> Result<QueueDepth, QueueError>;
}

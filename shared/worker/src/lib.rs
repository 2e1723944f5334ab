//! The partial-batch driver that every queue handler shares: each message stands alone, and the queue gets back only
//! what failed.
//!
//! - What is throttled or away is made visible again soon, and tried for as long as it takes: before its receives are
//!   used up a copy takes its place.
//! - What can never pass (it cannot be read, its handler panics, it is refused) uses its receives up within seconds and
//!   ends in the dead-letter queue.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::{FutureExt as _, StreamExt as _};
use tokio::time::Instant;
use tracing::{error, warn};

use data::messages::UndecodableMessage;
use domain::limits;
use ports::queue::{OutgoingMessage, Queue, QueueName, ReceivedMessage};
use service::ServiceError;
use telemetry::{chain, names, outcomes};

/// From this receive on, a copy takes the place of a message that failed for a passing reason. It leaves two more
/// receives in which sending the copy may fail too.
const COPY_FROM_RECEIVE: u32 = limits::MAX_RECEIVES - 2;

/// How soon what failed is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPauses {
    /// The pause after the first failure; doubles with each.
    pub first: Duration,
    /// The longest pause, and the one before a copy.
    pub longest: Duration,
}

impl Default for RetryPauses {
    /// Whole seconds: SQS takes no fractions.
    fn default() -> Self {
        Self { first: Duration::from_secs(1), longest: Duration::from_secs(20) }
    }
}

/// The result of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[must_use]
pub struct BatchOutcome {
    /// The ids of the messages that are to be redelivered. All others of the batch may be deleted.
    pub failed: Vec<String>,
}

/// Why a message was not processed.
#[derive(Debug, thiserror::Error)]
enum MessageError {
    #[error(transparent)]
    Undecodable(#[from] UndecodableMessage),
    #[error(transparent)]
    Service(#[from] ServiceError),
    #[error("the handler panicked")]
    Panicked,
}

impl MessageError {
    fn is_transient(&self) -> bool {
        matches!(self, Self::Service(error) if error.is_transient())
    }
}

/// Drives the messages of one queue's batches.
#[derive(Debug, Clone)]
pub struct BatchDriver {
    queue: Arc<dyn Queue>,
    name: QueueName,
    pauses: RetryPauses,
    messages_in_flight: usize,
}

impl BatchDriver {
    /// A driver for batches from queue `name`, working on up to `messages_in_flight` messages at once.
    pub fn new(queue: Arc<dyn Queue>, name: QueueName, pauses: RetryPauses, messages_in_flight: usize) -> Self {
        Self { queue, name, pauses, messages_in_flight: messages_in_flight.max(1) }
    }

    /// Decodes and handles each message; the outcome names those that failed.
    pub async fn drive<M, F>(
        &self,
        batch: Vec<ReceivedMessage>,
        decode: impl Fn(&str) -> Result<M, UndecodableMessage> + Sync,
        handle: impl Fn(M) -> F + Sync,
    ) -> BatchOutcome
    where
        M: Send,
        F: Future<Output = Result<(), ServiceError>> + Send,
    {
        let (decode, handle) = (&decode, &handle);
        // Boxed, or the compiler cannot see that the whole is `Send`.
        let messages = batch.into_iter().map(|message| {
            let outcome = attempt(decode(&message.body), handle);
            self.settled(message, outcome).boxed()
        });
        let failed = futures::stream::iter(messages)
            .buffer_unordered(self.messages_in_flight)
            .filter_map(|failed| async { failed })
            .collect()
            .await;
        BatchOutcome { failed }
    }

    /// Decides what becomes of a message; its id when it is to be redelivered.
    async fn settled(
        &self,
        message: ReceivedMessage,
        outcome: impl Future<Output = Result<(), MessageError>>,
    ) -> Option<String> {
        let Err(error) = outcome.await else {
            self.count(outcomes::DONE);
            return None;
        };
        self.report(&message, &error);
        let is_done = self.give_back(&message, &error).await;
        (!is_done).then_some(message.message_id)
    }

    /// Makes a failed message visible again soon, within [`limits::GIVE_BACK_LIMIT`]. True when a copy took its place.
    async fn give_back(&self, message: &ReceivedMessage, error: &MessageError) -> bool {
        let (began, receives) = (Instant::now(), message.receive_count);
        if error.is_transient() && receives >= COPY_FROM_RECEIVE && self.send_copy(message).await {
            return true;
        }
        if began.elapsed() + limits::CALL_TIMEOUT > limits::GIVE_BACK_LIMIT {
            self.warn_hidden(&message.message_id, "the queue did not take a copy in time");
            return false;
        }
        let pause = if error.is_transient() { self.pause(receives) } else { self.pauses.first };
        self.hide(message, pause).await;
        false
    }

    fn report(&self, message: &ReceivedMessage, error: &MessageError) {
        let (queue, message_id, receives) = (self.name.name(), &message.message_id, message.receive_count);
        if error.is_transient() {
            self.count(outcomes::RETRIED);
            warn!(sqs.message_id = message_id, queue, receives, error = %chain(error), "Message {message_id} of {queue} failed; it is redelivered");
        } else {
            self.count(outcomes::POISON);
            error!(sqs.message_id = message_id, queue, receives, error = %chain(error), "Message {message_id} of {queue} cannot be processed");
        }
    }

    fn count(&self, outcome: &'static str) {
        metrics::counter!(names::RECORDS, "queue" => self.name.name(), "outcome" => outcome).increment(1);
    }

    /// The pause before the next try, doubled with each receive and up to half of it taken off at random, so that what
    /// failed together does not come back together.
    fn pause(&self, receives: u32) -> Duration {
        let doubled = self.pauses.first.saturating_mul(2_u32.saturating_pow(receives.saturating_sub(1)));
        doubled.min(self.pauses.longest).mul_f64(rand::random_range(0.5..=1.0))
    }

    /// Puts a copy, whose receives count from 0 again, on the queue. True when the original is done with.
    async fn send_copy(&self, message: &ReceivedMessage) -> bool {
        let copy = OutgoingMessage {
            body: message.body.clone(),
            group: message.group.clone(),
            delay: self.pauses.longest.mul_f64(rand::random_range(0.5..=1.0)),
        };
        let sent = self.queue.send(self.name, vec![copy]).await;
        sent.is_ok_and(|unsent| unsent.is_empty())
    }

    /// Makes a failed message visible again after `pause`. When that fails the queue's own timeout does it, later.
    async fn hide(&self, message: &ReceivedMessage, pause: Duration) {
        let change = (message.receipt.clone(), pause);
        if let Err(error) = self.queue.change_visibility(self.name, vec![change]).await {
            self.warn_hidden(&message.message_id, &chain(&error));
        }
    }

    fn warn_hidden(&self, message_id: &str, reason: &str) {
        let queue = self.name.name();
        warn!(
            sqs.message_id = message_id,
            queue,
            error = reason,
            "Could not make message {message_id} of {queue} visible: {reason}; it is redelivered after the queue's visibility timeout"
        );
    }
}

async fn attempt<M, F>(message: Result<M, UndecodableMessage>, handle: impl Fn(M) -> F) -> Result<(), MessageError>
where
    F: Future<Output = Result<(), ServiceError>>,
{
    let message = message?;
    // Nothing of a message outlives it, so a panic leaves no state of ours behind.
    let handled = AssertUnwindSafe(async { handle(message).await }).catch_unwind().await;
    handled.map_err(|_panic| MessageError::Panicked)?.map_err(MessageError::Service)
}

//! The partial-batch driver that every queue handler shares: messages are independent, and only failed ones return to
//! the queue.
//!
//! - A message that fails for a transient reason (throttling, an unavailable store) is made visible again soon and
//!   retried until it passes: a copy replaces it before its receives are used up.
//! - A poison message (unreadable, refused, or its handler panics) uses up its receives within seconds and ends in the
//!   dead-letter queue.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::{FutureExt as _, StreamExt as _};
use tokio::time::Instant;
use tracing::{error, warn};

use data::messages::UndecodableMessage;
use domain::limits;
use ports::queue::{OutgoingMessage, Queue, QueueError, QueueName, ReceivedMessage};
use service::ServiceError;
use telemetry::{chain, names, outcomes};

/// From this receive on, a copy replaces a message that failed for a transient reason. Two more receives are left in
/// case sending the copy fails.
const COPY_FROM_RECEIVE: u32 = limits::MAX_RECEIVES - 2;

/// The pauses before a failed message is retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPauses {
    /// The pause after the first failure; doubles with each further one.
    pub first: Duration,
    /// The longest pause; also the delay of a copy.
    pub longest: Duration,
}

impl Default for RetryPauses {
    /// Whole seconds, because SQS takes no fractions.
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

/// Processes the batches of one queue.
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

    /// Decodes and handles each message; the outcome names the failed ones.
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
        // Boxed, because otherwise the compiler cannot prove that the future is `Send`.
        let messages = batch.into_iter().map(|message| {
            let outcome = attempt(decode(&message.body), handle);
            self.finish(message, outcome).boxed()
        });
        let failed = futures::stream::iter(messages)
            .buffer_unordered(self.messages_in_flight)
            .filter_map(|failed| async { failed })
            .collect()
            .await;
        BatchOutcome { failed }
    }

    /// Counts and reports the outcome of a message. Returns its id if it must be redelivered.
    async fn finish(
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

    /// Makes a failed message visible again soon, within [`limits::GIVE_BACK_LIMIT`]. True if a copy replaced it.
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
            warn!(sqs.message_id = message_id, queue, receives, error = %chain(error), "Could not process message {message_id} of {queue}; it will be redelivered");
        } else {
            self.count(outcomes::POISON);
            error!(sqs.message_id = message_id, queue, receives, error = %chain(error), "Could not process message {message_id} of {queue}; it will end in the dead-letter queue");
        }
    }

    fn count(&self, outcome: &'static str) {
        metrics::counter!(names::RECORDS, "queue" => self.name.name(), "outcome" => outcome).increment(1);
    }

    /// The pause before the next attempt: doubles with each receive, and is cut by up to half at random so that
    /// messages that failed together are not redelivered together.
    fn pause(&self, receives: u32) -> Duration {
        let doubled = self.pauses.first.saturating_mul(2_u32.saturating_pow(receives.saturating_sub(1)));
        doubled.min(self.pauses.longest).mul_f64(rand::random_range(0.5..=1.0))
    }

    /// Sends a copy, whose receives count from 0 again. True if the original can be deleted.
    async fn send_copy(&self, message: &ReceivedMessage) -> bool {
        let copy = OutgoingMessage {
            body: message.body.clone(),
            group: message.group.clone(),
            delay: self.pauses.longest.mul_f64(rand::random_range(0.5..=1.0)),
        };
        let (queue, message_id) = (self.name.name(), &message.message_id);
        let reason = match self.queue.send(self.name, vec![copy]).await {
            Ok(unsent) if unsent.is_empty() => return true,
            Ok(_unsent) => chain(&QueueError::Throttled),
            Err(error) => chain(&error),
        };
        warn!(
            sqs.message_id = message_id,
            queue,
            error = reason,
            "Could not send a copy of message {message_id} to {queue}; after {} receives it will become a dead letter",
            limits::MAX_RECEIVES
        );
        false
    }

    /// Makes a failed message visible again after `pause`. If that fails, the queue's visibility timeout does it later.
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
            "Could not make message {message_id} of {queue} visible: {reason}; it will be redelivered after the queue's visibility timeout"
        );
    }
}

async fn attempt<M, F>(message: Result<M, UndecodableMessage>, handle: impl Fn(M) -> F) -> Result<(), MessageError>
where
    F: Future<Output = Result<(), ServiceError>>,
{
    let message = message?;
    // No state outlives a message, so a panic cannot leave any inconsistent.
    let handled = AssertUnwindSafe(async { handle(message).await }).catch_unwind().await;
    handled.map_err(|_panic| MessageError::Panicked)?.map_err(MessageError::Service)
}

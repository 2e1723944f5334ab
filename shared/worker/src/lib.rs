//! The partial-batch driver that every queue handler shares: each record stands alone, and the queue gets back only
//! what failed.
//!
//! - What is throttled or away is made visible again soon, and tried for as long as it takes: before its receives are
//!   used up a copy takes its place.
//! - What can never pass (it cannot be read, its handler panics, it is refused) uses its receives up within seconds and
//!   ends in the dead-letter queue.

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use futures::{FutureExt as _, StreamExt as _};
use tracing::{error, warn};

use data::messages::UndecodableMessage;
use domain::limits;
use ports::queue::{OutgoingMessage, Queue, QueueName};
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

/// Why a record was not done.
#[derive(Debug, thiserror::Error)]
enum RecordError {
    #[error(transparent)]
    Undecodable(#[from] UndecodableMessage),
    #[error(transparent)]
    Service(#[from] ServiceError),
    #[error("the handler panicked")]
    Panicked,
}

impl RecordError {
    fn is_transient(&self) -> bool {
        matches!(self, Self::Service(error) if error.is_transient())
    }
}

/// Drives the records of one queue's batches.
#[derive(Debug, Clone)]
pub struct BatchDriver {
    queue: Arc<dyn Queue>,
    name: QueueName,
    pauses: RetryPauses,
    records_in_flight: usize,
}

impl BatchDriver {
    /// A driver for batches from queue `name`, working on up to `records_in_flight` records at once.
    pub fn new(queue: Arc<dyn Queue>, name: QueueName, pauses: RetryPauses, records_in_flight: usize) -> Self {
        Self { queue, name, pauses, records_in_flight: records_in_flight.max(1) }
    }

    /// Decodes and handles each record; the answer names those that are to come again.
    pub async fn drive<M, F>(
        &self,
        event: SqsEvent,
        decode: impl Fn(&str) -> Result<M, UndecodableMessage> + Sync,
        handle: impl Fn(M) -> F + Sync,
    ) -> SqsBatchResponse
    where
        M: Send,
        F: Future<Output = Result<(), ServiceError>> + Send,
    {
        let (decode, handle) = (&decode, &handle);
        // Boxed, or the compiler cannot see that the whole is `Send`.
        let records = event.records.into_iter().map(|record| {
            let outcome = attempt(decode(record.body.as_deref().unwrap_or_default()), handle);
            self.settled(record, outcome).boxed()
        });
        let failed: Vec<String> = futures::stream::iter(records)
            .buffer_unordered(self.records_in_flight)
            .filter_map(|failed| async { failed })
            .collect()
            .await;
        let mut response = SqsBatchResponse::default();
        for message_id in failed {
            response.add_failure(message_id);
        }
        response
    }

    /// Decides what becomes of a record; its id when it is to come again.
    async fn settled(
        &self,
        record: SqsMessage,
        outcome: impl Future<Output = Result<(), RecordError>>,
    ) -> Option<String> {
        let Err(error) = outcome.await else {
            self.count(outcomes::DONE);
            return None;
        };
        let receives = receive_count(&record);
        let message_id = record.message_id.clone().unwrap_or_default();
        self.report(&message_id, receives, &error);
        let is_done = self.give_back(&record, &error, receives).await;
        (!is_done).then_some(message_id)
    }

    /// Sees to it that a failed record is tried again soon, within [`limits::GIVE_BACK_LIMIT`]. True when a copy took its
    /// place.
    async fn give_back(&self, record: &SqsMessage, error: &RecordError, receives: u32) -> bool {
        let began = Instant::now();
        if error.is_transient() && receives >= COPY_FROM_RECEIVE && self.send_copy(record).await {
            return true;
        }
        if began.elapsed() + limits::CALL_TIMEOUT > limits::GIVE_BACK_LIMIT {
            self.warn_hidden(record.message_id.as_deref().unwrap_or_default(), "the queue did not take a copy in time");
            return false;
        }
        let pause = if error.is_transient() { self.pause(receives) } else { self.pauses.first };
        self.hide(record, pause).await;
        false
    }

    fn report(&self, message_id: &str, receives: u32, error: &RecordError) {
        let queue = self.name.name();
        if error.is_transient() {
            self.count(outcomes::RETRIED);
            warn!(sqs.message_id = message_id, queue, receives, error = %chain(error), "Message {message_id} of {queue} failed; it comes again");
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
    async fn send_copy(&self, record: &SqsMessage) -> bool {
        let copy = OutgoingMessage {
            body: record.body.clone().unwrap_or_default(),
            group: record.attributes.get("MessageGroupId").cloned().unwrap_or_default(),
            delay: self.pauses.longest.mul_f64(rand::random_range(0.5..=1.0)),
        };
        let sent = self.queue.send(self.name, vec![copy]).await;
        sent.is_ok_and(|unsent| unsent.is_empty())
    }

    /// Makes a failed message visible again after `pause`. When that fails the queue's own timeout does it, later.
    async fn hide(&self, record: &SqsMessage, pause: Duration) {
        let receipt = record.receipt_handle.clone().unwrap_or_default();
        if let Err(error) = self.queue.change_visibility(self.name, vec![(receipt, pause)]).await {
            let message_id = record.message_id.as_deref().unwrap_or_default();
            self.warn_hidden(message_id, &chain(&error));
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

async fn attempt<M, F>(message: Result<M, UndecodableMessage>, handle: impl Fn(M) -> F) -> Result<(), RecordError>
where
    F: Future<Output = Result<(), ServiceError>>,
{
    let message = message?;
    // Nothing of a record outlives it, so a panic leaves no state of ours behind.
    let handled = AssertUnwindSafe(async { handle(message).await }).catch_unwind().await;
    handled.map_err(|_panic| RecordError::Panicked)?.map_err(RecordError::Service)
}

fn receive_count(record: &SqsMessage) -> u32 {
    record.attributes.get("ApproximateReceiveCount").and_then(|count| count.parse().ok()).unwrap_or(1)
}

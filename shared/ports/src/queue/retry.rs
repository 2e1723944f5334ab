//! Sends and deletes any number of messages, in batches and with retries of failed entries.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use futures::TryStreamExt as _;
use tokio::time::Instant;

use super::{OutgoingMessage, Queue, QueueError, QueueName, Receipt};
use domain::limits;

/// Pauses of 20 to 640 ms with jitter, as for the store.
fn pauses() -> ExponentialBuilder {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(20))
        .with_max_delay(Duration::from_millis(640))
        .with_max_times(6)
        .with_jitter()
}

/// Concurrent calls of one [`send_all`]: hides the latency of SQS (about 10 ms per call) without flooding it.
const SENDS_IN_FLIGHT: usize = 8;

/// Sends all messages, at most [`limits::MAX_QUEUE_BATCH`] and [`limits::MAX_MESSAGE_BYTES`] per call, several calls at
/// once.
///
/// On an error some messages may be unsent: the caller repeats the whole step.
pub async fn send_all(queue: &dyn Queue, name: QueueName, messages: Vec<OutgoingMessage>) -> Result<(), QueueError> {
    futures::stream::iter(cut(messages).into_iter().map(Ok))
        .try_for_each_concurrent(SENDS_IN_FLIGHT, |batch| send_batch(queue, name, batch))
        .await
}

async fn send_batch(queue: &dyn Queue, name: QueueName, batch: Vec<OutgoingMessage>) -> Result<(), QueueError> {
    let started = Instant::now();
    let mut left = batch;
    let mut pauses = pauses().build();
    loop {
        let error = match queue.send(name, left.clone()).await {
            Ok(unsent) if unsent.is_empty() => return Ok(()),
            Ok(unsent) => {
                left = unsent;
                QueueError::Throttled
            }
            Err(error) if error.is_transient() => error,
            Err(error) => return Err(error),
        };
        match pauses.next().filter(|_| started.elapsed() < limits::RETRY_BUDGET) {
            Some(pause) => tokio::time::sleep(pause).await,
            None => return Err(error),
        }
    }
}

/// Splits messages into batches that fit into one call.
fn cut(messages: Vec<OutgoingMessage>) -> Vec<Vec<OutgoingMessage>> {
    let mut batches: Vec<Vec<OutgoingMessage>> = Vec::new();
    let mut bytes = 0;
    for message in messages {
        bytes += message.body.len();
        match batches.last_mut() {
            Some(batch) if batch.len() < limits::MAX_QUEUE_BATCH && bytes <= limits::MAX_MESSAGE_BYTES => {
                batch.push(message);
            }
            _ => {
                bytes = message.body.len();
                batches.push(vec![message]);
            }
        }
    }
    batches
}

/// Deletes all receipts, at most [`limits::MAX_QUEUE_BATCH`] per call. If a deletion fails, returns an error; its
/// message will be redelivered.
pub async fn delete_all(queue: &dyn Queue, name: QueueName, receipts: Vec<Receipt>) -> Result<(), QueueError> {
    for chunk in receipts.chunks(limits::MAX_QUEUE_BATCH) {
        let started = Instant::now();
        let mut left = chunk.to_vec();
        let mut pauses = pauses().build();
        while !left.is_empty() {
            let error = match queue.delete(name, left.clone()).await {
                Ok(undeleted) => {
                    left = undeleted;
                    QueueError::Throttled
                }
                Err(error) if error.is_transient() => error,
                Err(error) => return Err(error),
            };
            if left.is_empty() {
                break;
            }
            match pauses.next().filter(|_| started.elapsed() < limits::RETRY_BUDGET) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(error),
            }
        }
    }
    Ok(())
}

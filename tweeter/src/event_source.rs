//! The single process's counterpart of a Lambda event source mapping: receives messages from a queue, passes them to a
//! handler and deletes those not reported as failed.

use std::{collections::HashSet, future::Future, pin::pin, sync::Arc, time::Duration};

use domain::limits;
use ports::queue::{Queue, QueueError, QueueName, Receipt, ReceivedMessage, delete_all};
use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};
use worker::BatchOutcome;

/// The mapping of a queue to its handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mapping {
    /// Messages per invocation: 1 to [`limits::MAX_QUEUE_BATCH`].
    pub batch_size: usize,
    /// Maximum concurrent invocations; at least 1.
    pub max_concurrency: usize,
    /// Maximum duration of an invocation. After it the invocation is aborted and its batch fails: the messages are
    /// redelivered once their visibility timeout expires, and become dead letters after the queue's maximum number of
    /// receives. A handler that waits for a store must give up earlier and report the remaining messages. At most a
    /// sixth of the queue's visibility timeout, so that no message is redelivered while it is being handled.
    pub timeout: Duration,
}

/// How long running invocations may continue after a stop.
pub(crate) const GRACE: Duration = Duration::from_secs(10);
/// How long returning the messages of aborted invocations may take, after the grace period.
const GIVING_BACK: Duration = Duration::from_secs(1);
/// The first and the longest pause after a failed receive; pauses double in between.
const RECEIVE_PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

/// The loop from one queue to one handler.
#[derive(Debug)]
pub struct EventSource {
    queue: Arc<dyn Queue>,
    name: QueueName,
    mapping: Mapping,
    progress: watch::Sender<u64>,
    last_receive: Duration,
    cut: CancellationToken,
}

impl EventSource {
    /// The loop from `name`; `progress` is incremented after each invocation, once its messages are deleted.
    pub fn new(queue: Arc<dyn Queue>, name: QueueName, mapping: Mapping, progress: watch::Sender<u64>) -> Self {
        Self { queue, name, mapping, progress, last_receive: Duration::ZERO, cut: CancellationToken::new() }
    }

    /// Makes a stop wait this long for a receive in flight. For queues whose messages stay in flight when the receiver
    /// ends.
    #[must_use]
    pub fn with_last_receive(self, last_receive: Duration) -> Self {
        Self { last_receive, ..self }
    }

    /// Runs until `stop`, then receives no more and gives running invocations ten seconds to finish. The messages of
    /// the others are made visible again.
    pub async fn run<H, F>(self, handler: H, stop: CancellationToken)
    where
        H: Fn(Vec<ReceivedMessage>) -> F + Send + Sync + 'static,
        F: Future<Output = BatchOutcome> + Send + 'static,
    {
        let (source, handler) = (Arc::new(self), Arc::new(handler));
        let slots = Arc::new(Semaphore::new(source.mapping.max_concurrency.max(1)));
        let mut invocations = JoinSet::new();
        // Nothing closes the semaphore.
        while let Some(Ok(slot)) = stop.run_until_cancelled(Arc::clone(&slots).acquire_owned()).await {
            let Some(messages) = source.take(&stop).await else { break };
            while invocations.try_join_next().is_some() {}
            let (source, handler) = (Arc::clone(&source), Arc::clone(&handler));
            invocations.spawn(async move {
                source.invoke(handler.as_ref(), messages).await;
                drop(slot);
            });
        }
        source.finish(invocations).await;
    }

    /// The next messages; `None` after the stop. Messages taken by an aborted receive stay in flight until they are
    /// redelivered.
    async fn take(&self, stop: &CancellationToken) -> Option<Vec<ReceivedMessage>> {
        let mut receiving = pin!(self.receive_some());
        match stop.run_until_cancelled(receiving.as_mut()).await {
            None if self.last_receive.is_zero() => None,
            None => tokio::time::timeout(self.last_receive, receiving).await.ok(),
            messages => messages,
        }
    }

    /// Polls until messages arrive; pauses grow while the queue fails.
    async fn receive_some(&self) -> Vec<ReceivedMessage> {
        let mut failures = 0;
        loop {
            match self.receive().await {
                Ok(messages) if messages.is_empty() => failures = 0,
                Ok(messages) => return messages,
                Err(error) => {
                    warn!(
                        queue = self.name.name(),
                        error = telemetry::chain(&error),
                        "Could not receive from {}; retrying",
                        self.name.name()
                    );
                    tokio::time::sleep(pause_after(failures)).await;
                    failures += 1;
                }
            }
        }
    }

    async fn receive(&self) -> Result<Vec<ReceivedMessage>, QueueError> {
        let size = self.mapping.batch_size.clamp(1, limits::MAX_QUEUE_BATCH);
        self.queue.receive(self.name, size, limits::MAX_RECEIVE_WAIT, None).await
    }

    /// Calls the handler with the messages and deletes those it did not report as failed.
    async fn invoke<H, F>(&self, handler: &H, messages: Vec<ReceivedMessage>)
    where
        H: Fn(Vec<ReceivedMessage>) -> F,
        F: Future<Output = BatchOutcome> + Send + 'static,
    {
        let sent: Vec<_> = messages.iter().map(|m| (m.message_id.clone(), m.receipt.clone())).collect();
        let receives = messages.iter().map(|m| m.receive_count).max().unwrap_or_default();
        // A separate task, so that a panic fails only this batch. Aborted when this future is dropped.
        let mut task = JoinSet::new();
        task.spawn(handler(messages));
        let handled = tokio::time::timeout(self.mapping.timeout, task.join_next());
        let done = match self.cut.run_until_cancelled(handled).await {
            Some(Ok(Some(Ok(outcome)))) => self.done_of(sent, &outcome),
            Some(Ok(_)) => {
                self.report_failure(sent.len(), receives, "panicked");
                Vec::new()
            }
            None => return self.give_back(sent).await,
            Some(Err(_)) => {
                let timeout = self.mapping.timeout.as_secs_f64();
                self.report_failure(sent.len(), receives, &format!("was aborted after {timeout} s"));
                Vec::new()
            }
        };
        if !done.is_empty()
            && let Err(error) = delete_all(self.queue.as_ref(), self.name, done).await
        {
            warn!(
                queue = self.name.name(),
                error = telemetry::chain(&error),
                "Could not delete messages from {}; they will be redelivered",
                self.name.name()
            );
        }
        self.progress.send_modify(|invocations| *invocations = invocations.wrapping_add(1));
    }

    /// A batch that failed as a whole stays in flight until its visibility timeout expires. Each receive counts towards
    /// the queue's maximum, after which the messages become dead letters.
    fn report_failure(&self, batch: usize, receives: u32, what: &str) {
        let name = self.name.name();
        error!(
            queue = name,
            batch,
            sqs.receive_count = receives,
            "The handler of {name} {what}; its batch will be redelivered"
        );
    }

    /// The receipts of the messages not reported as failed. As in Lambda, a report that names a message outside the
    /// batch fails the whole batch.
    fn done_of(&self, sent: Vec<(String, Receipt)>, outcome: &BatchOutcome) -> Vec<Receipt> {
        let failed: HashSet<&str> = outcome.failed.iter().map(String::as_str).collect();
        let known = sent.iter().filter(|(id, _)| failed.contains(id.as_str())).count();
        if known < failed.len() {
            error!(
                queue = self.name.name(),
                batch = sent.len(),
                "The handler of {} reported a message outside its batch; the batch will be redelivered",
                self.name.name()
            );
            return Vec::new();
        }
        sent.into_iter().filter(|(id, _)| !failed.contains(id.as_str())).map(|(_, receipt)| receipt).collect()
    }

    /// Makes the messages of an aborted handler visible, so that they can be redelivered at once.
    async fn give_back(&self, sent: Vec<(String, Receipt)>) {
        let changes = sent.into_iter().map(|(_, receipt)| (receipt, Duration::ZERO)).collect();
        if let Err(error) = self.queue.change_visibility(self.name, changes).await {
            warn!(
                queue = self.name.name(),
                error = telemetry::chain(&error),
                "Could not return messages to {}; they will be redelivered after their visibility timeout",
                self.name.name()
            );
        }
    }

    async fn finish(&self, mut invocations: JoinSet<()>) {
        if ended_within(GRACE, &mut invocations).await {
            return;
        }
        warn!(
            queue = self.name.name(),
            left = invocations.len(),
            "Aborted unfinished invocations of {}; their messages will be redelivered",
            self.name.name()
        );
        self.cut.cancel();
        // Messages not returned in time become visible when their visibility timeout expires.
        ended_within(GIVING_BACK, &mut invocations).await;
    }
}

async fn ended_within(time: Duration, invocations: &mut JoinSet<()>) -> bool {
    let all = async { while invocations.join_next().await.is_some() {} };
    tokio::time::timeout(time, all).await.is_ok()
}

/// The pause after this many earlier failures: doubling, minus a random share of up to half, so that loops do not retry
/// in step.
pub(crate) fn pause_after(failures: u32) -> Duration {
    let (first, last) = RECEIVE_PAUSES;
    first.saturating_mul(2_u32.saturating_pow(failures)).min(last).mul_f64(rand::random_range(0.5..1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_at_most_ten_seconds() {
        for failures in [0, 1, 6, 7, 40, u32::MAX] {
            let whole = Duration::from_millis(100).saturating_mul(2_u32.saturating_pow(failures));
            let pause = pause_after(failures);
            assert!(pause <= whole && pause <= Duration::from_secs(10), "{failures}: {pause:?}");
            assert!(pause >= (whole.min(Duration::from_secs(10))) / 2, "{failures}: {pause:?}");
        }
    }
}

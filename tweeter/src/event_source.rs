//! What a Lambda event source mapping does in the cloud: takes messages from a queue, calls a handler with them, deletes
//! what it did not report as failed.

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

/// How a queue is mapped to its handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mapping {
    /// Messages of one invocation: 1 to [`limits::MAX_QUEUE_BATCH`].
    pub batch_size: usize,
    /// Invocations at once, at least 1.
    pub max_concurrency: usize,
    /// After this long an invocation is ended and its batch failed: its messages come again when their visibility
    /// timeout is over, and go to the dead letters after as many receives as the queue allows. A handler that waits for
    /// a store must give up sooner and report what is left. At most a sixth of the queue's visibility timeout, so that
    /// no message comes again while it is being worked on.
    pub timeout: Duration,
}

/// How long invocations under way may go on after a stop.
pub(crate) const GRACE: Duration = Duration::from_secs(10);
/// How long giving back may take that is cut short after the grace.
const GIVING_BACK: Duration = Duration::from_secs(1);
/// Pauses after receives that failed: from the first, doubling, to the last.
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
    /// The loop from `name`; `progress` is raised after each invocation, when its messages are deleted.
    pub fn new(queue: Arc<dyn Queue>, name: QueueName, mapping: Mapping, progress: watch::Sender<u64>) -> Self {
        Self { queue, name, mapping, progress, last_receive: Duration::ZERO, cut: CancellationToken::new() }
    }

    /// The same, but a stop waits this long for what the queue has perhaps handed out already. For queues that keep
    /// messages in flight when their receiver ends.
    #[must_use]
    pub fn with_last_receive(self, last_receive: Duration) -> Self {
        Self { last_receive, ..self }
    }

    /// Works until `stop`: then takes nothing more, and gives what is under way ten seconds to end. What does not is
    /// given back.
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

    /// The next messages; `None` after the stop. What a receive that is cut short has taken stays in flight and comes
    /// again.
    async fn take(&self, stop: &CancellationToken) -> Option<Vec<ReceivedMessage>> {
        let mut receiving = pin!(self.receive_some());
        match stop.run_until_cancelled(receiving.as_mut()).await {
            None if self.last_receive.is_zero() => None,
            None => tokio::time::timeout(self.last_receive, receiving).await.ok(),
            messages => messages,
        }
    }

    /// Receives until there is something, with growing pauses while the queue fails.
    async fn receive_some(&self) -> Vec<ReceivedMessage> {
        let mut failures = 0;
        loop {
            match self.receive().await {
                Ok(messages) if messages.is_empty() => failures = 0,
                Ok(messages) => return messages,
                Err(error) => {
                    warn!(queue = self.name.name(), %error, "{} gave no messages", self.name.name());
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

    /// Calls the handler with the messages and deletes those that it is done with.
    async fn invoke<H, F>(&self, handler: &H, messages: Vec<ReceivedMessage>)
    where
        H: Fn(Vec<ReceivedMessage>) -> F,
        F: Future<Output = BatchOutcome> + Send + 'static,
    {
        let sent: Vec<_> = messages.iter().map(|m| (m.message_id.clone(), m.receipt.clone())).collect();
        let receives = messages.iter().map(|m| m.receive_count).max().unwrap_or_default();
        // In a task of its own, so that a panic ends no more than the batch. Aborted when this future is dropped.
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
                self.report_failure(sent.len(), receives, &format!("was ended: it took longer than {timeout} s"));
                Vec::new()
            }
        };
        if !done.is_empty()
            && let Err(error) = delete_all(self.queue.as_ref(), self.name, done).await
        {
            warn!(queue = self.name.name(), %error, "Messages of {} were not deleted; they come again", self.name.name());
        }
        self.progress.send_modify(|invocations| *invocations = invocations.wrapping_add(1));
    }

    /// A batch that failed as a whole stays in flight until its visibility timeout is over. Each receive counts, and
    /// after as many as the queue allows its messages go to the dead letters.
    fn report_failure(&self, batch: usize, receives: u32, what: &str) {
        let name = self.name.name();
        error!(queue = name, batch, sqs.receive_count = receives, "A handler of {name} {what}; its batch comes again");
    }

    /// The receipts of the messages that are not reported as failed. As in Lambda, a report that names no message of
    /// the batch fails all of it.
    fn done_of(&self, sent: Vec<(String, Receipt)>, outcome: &BatchOutcome) -> Vec<Receipt> {
        let failed: HashSet<&str> = outcome.failed.iter().map(String::as_str).collect();
        let known = sent.iter().filter(|(id, _)| failed.contains(id.as_str())).count();
        if known < failed.len() {
            error!(
                queue = self.name.name(),
                batch = sent.len(),
                "A handler of {} reported a message it was not given; its batch comes again",
                self.name.name()
            );
            return Vec::new();
        }
        sent.into_iter().filter(|(id, _)| !failed.contains(id.as_str())).map(|(_, receipt)| receipt).collect()
    }

    /// Makes messages visible again whose handler was cut short: others can go on with them at once.
    async fn give_back(&self, sent: Vec<(String, Receipt)>) {
        let changes = sent.into_iter().map(|(_, receipt)| (receipt, Duration::ZERO)).collect();
        if let Err(error) = self.queue.change_visibility(self.name, changes).await {
            warn!(queue = self.name.name(), %error, "Messages of {} stay hidden for a while", self.name.name());
        }
    }

    async fn finish(&self, mut invocations: JoinSet<()>) {
        if ended_within(GRACE, &mut invocations).await {
            return;
        }
        warn!(
            queue = self.name.name(),
            left = invocations.len(),
            "Work of {} was cut short; it comes again",
            self.name.name()
        );
        self.cut.cancel();
        // What a queue does not take back now it takes when the visibility timeout is over.
        ended_within(GIVING_BACK, &mut invocations).await;
    }
}

async fn ended_within(time: Duration, invocations: &mut JoinSet<()>) -> bool {
    let all = async { while invocations.join_next().await.is_some() {} };
    tokio::time::timeout(time, all).await.is_ok()
}

/// The pause after this many failures before it: doubling, and a random half of it, so that loops do not knock
/// together.
pub(crate) fn pause_after(failures: u32) -> Duration {
    let (first, last) = RECEIVE_PAUSES;
    first.saturating_mul(2_u32.saturating_pow(failures)).min(last).mul_f64(rand::random_range(0.5..1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_ten_seconds_and_no_further() {
        for failures in [0, 1, 6, 7, 40, u32::MAX] {
            let whole = Duration::from_millis(100).saturating_mul(2_u32.saturating_pow(failures));
            let pause = pause_after(failures);
            assert!(pause <= whole && pause <= Duration::from_secs(10), "{failures}: {pause:?}");
            assert!(pause >= (whole.min(Duration::from_secs(10))) / 2, "{failures}: {pause:?}");
        }
    }
}

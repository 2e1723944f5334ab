//! The queue port on the embedded engine.
//!
//! - `rows`: the format on disk: one row per message, and a small one for its receive count.
//! - `state`: the memory: order, groups, messages in flight. Rebuilt by one scan when the queue opens.
//! - `ready`: the order of ready messages: groups take turns.
//! - `work`: send, receive, delete and change visibility, each one commit on one thread of the engine.
//!
//! **Durability.** When a call returns, its commit has been passed to the operating system and so survives the end of
//! the process. Queues share the tables' journal, so a power loss leaves a prefix of all commits: if the deletion of a
//! message survives, the work written before it survives as well. No call waits for an fsync.
//!
//! **Messages that kill the process.** Before a message is delivered, its receive count is committed together with a
//! mark that it is in flight. A message that has the mark when the queue opens was being handled when the process died:
//! it is a *suspect*. Suspects are delivered alone, one at a time, the least often received first, so that innocent
//! ones get through and the one that kills the process reaches its last receive without them. A message whose
//! visibility its handler changed is not a suspect, since the handler survived; nor is one whose visibility timeout has
//! ended since.

mod ready;
mod rows;
mod settings;
mod state;
mod work;

use std::{pin::pin, sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::time::Instant;

use super::{database::Database, engine::Engine, failure::Failure, open_error::OpenError, worker_pools::Lane};
use domain::{Clock, limits};
use ports::queue::{OutgoingMessage, Queue, QueueDepth, QueueError, QueueName, Receipt, ReceivedMessage};
pub use rows::StoredMessage;
pub use settings::QueueSettingsOf;
use work::{Now, Queues, Receive};

/// The queue port on one fjall database.
///
/// Open it once per engine and clone it: order and visibility exist only in its memory.
#[derive(Clone)]
pub struct EmbeddedQueue {
    engine: Engine,
    queues: Arc<Queues>,
}

impl EmbeddedQueue {
    /// Reads the queues' rows.
    ///
    /// # Errors
    /// `Corrupt` if a row cannot be decoded.
    pub fn open(engine: Engine, settings: QueueSettingsOf) -> Result<Self, OpenError> {
        let queues = Queues::open(engine.database(), settings, Now::on(engine.clock()))
            .map_err(|error| OpenError::Corrupt(engine.path().to_owned(), error.into()))?;
        Ok(Self { engine, queues: Arc::new(queues) })
    }

    /// Returns up to `limit` messages of a queue, ascending by sequence, starting after `after` if given. Includes
    /// invisible ones and receives none. Not part of the port; for operator commands.
    ///
    /// # Errors
    /// `Unavailable` if the engine fails, `Rejected` if a row cannot be decoded.
    pub async fn browse(
        &self,
        queue: QueueName,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<StoredMessage>, QueueError> {
        Ok(self.engine.run(Lane::Query, move |database| rows::browse(database, queue, after, limit)).await?)
    }

    fn now(&self) -> Now {
        Now::on(self.engine.clock())
    }

    /// When a waiting receive must poll again without being woken. There is no such time on a manual clock, which moves
    /// only on request.
    fn next_look(&self, queue: QueueName, until: Instant) -> Instant {
        match (self.engine.clock(), self.queues.of(queue).next_due()) {
            (Clock::System, Some(due)) => until.min(Instant::now() + due.saturating_sub(self.now().uptime)),
            _ => until,
        }
    }

    async fn work<T: Send + 'static>(
        &self,
        lane: Lane,
        work: impl FnOnce(&Database, &Arc<Queues>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, QueueError> {
        let queues = Arc::clone(&self.queues);
        Ok(self.engine.run(lane, move |database| work(database, &queues)).await?)
    }
}

#[async_trait]
impl Queue for EmbeddedQueue {
    async fn send(&self, queue: QueueName, messages: Vec<OutgoingMessage>) -> Result<Vec<OutgoingMessage>, QueueError> {
        check_sent(&messages)?;
        let now = self.now();
        self.work(Lane::Send, move |database, queues| work::send(database, queues, queue, &messages, now)).await?;
        Ok(Vec::new())
    }

    async fn receive(
        &self,
        queue: QueueName,
        max: usize,
        wait: Duration,
        visibility: Option<Duration>,
    ) -> Result<Vec<ReceivedMessage>, QueueError> {
        check_count(max)?;
        check("a receive may wait at most 20 s", wait <= limits::MAX_RECEIVE_WAIT)?;
        let visibility = visibility.unwrap_or(self.queues.settings.of(queue).visibility_timeout);
        check_visibility(visibility)?;
        let until = Instant::now() + wait;
        let wake = self.queues.of(queue).wake();
        loop {
            // Registered before the poll, so that a message that becomes ready after it wakes the receive.
            let mut woken = pin!(wake.notified());
            woken.as_mut().enable();
            if self.queues.of(queue).is_any_ready(self.now()) {
                let receive = Receive { queue, max, visibility, now: self.now() };
                let received =
                    self.work(Lane::Receive, move |database, queues| work::receive(database, queues, &receive)).await?;
                let received = received.into_messages();
                if !received.is_empty() {
                    return Ok(received);
                }
            } else if Instant::now() >= until {
                return Ok(Vec::new());
            } else {
                tokio::select! {
                    () = woken => {}
                    () = tokio::time::sleep_until(self.next_look(queue, until)) => {}
                }
            }
        }
    }

    async fn delete(&self, queue: QueueName, receipts: Vec<Receipt>) -> Result<Vec<Receipt>, QueueError> {
        check_count(receipts.len())?;
        let receipts =
            receipts.iter().map(|receipt| state::ReceiptHandle::parse(receipt)).collect::<Result<Vec<_>, _>>()?;
        self.work(Lane::Receive, move |database, queues| work::delete(database, queues, queue, &receipts)).await?;
        Ok(Vec::new())
    }

    async fn change_visibility(
        &self,
        queue: QueueName,
        changes: Vec<(Receipt, Duration)>,
    ) -> Result<Vec<Receipt>, QueueError> {
        check_count(changes.len())?;
        let mut parsed = Vec::with_capacity(changes.len());
        for (receipt, after) in &changes {
            check_visibility(*after)?;
            parsed.push((state::ReceiptHandle::parse(receipt)?, *after));
        }
        let now = self.now();
        self.work(Lane::Receive, move |database, queues| work::change(database, queues, queue, &parsed, now)).await?;
        Ok(Vec::new())
    }

    async fn depth(&self, queue: QueueName) -> Result<QueueDepth, QueueError> {
        Ok(self.queues.of(queue).depth(self.now()))
    }
}

impl std::fmt::Debug for EmbeddedQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmbeddedQueue").field("engine", &self.engine).finish_non_exhaustive()
    }
}

fn check(rule: &'static str, is_met: bool) -> Result<(), Failure> {
    if is_met { Ok(()) } else { Err(Failure::Rejected(rule)) }
}

fn check_count(count: usize) -> Result<(), Failure> {
    check("a batch must have 1 to 10 entries", (1..=limits::MAX_QUEUE_BATCH).contains(&count))
}

fn check_visibility(visibility: Duration) -> Result<(), Failure> {
    check("a visibility timeout may be at most 12 hours", visibility <= limits::MAX_VISIBILITY)
}

fn check_sent(messages: &[OutgoingMessage]) -> Result<(), Failure> {
    check_count(messages.len())?;
    let bytes: usize = messages.iter().map(|message| message.body.len()).sum();
    check("the messages of a batch may have at most 1 MiB in total", bytes <= limits::MAX_MESSAGE_BYTES)?;
    check("a message must not be empty", messages.iter().all(|message| !message.body.is_empty()))?;
    let delays_fit = messages.iter().all(|message| message.delay <= limits::MAX_MESSAGE_DELAY);
    check("a delay may be at most 15 minutes", delays_fit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EngineOptions;

    const JOBS: QueueName = QueueName::JobQ;

    async fn receive(queue: &EmbeddedQueue) -> Vec<ReceivedMessage> {
        queue.receive(JOBS, 10, Duration::ZERO, None).await.expect("received")
    }

    #[tokio::test]
    async fn a_stalled_commit_blocks_no_async_task() {
        let folder = tempfile::tempdir().expect("a folder");
        let engine = Engine::open(EngineOptions::at(folder.path())).expect("an engine");
        let queue = EmbeddedQueue::open(engine.clone(), QueueSettingsOf::default()).expect("a queue");
        let message = OutgoingMessage { body: "a".to_owned(), group: "group".to_owned(), delay: Duration::ZERO };
        queue.send(JOBS, vec![message]).await.expect("sent");
        let receipt = receive(&queue).await.remove(0).receipt;

        // Released after at most a minute, so that a failure does not hang the test.
        let (release, released) = std::sync::mpsc::channel::<()>();
        let (stalled, is_stalled) = std::sync::mpsc::channel();
        let database = Arc::clone(engine.database());
        let stall = std::thread::spawn(move || {
            let _stalled = database.stall.lock();
            stalled.send(()).expect("the test waits");
            released.recv_timeout(Duration::from_mins(1)).is_ok()
        });
        is_stalled.recv().expect("it stalls");
        let changing = tokio::spawn({
            let queue = queue.clone();
            async move { queue.change_visibility(JOBS, vec![(receipt, Duration::ZERO)]).await }
        });
        while queue.depth(JOBS).await.expect("a depth").visible == 0 {
            tokio::task::yield_now().await;
        }
        assert!(!changing.is_finished(), "its commit stalls");
        release.send(()).expect("commits stalled until now");
        assert!(stall.join().expect("no panic"), "the depth was reported while a commit stalled");
        changing.await.expect("no panic").expect("changed");
        assert_eq!(receive(&queue).await[0].receive_count, 2);
    }
}

//! The queue port on the embedded engine.
//!
//! - `rows`: what is on disk: a row a message, and a small one for how often it was received.
//! - `state`: what is in memory: order, groups, who is in flight until when. Rebuilt at open by one scan.
//! - `ready`: the order in which ready messages are handed out: groups take turns.
//! - `work`: send, receive, delete and change, each one commit on one thread of the engine.
//!
//! **What is durable.** Commits are with the operating system when a call returns, so they survive the end of the
//! process, and they lie in the same journal as the tables, so a loss of power leaves a prefix of all of them: a
//! message deleted after its work was written is never gone while that work is lost. Nothing here waits for an fsync.
//!
//! **Messages that kill the process.** The receive count is committed before a message is handed out, with a mark that
//! it is in flight. A message that carries the mark when the queue opens was in some handler's hands when the process
//! died: a *suspect*. Suspects are handed out alone, one at a time, the least often received first, so that the
//! innocent ones get through and the one that kills reaches its last receive by itself. A message that was returned by
//! a change of its visibility is none, as its handler lived to say so; nor is one whose visibility ran out since.

mod ready;
mod rows;
mod settings;
mod state;
mod work;

use std::{pin::pin, sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::time::Instant;

use super::{database::Database, engine::Engine, failure::Failure, open_error::OpenError, worker_pools::Pool};
use domain::{Clock, limits};
use ports::queue::{OutgoingMessage, Queue, QueueDepth, QueueError, QueueName, Receipt, ReceivedMessage};
pub use rows::StoredMessage;
pub use settings::QueueSettingsOf;
use work::{Now, Queues, Receive};

/// The queue port on one fjall database.
///
/// Open it once for an engine and clone it: its memory is the truth about order and visibility.
#[derive(Clone)]
pub struct EmbeddedQueue {
    engine: Engine,
    queues: Arc<Queues>,
}

impl EmbeddedQueue {
    /// Reads what lies in the queues.
    ///
    /// # Errors
    /// `Corrupt` when a row cannot be read.
    pub fn open(engine: Engine, settings: QueueSettingsOf) -> Result<Self, OpenError> {
        let queues = Queues::open(engine.database(), settings, Now::on(engine.clock()))
            .map_err(|error| OpenError::Corrupt(engine.path().to_owned(), error.into()))?;
        Ok(Self { engine, queues: Arc::new(queues) })
    }

    /// Up to `limit` messages of a queue by rising sequence, after `after` when given, whether visible or not and
    /// without receiving them. Not part of the port; for operator commands.
    ///
    /// # Errors
    /// `Unavailable` when the engine fails, `Rejected` when a row cannot be read.
    pub async fn browse(
        &self,
        queue: QueueName,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<StoredMessage>, QueueError> {
        Ok(self.engine.run(Pool::Read, move |database| rows::browse(database, queue, after, limit)).await?)
    }

    fn now(&self) -> Now {
        Now::on(self.engine.clock())
    }

    /// When a waiting receive must look again although nobody woke it. A manual clock moves when it is told to, so
    /// there is no such moment.
    fn next_look(&self, queue: QueueName, until: Instant) -> Instant {
        match (self.engine.clock(), self.queues.of(queue).next_due()) {
            (Clock::System, Some(due)) => until.min(Instant::now() + due.saturating_sub(self.now().uptime)),
            _ => until,
        }
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Database, &Arc<Queues>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, QueueError> {
        let queues = Arc::clone(&self.queues);
        Ok(self.engine.run(Pool::Write, move |database| work(database, &queues)).await?)
    }
}

#[async_trait]
impl Queue for EmbeddedQueue {
    async fn send(&self, queue: QueueName, messages: Vec<OutgoingMessage>) -> Result<Vec<OutgoingMessage>, QueueError> {
        check_sent(&messages)?;
        let now = self.now();
        self.work(move |database, queues| work::send(database, queues, queue, &messages, now)).await?;
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
        check("a receive waits at most 20 s", wait <= limits::MAX_RECEIVE_WAIT)?;
        let visibility = visibility.unwrap_or(self.queues.settings.of(queue).visibility_timeout);
        check_visibility(visibility)?;
        let until = Instant::now() + wait;
        let wake = self.queues.of(queue).wake();
        loop {
            // Registered before looking: what becomes ready after the look wakes it.
            let mut woken = pin!(wake.notified());
            woken.as_mut().enable();
            if self.queues.of(queue).is_any_ready(self.now()) {
                let receive = Receive { queue, max, visibility, now: self.now() };
                let handed = self.work(move |database, queues| work::receive(database, queues, &receive)).await?;
                let received = handed.into_messages();
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
        let receipts = receipts.iter().map(|receipt| state::Hold::parse(receipt)).collect::<Result<Vec<_>, _>>()?;
        self.work(move |database, queues| work::delete(database, queues, queue, &receipts)).await?;
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
            parsed.push((state::Hold::parse(receipt)?, *after));
        }
        let now = self.now();
        self.work(move |database, queues| work::change(database, queues, queue, &parsed, now)).await?;
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

fn check(rule: &'static str, holds: bool) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(Failure::Rejected(rule)) }
}

fn check_count(count: usize) -> Result<(), Failure> {
    check("a batch has 1 to 10 entries", (1..=limits::MAX_QUEUE_BATCH).contains(&count))
}

fn check_visibility(visibility: Duration) -> Result<(), Failure> {
    check("a message is invisible for 12 hours at most", visibility <= limits::MAX_VISIBILITY)
}

fn check_sent(messages: &[OutgoingMessage]) -> Result<(), Failure> {
    check_count(messages.len())?;
    let bytes: usize = messages.iter().map(|message| message.body.len()).sum();
    check("the messages of a batch have 1 MiB together at most", bytes <= limits::MAX_MESSAGE_BYTES)?;
    check("a message is not empty", messages.iter().all(|message| !message.body.is_empty()))?;
    let delays_fit = messages.iter().all(|message| message.delay <= limits::MAX_MESSAGE_DELAY);
    check("a message is delayed by 15 minutes at most", delays_fit)
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
    async fn a_commit_that_stalls_holds_up_no_async_task() {
        let folder = tempfile::tempdir().expect("a folder");
        let engine = Engine::open(EngineOptions::at(folder.path())).expect("an engine");
        let queue = EmbeddedQueue::open(engine.clone(), QueueSettingsOf::default()).expect("a queue");
        let message = OutgoingMessage { body: "a".to_owned(), group: "group".to_owned(), delay: Duration::ZERO };
        queue.send(JOBS, vec![message]).await.expect("sent");
        let receipt = receive(&queue).await.remove(0).receipt;

        // Released after a minute at the most, so that a failure is no hang.
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
        assert!(stall.join().expect("no panic"), "the depth was answered while a commit stalled");
        changing.await.expect("no panic").expect("changed");
        assert_eq!(receive(&queue).await[0].receive_count, 2);
    }
}

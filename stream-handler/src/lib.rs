//! `Social's change stream, ChangeQ -> [stream-handler] -> Social`: turns changes into counts and notifications.
//!
//! - [`StreamHandler`]: applies one batch of changes in order; decides what is retried and what goes to ChangeDLQ. In
//!   the one-process mode a loop over the change log calls it.
//! - `parts`: how many changes are applied at once, and for how long: a part that fails as a whole is halved.
//! - [`event`]: the events that Lambda delivers: records of the stream, and messages of ChangeQ.

mod apply;
#[cfg(feature = "lambda")]
pub mod event;
mod parts;

use std::{ops::ControlFlow, slice, sync::Arc, time::Duration};

use data::{Erasures, messages::ChangeMessage};
use domain::{Timestamp, limits};
use ports::{
    changes::Change,
    queue::{OutgoingMessage, Queue, QueueName, ReceivedMessage, send_all},
};
use service::{ServiceError, changes::Applied, erasure::ErasureService};
use telemetry::{chain, names, outcomes};
use tokio::{sync::Notify, time::Instant};
use tracing::{error, warn};
use worker::{BatchDriver, BatchOutcome, RetryPauses};

pub use apply::Apply;
pub use parts::Patience;
use parts::{Part, PartSize};

/// Maximum length of a message group id in SQS.
const MAX_GROUP_CHARS: usize = 128;

/// The environment that the Lambda function needs. `template.yaml` sets exactly this.
#[cfg(feature = "lambda")]
pub const NEEDS: lambda::Needs =
    lambda::Needs::of(&ports::store::Table::ALL, &[QueueName::ChangeQ, QueueName::ChangeDlq, QueueName::MediaQ])
        .with_buckets(&ports::blobs::Bucket::ALL);

/// The worker that runs due erasures.
#[derive(Debug, Clone, Default)]
pub enum Eraser {
    /// The sweeper, on its schedule.
    #[default]
    Sweeper,
    /// The handler, after the batch, for at most [`limits::STREAM_ERASURE_BUDGET`] and within the batch's own deadline;
    /// the sweeper finishes the rest.
    Handler(Box<ErasureService>),
    /// A background task, which is woken and runs beside the handler.
    Woken(Arc<Notify>),
}

impl Eraser {
    async fn erase_due(&self, now: Timestamp, deadline: Instant) {
        match self {
            Self::Sweeper => {}
            Self::Woken(eraser) => eraser.notify_one(),
            // No time is left: the sweeper runs the erasures.
            Self::Handler(_) if Instant::now() >= deadline => {}
            Self::Handler(erasures) => {
                let deadline = deadline.min(Instant::now() + limits::STREAM_ERASURE_BUDGET);
                if let Err(error) = erasures.run_due(now, deadline).await {
                    warn!(error = chain(&error), "Could not run due erasures; the sweeper will retry");
                }
            }
        }
    }
}

/// The result of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct HandledBatch {
    /// The index of the first change to retry, together with all later ones; `None` if the whole batch is done. Later
    /// changes of the same item may have been applied already: applying a change is idempotent.
    pub retry_from: Option<usize>,
}

impl HandledBatch {
    const DONE: Self = Self { retry_from: None };

    const fn retry_from(place: usize) -> Self {
        Self { retry_from: Some(place) }
    }
}

/// Handles batches of changes and messages of ChangeQ.
#[derive(Debug, Clone)]
pub struct StreamHandler {
    changes: Arc<dyn Apply>,
    queue: Arc<dyn Queue>,
    driver: BatchDriver,
    eraser: Eraser,
    patience: Patience,
    part_size: PartSize,
}

impl StreamHandler {
    /// A handler that applies changes with `changes`, sends poison changes to ChangeDLQ of `queue`, and makes failed
    /// messages of ChangeQ visible again there.
    pub fn new(changes: Arc<dyn Apply>, queue: Arc<dyn Queue>, pauses: RetryPauses) -> Self {
        // One record at a time: changes of one item would only conflict.
        let driver = BatchDriver::new(Arc::clone(&queue), QueueName::ChangeQ, pauses, 1);
        let (eraser, patience, part_size) = (Eraser::default(), Patience::default(), PartSize::default());
        Self { changes, queue, driver, eraser, patience, part_size }
    }

    /// Replaces the time limits for applying changes.
    #[must_use]
    pub fn with_patience(self, patience: Patience) -> Self {
        Self { patience, ..self }
    }

    /// Sets the worker that runs erasures as they fall due.
    #[must_use]
    pub fn with_eraser(self, eraser: Eraser) -> Self {
        Self { eraser, ..self }
    }

    /// Applies a batch, then has the erasures run that it made due. A poison change counts as done once it is on
    /// ChangeDLQ; so does a change that panics or that alone takes longer than [`Patience::single`].
    ///
    /// Returns within [`Patience::batch`] plus the time to send one dead letter. Handles at least the first change
    /// unless it fails for a transient reason, so a batch that is retried from `retry_from` always finishes.
    pub async fn handle(&self, changes: Vec<Change>, now: Timestamp) -> HandledBatch {
        self.handle_until(changes, now, self.deadline()).await
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.patience.batch
    }

    async fn handle_until(&self, changes: Vec<Change>, now: Timestamp, deadline: Instant) -> HandledBatch {
        let erases = changes.iter().any(|change| Erasures::is_made_due_by(change, now));
        let handled = self.apply_all(changes.into(), now, deadline).await;
        if erases {
            self.eraser.erase_due(now, deadline).await;
        }
        handled
    }

    async fn apply_all(&self, changes: Arc<[Change]>, now: Timestamp, deadline: Instant) -> HandledBatch {
        let mut done = 0;
        while done < changes.len() {
            let Some(part) = self.part_size.next_part(&changes, done, self.patience, deadline) else {
                warn!(changes = changes.len() - done, "Ran out of time for the rest of a batch; it will be retried");
                return HandledBatch::retry_from(done);
            };
            match self.apply_part(&part, now, deadline).await {
                ControlFlow::Continue(handled) => done += handled,
                ControlFlow::Break(handled) => return HandledBatch::retry_from(done + handled),
            }
        }
        HandledBatch::DONE
    }

    /// Applies a part and records its outcomes. Returns the number of handled changes; `Break` ends the batch after
    /// them.
    async fn apply_part(&self, part: &Part, now: Timestamp, deadline: Instant) -> ControlFlow<usize, usize> {
        let changes = part.changes();
        let (outcomes, passed) = match part.apply(&self.changes, now).await {
            Ok(applied) => (applied.into_iter().map(Outcome::from).collect(), true),
            Err(error) if changes.len() == 1 => (vec![Outcome::Poison(chain(&error))], false),
            Err(error) => {
                let (first, several) = (&changes[0].id, changes.len());
                warn!(
                    change.id = first,
                    changes = several,
                    error = chain(&error),
                    "Could not apply {several} changes: {error}; will try half of them"
                );
                self.part_size.halve(several);
                return ControlFlow::Continue(0);
            }
        };
        let handled = self.record(changes, outcomes, deadline).await;
        if handled < changes.len() {
            return ControlFlow::Break(handled);
        }
        if passed {
            self.part_size.grow(handled);
        }
        ControlFlow::Continue(handled)
    }

    /// Sends poison changes to ChangeDLQ, up to the first change to retry. Returns that change's index. Changes without
    /// an outcome are retried as well.
    async fn record(&self, changes: &[Change], outcomes: Vec<Outcome>, deadline: Instant) -> usize {
        let known = outcomes.len();
        for (place, (change, outcome)) in changes.iter().zip(outcomes).enumerate() {
            let is_done = match outcome {
                Outcome::Done => {
                    count(outcomes::DONE);
                    true
                }
                Outcome::Retry(error) => {
                    warn!(change.id, error, "Could not apply change {}; it will be retried", change.id);
                    false
                }
                // Sending a dead letter takes time. The first is sent even past the deadline, so that the batch
                // advances.
                Outcome::Poison(_) if place > 0 && Instant::now() >= deadline => false,
                Outcome::Poison(error) => self.put_aside(change.clone(), error).await,
            };
            if !is_done {
                count(outcomes::RETRIED);
                return place;
            }
        }
        known.min(changes.len())
    }

    /// Applies changes that an operator redrove from ChangeDLQ; the outcome names the failed messages.
    pub async fn handle_queue(&self, batch: Vec<ReceivedMessage>, now: Timestamp) -> BatchOutcome {
        self.driver.drive(batch, ChangeMessage::decode, |message| self.apply_again(message.into_change(), now)).await
    }

    async fn apply_again(&self, change: Change, now: Timestamp) -> Result<(), ServiceError> {
        match self.changes.apply(slice::from_ref(&change), now).await.pop() {
            Some(Applied::Done) => Ok(()),
            Some(Applied::Retry(error) | Applied::Poison(error)) => Err(error),
            None => Err(ServiceError::Busy { retry_after: Duration::ZERO }),
        }
    }

    /// Sends a poison change to ChangeDLQ. False if that failed.
    async fn put_aside(&self, change: Change, reason: String) -> bool {
        let (id, group) = (change.id.clone(), group_of(&change.key.partition));
        error!(change.id = id, error = reason, "Could not apply change {id}; sending it to ChangeDLQ");
        self.put_on_dead_letters(&id, ChangeMessage::of(change, reason).encode(), group).await
    }

    async fn put_on_dead_letters(&self, id: &str, body: String, group: String) -> bool {
        let letter = OutgoingMessage { body, group, delay: Duration::ZERO };
        if let Err(error) = send_all(self.queue.as_ref(), QueueName::ChangeDlq, vec![letter]).await {
            error!(
                change.id = id,
                error = chain(&error),
                "Could not send change {id} to ChangeDLQ; it will be retried"
            );
            return false;
        }
        count(outcomes::POISON);
        true
    }
}

/// The outcome of one change, with errors as text.
enum Outcome {
    Done,
    Retry(String),
    Poison(String),
}

impl From<Applied> for Outcome {
    fn from(applied: Applied) -> Self {
        match applied {
            Applied::Done => Self::Done,
            Applied::Retry(error) => Self::Retry(chain(&error)),
            Applied::Poison(error) => Self::Poison(chain(&error)),
        }
    }
}

fn count(outcome: &'static str) {
    metrics::counter!(names::CHANGES, "outcome" => outcome).increment(1);
}

/// The group of a dead letter: its item's partition if SQS accepts that, so that an operator sees the item.
fn group_of(partition: &str) -> String {
    let fits = partition.len() <= MAX_GROUP_CHARS && partition.bytes().all(|byte| byte.is_ascii_graphic());
    if fits { partition.to_owned() } else { "changes".to_owned() }
}

#[cfg(test)]
extern crate self as stream_handler;
#[cfg(all(test, feature = "lambda"))]
#[path = "../tests/it/main.rs"]
mod it;

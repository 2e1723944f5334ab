//! The single process's counterpart of Lambda's mapping of a change stream: reads changes in order, passes them to the
//! handler and advances past those that are done.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use domain::{Clock, limits};
use futures::FutureExt as _;
use ports::changes::{Change, ChangeLog};
use stream_handler::{HandledBatch, StreamHandler};
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::event_source::{GRACE, pause_after};

/// The loop from the change log to the handler. There is only one, as changes are handled in order.
#[derive(Debug)]
pub struct ChangeReader {
    log: Arc<dyn ChangeLog>,
    handler: StreamHandler,
    clock: Clock,
    window: Duration,
    progress: watch::Sender<u64>,
}

/// The outcome of one batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// The whole batch is done and passed.
    Done,
    /// Only a part is passed; the rest will be retried.
    InPart,
    /// The whole batch will be retried.
    Failed,
}

impl ChangeReader {
    /// The loop from `log` to `handler`; `progress` is incremented after each batch, once its changes are passed.
    pub fn new(log: Arc<dyn ChangeLog>, handler: StreamHandler, clock: Clock, progress: watch::Sender<u64>) -> Self {
        Self { log, handler, clock, window: limits::CHANGES_WINDOW, progress }
    }

    /// Sets a window other than [`limits::CHANGES_WINDOW`].
    #[must_use]
    pub fn with_window(self, window: Duration) -> Self {
        Self { window, ..self }
    }

    /// Runs until `stop`, then reads no more and gives the current batch ten seconds to finish.
    pub async fn run(self, stop: CancellationToken) {
        let mut failures = 0;
        while let Some(changes) = stop.run_until_cancelled(self.read_some()).await {
            let (began, is_full) = (Instant::now(), changes.len() >= limits::MAX_CHANGES);
            let cut_short = async {
                stop.cancelled().await;
                tokio::time::sleep(GRACE).await;
            };
            let turn = tokio::select! {
                turn = self.turn(changes) => turn,
                () = cut_short => return warn!("Aborted the current batch of changes; it will be retried after the next start"),
            };
            self.progress.send_modify(|turns| *turns = turns.wrapping_add(1));
            failures = match turn {
                Turn::Done => 0,
                Turn::InPart => 1,
                Turn::Failed => failures + 1,
            };
            if failures > 0 {
                stop.run_until_cancelled(tokio::time::sleep(pause_after(failures - 1))).await;
            } else if !is_full {
                stop.run_until_cancelled(tokio::time::sleep_until(began + self.window)).await;
            }
        }
    }

    /// Polls until changes arrive; pauses grow while the log fails.
    async fn read_some(&self) -> Vec<Change> {
        let mut failures = 0;
        loop {
            match self.log.read(limits::MAX_CHANGES, limits::MAX_RECEIVE_WAIT).await {
                Ok(changes) if changes.is_empty() => failures = 0,
                Ok(changes) => return changes,
                Err(error) => {
                    warn!(error = telemetry::chain(&error), "Could not read the change log; retrying");
                    tokio::time::sleep(pause_after(failures)).await;
                    failures += 1;
                }
            }
        }
    }

    /// Handles a batch and passes the changes that are done.
    async fn turn(&self, changes: Vec<Change>) -> Turn {
        let done = match self.handle(changes.clone()).await {
            Some(HandledBatch { retry_from }) => retry_from.unwrap_or(changes.len()),
            None => 0,
        };
        let Some(last) = done.checked_sub(1).and_then(|place| changes.get(place)) else { return Turn::Failed };
        match self.log.pass(last).await {
            Ok(()) if done == changes.len() => Turn::Done,
            Ok(()) => Turn::InPart,
            Err(error) => {
                warn!(
                    change.id = last.id,
                    error = telemetry::chain(&error),
                    "Could not pass handled changes; they will be read again"
                );
                Turn::Failed
            }
        }
    }

    /// Calls the handler, which ends in bounded time and isolates a change that hangs or panics: see
    /// [`StreamHandler::handle`]. `None` when the handler itself panicked.
    async fn handle(&self, changes: Vec<Change>) -> Option<HandledBatch> {
        let (first, batch) = (changes.first().map(|change| change.id.clone()).unwrap_or_default(), changes.len());
        // Unwind safe: the changes are read from the log again.
        let handled = AssertUnwindSafe(self.handler.handle(changes, self.clock.now())).catch_unwind().await;
        if handled.is_err() {
            error!(change.id = first, batch, "The change handler panicked; the batch will be retried");
        }
        handled.ok()
    }
}

//! The steps that make numbers of unread notifications exact: entries marked as read are subtracted, and after expiries
//! the remaining entries are counted, a page at a time. Each page's result is stored with the inbox, so a conflict
//! repeats one page.

use std::collections::HashSet;

use futures::{StreamExt, TryStreamExt, stream};
use uuid::Uuid;

use super::notifying::WRITES_IN_FLIGHT;
use crate::{conflict_retry::ConflictRetry, steps::StepSize};
use data::{Committed, Db, Notifications, Tasks};
use domain::{ReactionCursor, Task, Timestamp, UserId};
use ports::store::StoreError;

/// Makes the unread counts of inboxes exact.
#[derive(Debug, Clone)]
pub struct Recounting {
    notifications: Notifications,
    tasks: Tasks,
    size: StepSize,
}

impl Recounting {
    /// Inboxes in `store`.
    pub fn new(db: Db) -> Self {
        Self { notifications: Notifications::new(db.clone()), tasks: Tasks::new(db), size: StepSize::default() }
    }

    /// The same with steps of this size.
    pub fn in_steps(self, size: StepSize) -> Self {
        Self { size, ..self }
    }

    /// Runs these steps, without outdated ones. Each inbox gets a share of the pages of one batch.
    pub async fn run_steps(&self, steps: &HashSet<(UserId, Uuid)>, now: Timestamp) -> Result<(), StoreError> {
        let tasks: HashSet<Task> = steps.iter().map(|(user, _)| Task::Inbox(*user)).collect();
        let rows = self.tasks.get_all(&tasks.into_iter().collect::<Vec<_>>()).await?;
        let is_due =
            |(user, token): &&(UserId, Uuid)| rows.get(&Task::Inbox(*user)).is_some_and(|row| row.token == *token);
        let due: Vec<(UserId, Uuid)> = steps.iter().filter(is_due).copied().collect();
        let pages = (self.size.pages / due.len().max(1)).max(1);
        stream::iter(due)
            .map(|(user, token)| self.step(user, token, pages, now))
            .buffer_unordered(WRITES_IN_FLIGHT)
            .try_for_each(|()| std::future::ready(Ok(())))
            .await
    }

    /// Reads at most this many pages, and schedules the next step if the inbox is still inexact.
    async fn step(&self, user: UserId, token: Uuid, pages: usize, now: Timestamp) -> Result<(), StoreError> {
        let (task, mut left, mut retry) = (Task::Inbox(user), pages, ConflictRetry::new());
        loop {
            let inbox = self.notifications.inbox(user).await?;
            // No inbox: it was erased with its owner.
            let Some(scan) = Some(inbox).filter(|inbox| inbox.version > 0).and_then(|inbox| inbox.scan(now)) else {
                return self.tasks.forget(task, token).await;
            };
            let counted = self.notifications.scanned(scan, self.size.notifications).await?;
            left = left.saturating_sub(1);
            let last = match (counted.is_pending(), left) {
                (false, _) => Some(Tasks::end(task)),
                (true, 0) => Some(Tasks::next_step(task, ReactionCursor::Start)),
                (true, _) => None,
            };
            match self.notifications.keep(&counted, last.clone()).await {
                Ok(Committed::Applied) if last.is_some() => return Ok(()),
                Ok(Committed::Applied) => retry = ConflictRetry::new(),
                // An earlier try may have been applied as well; the next round reads the progress.
                Ok(Committed::Refused(_)) | Err(StoreError::Conflict) => retry.pause().await?,
                Err(error) => return Err(error),
            }
        }
    }
}

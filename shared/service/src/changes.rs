//! From the change stream to counts and notifications.
//!
//! `Social's change stream -> [stream-handler] -> counts, notifications, unread`
//!
//! - [`effect`]: the effect of a change.
//! - [`counting`]: many changes per transaction, each counted once however often it is delivered.
//! - [`notifying`]: notifications brought in line with the current state. [`reactions`]: the acts that a post's author
//!   may have been notified of.
//! - [`placing`]: the pictures of deleted and restored posts.
//! - [`recounting`]: exact numbers of unread notifications, a page at a time.
//!
//! Work that exceeds one step continues in a task: a row whose every write is a change, which triggers the next step.
//!
//! A change may be delivered twice, in another batch, after later changes, or after a crash half-way. The result is
//! correct anyway:
//! - A counter is updated in the transaction that creates the change's ledger entry, which is refused if the entry
//!   exists.
//! - Notifications are derived not from the change but from the state read after it, and are reconciled *before* the
//!   ledger entry is made: an entry means that the change is done completely.
//! - Reconciling a recipient's notifications always writes the recipient's inbox, even without changes, on the condition
//!   that its version is the one from before the state was read. So a late writer with an older state is refused, and
//!   the change that made the newer state is applied after it.

mod counting;
mod effect;
mod notifying;
mod placing;
mod reactions;
mod recounting;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use self::{counting::Counting, effect::Effective, notifying::Notifying, placing::Placing, recounting::Recounting};
use super::{ServiceError, live::LiveService, media::files::PictureFiles, steps::StepSize};
use data::{Changed, Db, Ledger, Subject};
use domain::{IdGenerator, Task, Timestamp};
use ports::{blobs::BlobError, changes::Change, store::StoreError};
use telemetry::chain;

/// The outcome of one change.
#[derive(Debug)]
pub enum Applied {
    /// All of it is done, now or earlier, or it has no effect.
    Done,
    /// It is not done, or only in part; a retry may succeed.
    Retry(ServiceError),
    /// It can never be applied, however often it is delivered.
    Poison(ServiceError),
}

/// Turns changes of Social into counts and notifications.
#[derive(Debug, Clone)]
pub struct ChangeService {
    ledger: Ledger,
    counting: Counting,
    notifying: Notifying,
    recounting: Recounting,
    placing: Placing,
}

impl ChangeService {
    /// Counts and notifications in `store`; `ids` makes the notifications' ids.
    pub fn new(db: impl Into<Db>, ids: Arc<IdGenerator>) -> Self {
        let db = db.into();
        Self {
            ledger: Ledger::new(db.clone()),
            counting: Counting::new(db.clone()),
            notifying: Notifying::new(db.clone(), ids),
            placing: Placing::new(db.clone()),
            recounting: Recounting::new(db),
        }
    }

    /// The same service with steps of this size.
    #[must_use]
    pub fn in_steps(self, size: StepSize) -> Self {
        Self { notifying: self.notifying.in_steps(size), recounting: self.recounting.in_steps(size), ..self }
    }

    /// The same service, withholding and restoring pictures in `files`. Without files, changes that need them are poison.
    #[must_use]
    pub fn with_files(self, files: PictureFiles) -> Self {
        Self { placing: self.placing.with_files(files), ..self }
    }

    /// The same service, sending live events to connected recipients.
    #[must_use]
    pub fn with_live_events(self, live: Option<LiveService>) -> Self {
        Self { notifying: self.notifying.with_live_events(live), ..self }
    }

    /// Applies changes and returns their outcomes in the same order. Changes of one item must arrive in the order in
    /// which they happened, except for redeliveries; otherwise any order and any overlap with other calls is fine.
    pub async fn apply(&self, changes: &[Change], now: Timestamp) -> Vec<Applied> {
        let (mut outcomes, mut effective) = (HashMap::new(), Vec::new());
        let mut seen = HashSet::new();
        for change in changes.iter().filter(|change| seen.insert(change.id.as_str())) {
            match Changed::read(change) {
                Ok(Some(changed)) => effective.push(Effective { id: &change.id, changed }),
                Ok(None) => {}
                Err(malformed) => {
                    drop(outcomes.insert(change.id.as_str(), Failure(StoreError::from(malformed).into())));
                }
            }
        }
        outcomes.extend(self.apply_apart(effective, now).await);
        // A change listed twice fails twice.
        let outcome = |change: &Change| outcomes.get(change.id.as_str()).map_or(Applied::Done, Failure::outcome);
        changes.iter().map(outcome).collect()
    }

    /// Applies all changes together; on a permanent failure, splits them in halves down to the change at fault. Returns
    /// the failures.
    async fn apply_apart<'a>(&self, changes: Vec<Effective<'a>>, now: Timestamp) -> Vec<(&'a str, Failure)> {
        let (mut failed, mut parts) = (Vec::new(), vec![changes]);
        while let Some(mut part) = parts.pop() {
            let Err(error) = self.apply_together(&part, now).await else { continue };
            if error.is_transient() {
                // The store is failing: the remaining changes would fail as well.
                let left = part.into_iter().chain(parts.drain(..).flatten());
                failed.extend(left.map(|change| (change.id, Failure(again(&error)))));
            } else if part.len() > 1 {
                parts.push(part.split_off(part.len() / 2));
                parts.push(part);
            } else {
                failed.extend(part.first().map(|change| (change.id, Failure(error))));
            }
        }
        failed
    }

    async fn apply_together(&self, changes: &[Effective<'_>], now: Timestamp) -> Result<(), ServiceError> {
        let applied = self.ledger.applied(changes.iter().map(|change| change.id)).await?;
        let fresh: Vec<Effective> = changes.iter().filter(|change| !applied.contains(change.id)).copied().collect();
        if fresh.is_empty() {
            return Ok(());
        }
        let moved = fresh.iter().filter_map(|change| match change.changed.subject {
            Subject::Post { post, is_new: false, has_media: true, .. } => Some(post),
            _ => None,
        });
        self.placing.place(moved.collect()).await?;
        self.notifying.reconcile(&fresh, now).await?;
        let recounts = fresh.iter().filter_map(|change| match change.changed.subject {
            Subject::Step { task: Task::Inbox(user), token } => Some((user, token)),
            _ => None,
        });
        self.recounting.run_steps(&recounts.collect(), now).await?;
        Ok(self.counting.count(fresh, now).await?)
    }
}

/// Why a change was not applied.
#[derive(Debug)]
struct Failure(ServiceError);

impl Failure {
    fn outcome(&self) -> Applied {
        let error = again(&self.0);
        if self.0.is_transient() { Applied::Retry(error) } else { Applied::Poison(error) }
    }
}

/// A copy of the error: one failure can affect many changes. Only stores fail here.
fn again(error: &ServiceError) -> ServiceError {
    match error {
        ServiceError::Store(StoreError::Throttled) => StoreError::Throttled.into(),
        ServiceError::Store(StoreError::Conflict) => StoreError::Conflict.into(),
        ServiceError::Store(StoreError::Rejected(cause)) => StoreError::Rejected(cause.to_string().into()).into(),
        ServiceError::Store(StoreError::Malformed(malformed)) => StoreError::Malformed(*malformed).into(),
        ServiceError::Blobs(BlobError::Refused(cause)) => BlobError::Refused(cause.to_string().into()).into(),
        other => StoreError::Unavailable(chain(other).into()).into(),
    }
}

//! From the change stream to counts and notifications.
//!
//! `Social's change stream -> [stream-handler] -> counts, notifications, unread`
//!
//! - [`effect`]: what follows from a change.
//! - [`counting`]: many changes a transaction, each counted once however often it is delivered.
//! - [`notifying`]: notifications made what they must be by what stands now. [`reactions`]: what a post's author may have
//!   been notified of.
//! - [`recounting`]: numbers of unread notifications made exact, a page at a time.
//!
//! What is too large for one step goes on in a task: a row whose every write is a change, which is the next step.
//!
//! Why a change may come twice, in another batch, after later ones, or after a crash half-way:
//! - A counter is added to in the transaction that makes the change's ledger entry, which is refused where there is one.
//! - Notifications do not follow from the change but from the state that is read after it, and are settled *before* the
//!   ledger entry is made: an entry says that all of the change is done.
//! - Whoever settles a recipient's notifications writes the recipient's inbox, conditional on its version as it was
//!   before the state was read, also where there is nothing to change. So who read an older state, and is late, is
//!   refused; and the change that made the newer state is settled after it.

mod counting;
mod effect;
mod notifying;
mod reactions;
mod recounting;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use self::{counting::Counting, effect::Effective, notifying::Notifying, recounting::Recounting};
use super::{ServiceError, live::LiveService, steps::StepSize};
use data::{Changed, Db, Ledger, Subject};
use domain::{IdGenerator, Task, Timestamp};
use ports::{changes::Change, store::StoreError};

/// What became of one change.
#[derive(Debug)]
pub enum Applied {
    /// All of it is done, now or earlier, or nothing follows from it.
    Done,
    /// It is not done, or not all of it; the same change may pass later.
    Retry(ServiceError),
    /// It cannot be applied as it is, however often it comes.
    Poison(ServiceError),
}

/// Turns changes of Social into counts and notifications.
#[derive(Debug, Clone)]
pub struct ChangeService {
    ledger: Ledger,
    counting: Counting,
    notifying: Notifying,
    recounting: Recounting,
}

impl ChangeService {
    /// Counts and notifications in `store`; `ids` makes the notifications' ids.
    pub fn new(db: impl Into<Db>, ids: Arc<IdGenerator>) -> Self {
        let db = db.into();
        Self {
            ledger: Ledger::new(db.clone()),
            counting: Counting::new(db.clone()),
            notifying: Notifying::new(db.clone(), ids),
            recounting: Recounting::new(db),
        }
    }

    /// The same with steps of this size.
    #[must_use]
    pub fn in_steps(self, size: StepSize) -> Self {
        Self { notifying: self.notifying.in_steps(size), recounting: self.recounting.in_steps(size), ..self }
    }

    /// The same, telling recipients who are connected of their notifications.
    #[must_use]
    pub fn announced_by(self, live: Option<LiveService>) -> Self {
        Self { notifying: self.notifying.announced_by(live), ..self }
    }

    /// Applies changes. Says what became of each, in their order. Changes of one item must come in the order in which
    /// they happened, but for repetitions; beyond that any order and any overlap with other calls will do.
    pub async fn apply(&self, changes: &[Change], now: Timestamp) -> Vec<Applied> {
        let (mut outcomes, mut effective) = (HashMap::new(), Vec::new());
        let mut seen = HashSet::new();
        for change in changes.iter().filter(|change| seen.insert(change.id.as_str())) {
            match Changed::read(change) {
                Ok(Some(changed)) => effective.push(Effective { id: &change.id, changed }),
                Ok(None) => {}
                Err(malformed) => drop(outcomes.insert(change.id.as_str(), Failure(malformed.into()))),
            }
        }
        outcomes.extend(self.settle_apart(effective, now).await);
        // One that is there twice fails twice.
        let outcome = |change: &Change| outcomes.get(change.id.as_str()).map_or(Applied::Done, Failure::outcome);
        changes.iter().map(outcome).collect()
    }

    /// Settles all at once; where something in it can never pass, each half apart, down to the change that is at fault.
    /// Returns what failed.
    async fn settle_apart<'a>(&self, changes: Vec<Effective<'a>>, now: Timestamp) -> Vec<(&'a str, Failure)> {
        let (mut failed, mut parts) = (Vec::new(), vec![changes]);
        while let Some(mut part) = parts.pop() {
            let Err(error) = self.settle(&part, now).await else { continue };
            if error.is_transient() {
                // The store is in trouble: none of the others would fare better now.
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

    async fn settle(&self, changes: &[Effective<'_>], now: Timestamp) -> Result<(), StoreError> {
        let applied = self.ledger.applied(changes.iter().map(|change| change.id)).await?;
        let fresh: Vec<Effective> = changes.iter().filter(|change| !applied.contains(change.id)).copied().collect();
        if fresh.is_empty() {
            return Ok(());
        }
        self.notifying.settle(&fresh, now).await?;
        let recounts = fresh.iter().filter_map(|change| match change.changed.subject {
            Subject::Step { task: Task::Inbox(user), token } => Some((user, token)),
            _ => None,
        });
        self.recounting.settle(&recounts.collect(), now).await?;
        self.counting.count(fresh, now).await
    }
}

/// Why a change was not applied.
#[derive(Debug)]
struct Failure(StoreError);

impl Failure {
    fn outcome(&self) -> Applied {
        let error = again(&self.0).into();
        if self.0.is_transient() { Applied::Retry(error) } else { Applied::Poison(error) }
    }
}

/// The same error once more: one failure can be that of many changes.
fn again(error: &StoreError) -> StoreError {
    match error {
        StoreError::Throttled => StoreError::Throttled,
        StoreError::Conflict => StoreError::Conflict,
        StoreError::Unavailable(cause) => StoreError::Unavailable(cause.to_string().into()),
        StoreError::Rejected(cause) => StoreError::Rejected(cause.to_string().into()),
        StoreError::Malformed(malformed) => StoreError::Malformed(*malformed),
    }
}

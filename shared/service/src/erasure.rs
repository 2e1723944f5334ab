//! Erasing for good: posts long after they were deleted, accounts at once.
//!
//! - [`post`]: a post with all that is about it.
//! - [`user`]: everything that an account left, everywhere.
//!
//! Why it may be ended anywhere and begun anew by anyone, without a note of how far it came: each list that leads to
//! what is to be erased loses its entries in the transactions that erase it, so the beginning of the list is where to
//! go on. Both sides of a thing go together. What leads to the lists themselves goes last: a post for what hangs on it,
//! a profile for an account.
//!
//! One row is worked on for [`limits::ERASURE_SLICE`]. Where that was not enough, or something failed, the row goes behind
//! the others of its shard: a large or failing one delays those behind it, and starves none.
//!
//! An account is erased more than once, see [`limits::ERASURE_PASSES`]: what was on its way when it was deleted (a
//! request of a token that was just good enough, a redriven message) may still write.

mod post;
mod user;

use futures::future::join_all;
use tokio::time::Instant;
use tracing::{error, info, warn};

use self::{post::PostEraser, user::UserEraser};
use super::ServiceError;
use data::{Db, Erasure, Erasures, Transaction, Writes};
use domain::{Erasable, Timestamp, limits};
use ports::store::StoreError;
use telemetry::chain;

/// Things erased in one transaction. Each has two to four items, so that it stays below [`limits::MAX_TRANSACT`]; and
/// few enough for one that is refused because of another transaction to be tried again soon.
const THINGS_PER_TRANSACTION: usize = 24;
/// Entries of a list read at once.
const ENTRIES_PER_PAGE: u32 = 96;

/// Erases what is due.
#[derive(Debug, Clone)]
pub struct ErasureService {
    erasures: Erasures,
    posts: PostEraser,
    users: UserEraser,
}

/// What a run came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Erased {
    /// Posts erased, and passes over accounts ended.
    pub ended: u64,
    /// Whether there was no time for something: run again.
    pub is_cut_short: bool,
}

/// Until when to work.
#[derive(Debug, Clone, Copy)]
struct Budget {
    deadline: Instant,
}

/// Why a pass did not end.
#[derive(Debug, thiserror::Error)]
enum Stopped {
    #[error("there was no time left")]
    OutOfTime,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Budget {
    /// Stops when there is no time left. Asked between calls that may be repeated.
    fn spend(self) -> Result<(), Stopped> {
        if Instant::now() < self.deadline { Ok(()) } else { Err(Stopped::OutOfTime) }
    }

    /// What of it one row may use.
    fn slice(self) -> Self {
        Self { deadline: self.deadline.min(Instant::now() + limits::ERASURE_SLICE) }
    }
}

impl ErasureService {
    /// Erases in `store`.
    pub fn new(db: impl Into<Db>) -> Self {
        let db = db.into();
        let posts = PostEraser::new(db.clone());
        Self { erasures: Erasures::new(db.clone()), users: UserEraser::new(db, posts.clone()), posts }
    }

    /// Erases what is due at `now` and nobody else works on, until `deadline`; the calls under way then are still
    /// answered.
    ///
    /// What fails is logged and does not hold up the others; the next run tries again. What takes longer than
    /// [`limits::ERASURE_SLICE`] goes on when the others of its shard had their turn.
    ///
    /// # Errors
    /// When a shard of the erasures cannot be read; the other shards were run all the same.
    pub async fn run_due(&self, now: Timestamp, deadline: Instant) -> Result<Erased, ServiceError> {
        let budget = Budget { deadline };
        // Side by side, so that one large account holds up no more than its own shard.
        let shards = join_all((0..limits::TASK_SHARDS).map(|shard| self.run_shard(shard, now, budget))).await;
        let mut all = Erased::default();
        for shard in shards {
            let Erased { ended, is_cut_short } = shard?;
            all.ended += ended;
            all.is_cut_short |= is_cut_short;
        }
        Ok(all)
    }

    /// Whether nothing is due at `now`, also nothing that someone works on.
    pub async fn is_idle(&self, now: Timestamp) -> Result<bool, ServiceError> {
        Ok(self.erasures.none_is_due(now).await?)
    }

    /// Works through a shard's rows in turn, again while some had too little time and there is time left.
    async fn run_shard(&self, shard: u8, now: Timestamp, budget: Budget) -> Result<Erased, StoreError> {
        let mut ended = 0;
        loop {
            let turn = self.run_turn(shard, now, budget).await?;
            ended += turn.ended;
            if !turn.is_cut_short || budget.spend().is_err() {
                return Ok(Erased { ended, ..turn });
            }
        }
    }

    /// Gives each row of a shard its slice, while there is time.
    async fn run_turn(&self, shard: u8, now: Timestamp, budget: Budget) -> Result<Erased, StoreError> {
        let (mut done, mut after) = (Erased::default(), None);
        loop {
            let (due, next) = self.erasures.page_of_due(shard, now, after).await?;
            for erasure in due.iter().filter(|erasure| erasure.is_free(now)) {
                match self.run(erasure, now, budget.slice()).await {
                    Ok(is_ended) => done.ended += u64::from(is_ended),
                    Err(Stopped::OutOfTime) => done.is_cut_short = true,
                    Err(Stopped::Store(error)) => {
                        warn!(erasure = ?erasure.of, error = chain(&error), "Could not erase; will retry after the shard's other erasures");
                    }
                }
                if budget.spend().is_err() {
                    return Ok(Erased { is_cut_short: true, ..done });
                }
            }
            after = next;
            if after.is_none() {
                return Ok(done);
            }
        }
    }

    /// Leases an erasure, does what there is time for, and ends it or puts it behind the others. Whether it is ended.
    async fn run(&self, erasure: &Erasure, now: Timestamp, slice: Budget) -> Result<bool, Stopped> {
        slice.spend()?;
        let until = now.plus(limits::ERASURE_LEASE);
        let Some(taken) = self.erasures.take(erasure, until).await? else { return Ok(false) };
        let erased = match taken.of {
            Erasable::Post(post) => self.posts.erase_deleted(post, now, slice).await,
            Erasable::User(user) => self.users.erase(user, now, slice).await,
        };
        if let Err(stopped) = erased {
            // Refused, the lease is someone else's by now; failed, it ends by itself.
            if let Err(error) = self.erasures.postpone(&taken, now).await {
                warn!(erasure = ?taken.of, %error, "Could not release the lease of an erasure; will wait until it expires");
            }
            return Err(stopped);
        }
        // Refused: someone else ended it, or an earlier try did.
        let _either_way = self.erasures.finish(&taken, next_due(&taken)).await?;
        info!(erasure = ?taken.of, pass = taken.pass, "Erased: {:?}", taken.of);
        Ok(true)
    }
}

/// When the next pass is due. A post needs no second: it was not to be seen for [`limits::DELETED_TTL`].
fn next_due(erasure: &Erasure) -> Option<Timestamp> {
    match erasure.of {
        Erasable::Post(_) => None,
        Erasable::User(_) => limits::ERASURE_PASSES.get(erasure.pass + 1).map(|after| erasure.began_at.plus(*after)),
    }
}

/// Does unconditional writes, those of one thing in one transaction. An item that is named twice is written once.
async fn erase_all(db: &Db, things: Vec<Writes>) -> Result<(), StoreError> {
    let mut things = things.into_iter().peekable();
    while things.peek().is_some() {
        let mut transaction = Transaction::new();
        things.by_ref().take(THINGS_PER_TRANSACTION).for_each(|thing| transaction.add_absent(thing));
        // Unconditional, hence never refused.
        let _applied = transaction.commit(db).await?;
    }
    Ok(())
}

/// Says that what is to be erased is not deleted. Nothing of it may be touched then.
fn refuse(of: Erasable) {
    error!(erasure = ?of, "Refusing to erase: the target is not marked deleted");
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use domain::UserId;

    #[test]
    fn an_account_is_erased_for_the_last_time_when_nothing_can_write_any_more() {
        let began_at = Timestamp::from_millis(5);
        let of = Erasable::User(UserId::random());
        let mut erasure = Erasure { of, due: began_at, pass: 0, began_at, lease_until: None };
        let mut dues = vec![began_at];
        while let Some(due) = next_due(&erasure) {
            dues.push(due);
            erasure = Erasure { due, pass: erasure.pass + 1, ..erasure };
        }
        assert!(dues.is_sorted());
        assert_eq!(dues.len(), limits::ERASURE_PASSES.len());
        let last = dues[3].since(began_at);
        assert!(last > limits::REFRESH_TOKEN_TTL && last > Duration::from_hours(14 * 24), "{last:?}");
    }
}

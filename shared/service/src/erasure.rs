//! Permanent erasure: of posts 30 days after their deletion, of accounts at once, of pictures that nothing shows after 24
//! hours.
//!
//! - [`post`]: a post with its likes, comments and notifications.
//! - [`user`]: all data of an account.
//! - [`media`]: a picture with its files. [`step`]: what all share.
//!
//! An erasure can be interrupted at any point and restarted by any worker without a saved position: each list that
//! leads to the data loses its entries in the transactions that erase the data, so a restart begins at the head of the
//! list. Both sides of an edge are erased together. The item that leads to the lists is erased last: the post for its
//! likes and comments, the profile for an account.
//!
//! One row is worked on for [`limits::ERASURE_SLICE`]. If that was too short or a step failed, the row moves to the end
//! of its shard's queue: a large or failing erasure delays the others and starves none.
//!
//! An account is erased in several passes ([`limits::ERASURE_PASSES`]): requests that were in flight at the deletion
//! (with a token about to expire, or a redriven message) may still write.

mod media;
mod post;
mod step;
mod user;

use std::sync::Arc;

use futures::future::join_all;
use tokio::time::Instant;
use tracing::{info, warn};

use self::{
    media::MediaEraser,
    post::PostEraser,
    step::{Budget, Stopped},
    user::UserEraser,
};
use super::{ServiceError, media::files::PictureFiles};
use data::{Db, Erasure, Erasures};
use domain::{Erasable, Timestamp, limits};
use ports::{queue::Queue, store::StoreError};
use telemetry::chain;

/// Erases everything due.
#[derive(Debug, Clone)]
pub struct ErasureService {
    erasures: Erasures,
    posts: PostEraser,
    users: UserEraser,
    media: MediaEraser,
}

/// The result of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Erased {
    /// Posts erased, plus passes over accounts completed.
    pub ended: u64,
    /// Whether the deadline left work undone; run again.
    pub is_cut_short: bool,
}

impl ErasureService {
    /// Erases in `store`.
    pub fn new(db: impl Into<Db>) -> Self {
        let db = db.into();
        let (posts, media) = (PostEraser::new(db.clone()), MediaEraser::new(db.clone()));
        let users = UserEraser::new(db.clone(), posts.clone(), media.clone());
        Self { erasures: Erasures::new(db), users, posts, media }
    }

    /// The same with the files of pictures, putting uploads whose event was lost on MediaQ of `queue`. Without files,
    /// erasures of pictures wait for a process that has them.
    #[must_use]
    pub fn with_files(self, files: PictureFiles, queue: Arc<dyn Queue>) -> Self {
        let media = self.media.with_files(files, queue);
        Self { users: self.users.with_media(media.clone()), media, ..self }
    }

    /// Erases what is due at `now` and not leased by another worker, until `deadline`; calls in flight at the deadline
    /// are awaited.
    ///
    /// Failures are logged and do not hold up other erasures; the next run retries them. An erasure that takes longer
    /// than [`limits::ERASURE_SLICE`] continues after the others of its shard.
    ///
    /// # Errors
    /// When a shard of the erasures cannot be read; the other shards were still run.
    pub async fn run_due(&self, now: Timestamp, deadline: Instant) -> Result<Erased, ServiceError> {
        let budget = Budget { deadline };
        // Concurrently, so that a large account holds up only its own shard.
        let shards = join_all((0..limits::TASK_SHARDS).map(|shard| self.run_shard(shard, now, budget))).await;
        let mut all = Erased::default();
        for shard in shards {
            let Erased { ended, is_cut_short } = shard?;
            all.ended += ended;
            all.is_cut_short |= is_cut_short;
        }
        Ok(all)
    }

    /// Whether no erasure is due at `now`, leased ones included.
    pub async fn is_idle(&self, now: Timestamp) -> Result<bool, ServiceError> {
        Ok(self.erasures.none_is_due(now).await?)
    }

    /// Works through a shard's rows in turns, until none was cut short or the time runs out.
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

    /// Gives each row of a shard one slice, while there is time.
    async fn run_turn(&self, shard: u8, now: Timestamp, budget: Budget) -> Result<Erased, StoreError> {
        let (mut done, mut after) = (Erased::default(), None);
        loop {
            let (due, next) = self.erasures.page_of_due(shard, now, after).await?;
            for erasure in due.iter().filter(|erasure| erasure.is_free(now)) {
                match self.run(erasure, now, budget.slice()).await {
                    Ok(is_ended) => done.ended += u64::from(is_ended),
                    Err(Stopped::OutOfTime) => done.is_cut_short = true,
                    Err(stopped) => {
                        warn!(erasure = ?erasure.of, error = chain(&stopped), "Could not erase; will retry after the shard's other erasures");
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

    /// Leases an erasure, works on it for a slice, and finishes or postpones it. Returns whether it is finished.
    async fn run(&self, erasure: &Erasure, now: Timestamp, slice: Budget) -> Result<bool, Stopped> {
        slice.spend()?;
        if matches!(erasure.of, Erasable::Media(_)) && !self.media.has_files() {
            return Ok(false);
        }
        let until = now.plus(limits::ERASURE_LEASE);
        let Some(taken) = self.erasures.take(erasure, until).await? else { return Ok(false) };
        let erased = match taken.of {
            // It was hidden for [`limits::DELETED_TTL`] before its only pass.
            Erasable::Post(post) => self.posts.erase_deleted(post, now, slice).await.map(|()| None),
            Erasable::User(user) => self.users.erase(user, now, slice).await.map(|()| next_pass(&taken)),
            Erasable::Media(media) => self.media.erase_due(media, now).await,
        };
        let next = match erased {
            Ok(next) => next,
            Err(stopped) => {
                // Refused: another worker holds the lease by now. On failure the lease expires.
                if let Err(error) = self.erasures.postpone(&taken, now).await {
                    warn!(erasure = ?taken.of, error = chain(&error), "Could not release the lease of an erasure; will wait until it expires");
                }
                return Err(stopped);
            }
        };
        // Refused: another worker or an earlier try finished it.
        let _either_way = self.erasures.finish(&taken, next).await?;
        info!(erasure = ?taken.of, pass = taken.pass, "Erased: {:?}", taken.of);
        Ok(true)
    }
}

/// When the next pass over an account is due.
fn next_pass(erasure: &Erasure) -> Option<Timestamp> {
    limits::ERASURE_PASSES.get(erasure.pass + 1).map(|after| erasure.began_at.plus(*after))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use domain::UserId;

    #[test]
    fn the_last_account_pass_follows_every_possible_write() {
        let began_at = Timestamp::from_millis(5);
        let of = Erasable::User(UserId::random());
        let mut erasure = Erasure { of, due: began_at, pass: 0, began_at, lease_until: None };
        let mut dues = vec![began_at];
        while let Some(due) = next_pass(&erasure) {
            dues.push(due);
            erasure = Erasure { due, pass: erasure.pass + 1, ..erasure };
        }
        assert!(dues.is_sorted());
        assert_eq!(dues.len(), limits::ERASURE_PASSES.len());
        let last = dues[3].since(began_at);
        assert!(last > limits::REFRESH_TOKEN_TTL && last > Duration::from_hours(14 * 24), "{last:?}");
    }
}

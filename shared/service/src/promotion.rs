//! Promotion: an author with many followers stops being fanned out, and feeds merge their posts when they are read.
//!
//! The author's [delivery mode](data::DeliveryMode) goes from push through promoting to pull. While it is promoting,
//! posts are still pushed, and a worker on PostQ writes a merge rule into the reader partition of each follower. The
//! outbox entry of the promotion holds the cursor, so a crash repeats at most one page of rules. The mode becomes pull
//! in the transaction that removes the entry, when all rules are written.
//!
//! Rules merge from the promotion's own id on. A post whose id is older, by the difference of two clocks, is pushed even
//! while the mode is pull; rules that begin earlier would show posts that the backfill of a recent follow left out.
//!
//! A follow reads the mode after its edge is committed, and writes the rule itself unless the mode is push. So either
//! the worker's strong reads of the followers find the edge, or the follow finds the mode.
//!
//! - [`review`]: when a promotion begins, and when it is taken back. [`threshold`]: the number of followers.

pub mod review;
pub mod threshold;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use tokio::time::Instant;
use tracing::info;

use super::{ServiceError, fan_out::is_near};
use data::{Committed, Db, DeliveryMode, DeliveryModes, Follows, Outbox, OutboxEntry, Readers, Remaining, Transaction};
use domain::{Clock, PostId, UserId, UserRange, limits, random};
use telemetry::names;

pub use review::DeliveryReview;
pub use threshold::{InvalidPullThreshold, PULL_THRESHOLD, PullThreshold};

/// How far a promotion came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ran {
    /// It is finished, or another worker continues it.
    ToItsEnd,
    /// The deadline is near; a message must continue it.
    UntilTheDeadline,
}

/// Writes the merge rules of promotions; used by follow-fetcher.
#[derive(Debug, Clone)]
pub struct PromotionService {
    db: Db,
    follows: Follows,
    readers: Readers,
    modes: DeliveryModes,
    outbox: Outbox,
    clock: Clock,
    page: u32,
}

impl PromotionService {
    /// Promotions in `store`, reading up to `page` followers at a time, at most [`limits::PROMOTION_PAGE`].
    pub fn new(db: impl Into<Db>, clock: Clock, page: Option<u32>) -> Self {
        let db = db.into();
        Self {
            follows: Follows::new(db.clone()),
            readers: Readers::new(db.clone()),
            modes: DeliveryModes::new(db.clone()),
            outbox: Outbox::new(db.clone()),
            db,
            clock,
            page: page.map_or(limits::PROMOTION_PAGE, |page| page.min(limits::PROMOTION_PAGE)),
        }
    }

    /// Continues the promotion of this entry until each follower has a merge rule and the author's posts are pulled, or
    /// `deadline` is near. Idempotent.
    pub async fn run(&self, mut entry: OutboxEntry, deadline: Option<Instant>) -> Result<Ran, ServiceError> {
        let (worker, since) = (random::uuid().to_string(), entry.post_id);
        loop {
            // A promotion is never divided: its entry has one range, or none after the last page.
            let range = entry.remaining.ranges().first().copied();
            let mut left = None;
            if let Some(range) = range {
                let page = self.follows.page_of_follower_ids(entry.author_id, range, Some(self.page)).await?;
                self.write_rules(&page.items, entry.author_id, since).await?;
                left = page.next;
            }
            let Some(left) = left else {
                return self.finish(&entry, since).await.map(|()| Ran::ToItsEnd);
            };
            if !self.advance(&entry, left, &worker).await? {
                info!(user.id = %entry.author_id, "Another worker took over the promotion of {}; stopped here", entry.author_id);
                return Ok(Ran::ToItsEnd);
            }
            entry = OutboxEntry { remaining: Remaining::In(vec![left]), worker: Some(worker.clone()), ..entry };
            if is_near(deadline) {
                return Ok(Ran::UntilTheDeadline);
            }
        }
    }

    async fn write_rules(&self, followers: &[UserId], author: UserId, since: PostId) -> Result<(), ServiceError> {
        let writes = followers.iter().copied().map(|follower| self.readers.merge_from(follower, author, since));
        let writes = stream::iter(writes).buffer_unordered(limits::RULES_IN_FLIGHT);
        Ok(writes.try_collect::<()>().await?)
    }

    /// Records that only the followers in `left` remain. False when another worker holds the entry now.
    async fn advance(&self, entry: &OutboxEntry, left: UserRange, worker: &str) -> Result<bool, ServiceError> {
        if self.outbox.advance(entry, &[left], worker, self.clock.now()).await?.is_applied() {
            return Ok(true);
        }
        // An earlier try whose answer was lost is refused as well; the entry names its worker.
        let stored = self.outbox.get(entry.post_id).await?;
        Ok(stored.is_some_and(|stored| {
            stored.generation == entry.generation
                && stored.remaining == Remaining::In(vec![left])
                && stored.worker.as_deref() == Some(worker)
        }))
    }

    /// Ends the promotion: from now on posts are pulled.
    async fn finish(&self, entry: &OutboxEntry, since: PostId) -> Result<(), ServiceError> {
        let author = entry.author_id;
        let end = DeliveryModes::pull(author, since).and(Outbox::completion(entry));
        if let Committed::Applied = Transaction::from(end).commit(&self.db).await? {
            metrics::counter!(names::PROMOTIONS).increment(1);
            info!(user.id = %author, "Posts of {author} are now merged into feeds when these are read");
            return Ok(());
        }
        // By an earlier try whose answer was lost; or the sweeper has taken the entry, and its message finishes; or the
        // account was erased, and the entry is all that is left.
        if self.modes.get(author).await? != (DeliveryMode::Promoting { since }) {
            let _either_way = self.outbox.finish(entry).await?;
        }
        Ok(())
    }
}

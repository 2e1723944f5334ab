//! Reviews an author's delivery mode after a post: begins a promotion, or takes one back.

use std::sync::Arc;

use tracing::{info, warn};

use super::PullThreshold;
use crate::{ServiceError, posts::send_fan_out};
use data::{
    Counts, Db, DeliveryMode, DeliveryModes, Outbox, Transaction,
    messages::{FanOutMessage, FanOutTag, V1},
};
use domain::{IdGenerator, Timestamp, UserId, limits};
use ports::{queue::Queue, store::StoreError};
use telemetry::{chain, names};

/// An author's mode and reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The delivery mode.
    pub mode: DeliveryMode,
    /// The number of followers, which may lag.
    pub followers: u64,
}

/// Reviews delivery modes; used by post-handler.
#[derive(Debug, Clone)]
pub struct DeliveryReview {
    db: Db,
    modes: DeliveryModes,
    counts: Counts,
    queue: Arc<dyn Queue>,
    ids: Arc<IdGenerator>,
    threshold: PullThreshold,
}

impl DeliveryReview {
    /// Reviews modes in `store`, announcing promotions on `queue`.
    pub fn new(db: impl Into<Db>, queue: Arc<dyn Queue>, ids: Arc<IdGenerator>, threshold: PullThreshold) -> Self {
        let db = db.into();
        Self { modes: DeliveryModes::new(db.clone()), counts: Counts::new(db.clone()), db, queue, ids, threshold }
    }

    /// The same with another threshold.
    #[must_use]
    pub fn with_threshold(self, threshold: PullThreshold) -> Self {
        Self { threshold, ..self }
    }

    /// An author's mode, read consistently, and reach.
    pub async fn standing(&self, author: UserId) -> Result<Standing, StoreError> {
        let (mode, counts) = futures::try_join!(self.modes.get(author), self.counts.of_user(author))?;
        Ok(Standing { mode, followers: counts.followers })
    }

    /// Changes the author's mode if their number of followers has crossed the threshold. Failures are logged: the
    /// author's next post is the retry.
    pub async fn review(&self, author: UserId, standing: Standing, now: Timestamp) {
        let followers = standing.followers;
        let changed = match standing.mode {
            DeliveryMode::Push { .. } if self.threshold.promotes(followers) => self.promote(author, now).await,
            DeliveryMode::Pull { since } if self.threshold.demotes(followers) => {
                let pulled_until = now.plus(limits::PULLED_MARGIN);
                self.modes
                    .demote(author, since, pulled_until)
                    .await
                    .map(|outcome| {
                        if outcome.is_applied() {
                            metrics::counter!(names::DEMOTIONS).increment(1);
                            info!(user.id = %author, followers, "Posts of {author} are fanned out again");
                        }
                    })
                    .map_err(ServiceError::from)
            }
            _ => Ok(()),
        };
        if let Err(error) = changed {
            warn!(user.id = %author, error = %chain(&error), "Could not change how posts of {author} are delivered; will retry after their next post");
        }
    }

    /// Begins a promotion, and puts it on PostQ. If that fails, the outbox entry makes the sweeper send it.
    async fn promote(&self, author: UserId, now: Timestamp) -> Result<(), ServiceError> {
        let promotion = self.ids.next_post_id(now);
        let begin = DeliveryModes::promotion(author, promotion);
        let begin = begin.and(Outbox::promotion(promotion, author, now));
        if !Transaction::from(begin).commit(&self.db).await?.is_applied() {
            // Another post began it; or an earlier try of this one did, and the sweeper sends its message.
            return Ok(());
        }
        info!(user.id = %author, "Writing the rules by which feeds merge the posts of {author}");
        let message = FanOutMessage {
            tag: FanOutTag::FanOut,
            v: V1,
            post_id: promotion,
            author_id: author,
            generation: 0,
            hop: 0,
        };
        if let Err(error) = send_fan_out(self.queue.as_ref(), &message).await {
            warn!(user.id = %author, error = %chain(&error), "Could not put the promotion of {author} on PostQ; the sweeper will");
        }
        Ok(())
    }
}

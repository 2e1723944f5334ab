//! Which followers are active, and which are dormant: the fan-out sends jobs of active ones first and none of dormant
//! ones.
//!
//! Only a strong read of a reader's stored activity makes a follower dormant. A stale read could skip a reader who has
//! just returned; the page of a returning reader marks them active before it reads stories, and a post is in its story
//! before its fan-out begins, so no post is missed by both. A reader without a stored activity is never dormant.

mod cache;

pub use cache::ActivityCache;

use data::{Db, Readers};
use domain::{Timestamp, UserId, limits};
use ports::store::{Consistency, StoreError};

use cache::{Day, Known};

/// Keys read with one call of the DAO: 16 concurrent batch gets, so that a page of 10,000 followers does not start a
/// hundred.
const ASKED_AT_ONCE: usize = 16 * limits::MAX_BATCH_GET;

/// Tells active, dormant and other followers apart.
#[derive(Debug, Clone)]
pub struct FollowerActivity {
    readers: Readers,
    cache: ActivityCache,
}

/// Followers by their activity.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sorted {
    /// Active today or yesterday (UTC): a reader who is awake at midnight stays active.
    pub active: Vec<UserId>,
    /// Neither active nor dormant.
    pub others: Vec<UserId>,
    /// The number of dormant followers.
    pub dormant: usize,
}

/// The meaning of a stored activity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Active,
    Other,
    Dormant,
}

impl Standing {
    fn of(active_at: Option<Timestamp>, now: Timestamp) -> Self {
        match active_at {
            Some(at) if Day::of(at).is_recent(Day::of(now)) => Self::Active,
            Some(at) if now.since(at) > limits::SKIPPED_AFTER => Self::Dormant,
            _ => Self::Other,
        }
    }
}

impl FollowerActivity {
    /// Activities in `store`, remembered in `cache`.
    pub fn new(db: impl Into<Db>, cache: ActivityCache) -> Self {
        Self { readers: Readers::new(db), cache }
    }

    /// The same, with another cache.
    #[must_use]
    pub fn with_cache(self, cache: ActivityCache) -> Self {
        Self { cache, ..self }
    }

    /// Sorts followers by their activity at `now`, which must not be ahead of elapsed time: see
    /// [`crate::safe_time::SafeTime`].
    ///
    /// # Errors
    /// When an activity that is not cached cannot be read.
    pub async fn sort(
        &self,
        followers: impl IntoIterator<Item = UserId>,
        now: Timestamp,
    ) -> Result<Sorted, StoreError> {
        let (mut sorted, mut unknown, mut doubtful) = (Sorted::default(), Vec::new(), Vec::new());
        for follower in followers {
            match self.cache.look_up(follower, Day::of(now)) {
                Known::Active => sorted.active.push(follower),
                Known::Other => sorted.others.push(follower),
                Known::Nothing => unknown.push(follower),
                Known::Old => doubtful.push(follower),
            }
        }
        for (follower, standing) in self.read(&unknown, Consistency::Eventual, now).await? {
            match standing {
                Standing::Active => sorted.active.push(follower),
                Standing::Other => sorted.others.push(follower),
                Standing::Dormant => doubtful.push(follower),
            }
        }
        for (follower, standing) in self.read(&doubtful, Consistency::Strong, now).await? {
            match standing {
                Standing::Active => sorted.active.push(follower),
                Standing::Other => sorted.others.push(follower),
                Standing::Dormant => sorted.dormant += 1,
            }
        }
        Ok(sorted)
    }

    /// Reads the activities of these followers, in their order, and remembers them.
    async fn read(
        &self,
        followers: &[UserId],
        consistency: Consistency,
        now: Timestamp,
    ) -> Result<Vec<(UserId, Standing)>, StoreError> {
        let mut read = Vec::with_capacity(followers.len());
        for some in followers.chunks(ASKED_AT_ONCE) {
            let stored = self.readers.active_times(some, consistency).await?;
            for follower in some {
                let active_at = stored.get(follower).copied();
                self.cache.remember(*follower, active_at.map(Day::of), Day::of(now));
                read.push((*follower, Standing::of(active_at, now)));
            }
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn activity_decides_the_standing() {
        let day = Duration::from_hours(24);
        let now = Timestamp::from_millis(1_763_700_000_000);
        let at = |ago: Duration| Standing::of(Some(now.minus(ago)), now);
        assert_eq!([at(Duration::ZERO), at(day)], [Standing::Active; 2]);
        assert_eq!(Standing::of(Some(now.plus(day)), now), Standing::Active, "the clock was set back");
        assert_eq!([at(2 * day), at(limits::DORMANT_AFTER), at(limits::SKIPPED_AFTER)], [Standing::Other; 3]);
        assert_eq!(at(limits::SKIPPED_AFTER + Duration::from_millis(1)), Standing::Dormant);
        assert_eq!(Standing::of(None, now), Standing::Other, "registered with an earlier version");
    }
}

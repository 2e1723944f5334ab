//! Verifies the feeds, entry by entry through the DAO.

use std::sync::Arc;

use data::Feeds;
use domain::{PostId, UserId};
use futures::{StreamExt as _, TryStreamExt as _};
use indicatif::ProgressBar;
use ports::store::{Store, StoreError};

/// Concurrent feed reads.
const READS_IN_FLIGHT: usize = 16;
/// Entries per query.
const PAGE: u32 = 1_000;

/// The comparison of feeds with their expected content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Verdict {
    /// Expected entries found.
    pub found: u64,
    /// Expected entries not found.
    pub missing: u64,
    /// Repetitions of expected entries.
    pub duplicates: u64,
}

impl Verdict {
    /// Compares one feed to the posts that it must hold. Other entries are ignored.
    pub fn of(mut feed: Vec<PostId>, expected: &[PostId]) -> Self {
        feed.sort_unstable();
        let mut verdict = Self::default();
        for post in expected {
            let first = feed.partition_point(|entry| entry < post);
            let times = feed[first..].partition_point(|entry| entry == post) as u64;
            verdict = verdict.and(Self {
                found: times.min(1),
                missing: u64::from(times == 0),
                duplicates: times.saturating_sub(1),
            });
        }
        verdict
    }

    /// The sum of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            found: self.found + other.found,
            missing: self.missing + other.missing,
            duplicates: self.duplicates + other.duplicates,
        }
    }
}

/// Reads the feed of each reader to its end and compares. `progress` counts feeds.
pub async fn check_feeds<'a>(
    store: Arc<dyn Store>,
    readers: impl Iterator<Item = (UserId, std::borrow::Cow<'a, [PostId]>)> + Send,
    progress: &ProgressBar,
) -> Result<Verdict, StoreError> {
    let feeds = &Feeds::new(store);
    futures::stream::iter(readers)
        .map(|(reader, expected)| async move {
            let verdict = Verdict::of(whole_feed(feeds, reader).await?, &expected);
            progress.inc(1);
            Ok(verdict)
        })
        .buffer_unordered(READS_IN_FLIGHT)
        .try_fold(Verdict::default(), |sum, verdict| async move { Ok(sum.and(verdict)) })
        .await
}

async fn whole_feed(feeds: &Feeds, reader: UserId) -> Result<Vec<PostId>, StoreError> {
    let mut posts = Vec::new();
    let mut after = None;
    loop {
        let page = feeds.page_of_reader(reader, after, PAGE).await?;
        posts.extend(page.items);
        after = page.next;
        if after.is_none() {
            return Ok(posts);
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::{Clock, IdGenerator};

    use super::*;

    #[test]
    fn expected_posts_are_found_missing_or_duplicated() {
        let ids = IdGenerator::new();
        let post = || ids.next_post_id(Clock::System.now());
        let (first, second, third, other) = (post(), post(), post(), post());
        let feed = vec![other, second, first, second, second];
        assert_eq!(Verdict::of(feed, &[first, second, third]), Verdict { found: 2, missing: 1, duplicates: 2 });
    }
}

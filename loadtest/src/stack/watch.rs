//! Polls feeds through HTTP: until all of them show a post, and to verify their content.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use domain::{Clock, PostId, UserId};
use futures::{StreamExt as _, TryStreamExt as _, future::try_join_all};
use indicatif::ProgressBar;
use parking_lot::Mutex;
use service::tokens::AccessTokens;

use super::api::{ApiClient, Timed};
use crate::{
    client::{ClientError, FeedPage},
    report::Latencies,
    verify::Verdict,
};

/// Pause after a poll that did not find the post. Feeds receive a post in the order in which they are polled, so the
/// next ones do not have it yet either: polling must not slow down a slow stack.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// Page size of whole feeds: the default of the API.
const PAGE: u32 = 20;

/// Reads feeds as their readers do, several concurrently.
#[derive(Debug, Clone)]
pub struct Watcher {
    /// The API.
    pub api: ApiClient,
    /// Issues a token for each request, so that none expires however long a run takes.
    pub tokens: AccessTokens,
    /// Concurrent feed reads.
    pub at_once: usize,
    /// Time without progress after which a post is given up.
    pub patience: Duration,
}

/// The visibility of a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// The time at which the last feed was first seen to show it.
    pub last: Instant,
    /// Feeds that did not show it.
    pub missing: usize,
}

/// The content of whole feeds.
#[derive(Debug)]
pub struct Checked {
    /// The comparison with the posts that each must hold once.
    pub verdict: Verdict,
    /// The latency of each page.
    pub latencies: Latencies,
}

/// Feeds that have not shown the post yet.
struct Waiting {
    feeds: Mutex<VecDeque<UserId>>,
    last: Mutex<Instant>,
}

impl Watcher {
    /// A fresh token of `user`.
    pub fn token(&self, user: UserId) -> String {
        self.tokens.issue(user, Clock::System.now())
    }

    /// Polls until every reader's feed begins with `post`, or no further feed showed it for too long. Readers are
    /// polled in order. `progress` counts feeds.
    pub async fn until_all_show(
        &self,
        post: PostId,
        readers: &[UserId],
        progress: &ProgressBar,
    ) -> Result<Seen, ClientError> {
        let feeds = Mutex::new(readers.iter().copied().collect());
        let waiting = Waiting { feeds, last: Mutex::new(Instant::now()) };
        let pollers = (0..self.at_once.max(1)).map(|_| self.poll(post, &waiting, progress));
        try_join_all(pollers).await?;
        let missing = waiting.feeds.lock().len();
        Ok(Seen { last: *waiting.last.lock(), missing })
    }

    /// One poller: takes the next feed, and puts it back if it does not show the post.
    async fn poll(&self, post: PostId, waiting: &Waiting, progress: &ProgressBar) -> Result<(), ClientError> {
        while let Some(reader) = waiting.next(self.patience) {
            let page = self.first_page(reader, 1).await?.answer;
            if page.items.iter().any(|item| item.post_id == post) {
                *waiting.last.lock() = Instant::now();
                progress.inc(1);
            } else {
                waiting.feeds.lock().push_back(reader);
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        }
        Ok(())
    }

    /// Reads all readers' feeds to their ends and compares. `progress` counts feeds.
    pub async fn check(
        &self,
        readers: &[UserId],
        posts: &[PostId],
        progress: &ProgressBar,
    ) -> Result<Checked, ClientError> {
        let nothing = Checked { verdict: Verdict::default(), latencies: Latencies::new() };
        futures::stream::iter(readers)
            .map(|reader| async move {
                let (shown, latencies) = self.whole_feed(*reader).await?;
                progress.inc(1);
                Ok((Verdict::of(shown, posts), latencies))
            })
            .buffer_unordered(self.at_once.max(1))
            .try_fold(nothing, |mut sum, (verdict, latencies)| async move {
                sum.verdict = sum.verdict.and(verdict);
                for latency in latencies {
                    sum.latencies.record(latency);
                }
                Ok(sum)
            })
            .await
    }

    async fn whole_feed(&self, reader: UserId) -> Result<(Vec<PostId>, Vec<Duration>), ClientError> {
        let (mut shown, mut latencies) = (Vec::new(), Vec::new());
        let mut page = self.first_page(reader, PAGE).await?;
        loop {
            latencies.push(page.latency);
            shown.extend(page.answer.items.iter().map(|item| item.post_id));
            let Some(cursor) = page.answer.next_cursor else { return Ok((shown, latencies)) };
            page = self.api.feed(|| self.token(reader), PAGE, Some(&cursor)).await?;
        }
    }

    async fn first_page(&self, reader: UserId, limit: u32) -> Result<Timed<FeedPage>, ClientError> {
        self.api.feed(|| self.token(reader), limit, None).await
    }
}

impl Waiting {
    /// The next feed to poll; `None` if there is none, or no further feed showed the post for too long.
    fn next(&self, patience: Duration) -> Option<UserId> {
        if self.last.lock().elapsed() > patience {
            return None;
        }
        self.feeds.lock().pop_front()
    }
}

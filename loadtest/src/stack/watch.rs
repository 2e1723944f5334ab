//! Looks at feeds through HTTP: until a post is in all of them, and whether they hold what they must.

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

/// How long someone who looked in vain does nothing. Feeds come to show a post in the order in which they are looked at,
/// so what comes next is not there yet either: a slow stack is not kept from its work by being looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// Items of a page where whole feeds are read: what a reader gets who names no number.
const PAGE: u32 = 20;

/// Reads feeds as their readers do, several at once.
#[derive(Debug, Clone)]
pub struct Watcher {
    /// The API.
    pub api: ApiClient,
    /// Signs a token for each request, so that none expires however long a run takes.
    pub tokens: AccessTokens,
    /// Feeds read at once.
    pub at_once: usize,
    /// How long nothing new may be seen before a post is given up.
    pub patience: Duration,
}

/// What was seen of a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// When it was first seen in the feed that was the last to show it.
    pub last: Instant,
    /// Feeds that did not show it.
    pub missing: usize,
}

/// What whole feeds showed.
#[derive(Debug)]
pub struct Checked {
    /// How they compare to the posts that each must hold once.
    pub verdict: Verdict,
    /// How long each page took.
    pub latencies: Latencies,
}

/// Feeds that have not shown the post.
struct Waiting {
    feeds: Mutex<VecDeque<UserId>>,
    last: Mutex<Instant>,
}

impl Watcher {
    /// A token of `user`, signed now.
    pub fn token(&self, user: UserId) -> String {
        self.tokens.issue(user, Clock::System.now())
    }

    /// Looks until every reader's feed begins with `post`, or nothing new was seen for too long. Readers
    /// are looked at in their order. `progress` counts feeds.
    pub async fn until_all_show(
        &self,
        post: PostId,
        readers: &[UserId],
        progress: &ProgressBar,
    ) -> Result<Seen, ClientError> {
        let feeds = Mutex::new(readers.iter().copied().collect());
        let waiting = Waiting { feeds, last: Mutex::new(Instant::now()) };
        let lookers = (0..self.at_once.max(1)).map(|_| self.look(post, &waiting, progress));
        try_join_all(lookers).await?;
        let missing = waiting.feeds.lock().len();
        Ok(Seen { last: *waiting.last.lock(), missing })
    }

    /// One of those who look: takes the feed that is next, and puts it back when it does not show the post.
    async fn look(&self, post: PostId, waiting: &Waiting, progress: &ProgressBar) -> Result<(), ClientError> {
        while let Some(reader) = waiting.next(self.patience) {
            let page = self.first_page(reader, 1).await?.answer;
            if page.items.iter().any(|item| item.post_id == post) {
                *waiting.last.lock() = Instant::now();
                progress.inc(1);
            } else {
                waiting.feeds.lock().push_back(reader);
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        }
        Ok(())
    }

    /// Reads every reader's feed to its end and compares. `progress` counts feeds.
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
    /// The feed to look at next; `None` when there is none, or nothing new was seen for too long.
    fn next(&self, patience: Duration) -> Option<UserId> {
        if self.last.lock().elapsed() > patience {
            return None;
        }
        self.feeds.lock().pop_front()
    }
}

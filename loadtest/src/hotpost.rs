//! `loadtest hotpost`: many users like one post, as fast as their requests are answered.

use std::{
    collections::HashSet,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use domain::{PostId, UserId};
use futures::StreamExt as _;
use serde::Serialize;
use tokio::runtime;
use tracing::warn;

use crate::{
    chart::Chart,
    client::{ClientError, HttpClient},
    error::LoadtestError,
    options::HotpostOptions,
    progress,
    reactions::{Accepted, Checker, Verdict},
    report::{Latencies, P50P99Max, Report, Row, cells, rounded, write_table},
    seed::{ROWS_PER_USER, Seeder},
    service::{Changes, Service},
    target::Target,
    timeline::Timeline,
    yardstick,
};

/// Likes that one write must count, once there are that many.
const LIKES_PER_COUNT_WRITE: u64 = 20;
/// Time limit for the count after the last answer.
const PATIENCE: Duration = Duration::from_mins(2);
/// Interval at which the growing count is polled.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// The result of `loadtest hotpost`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HotpostReport {
    /// Users who like the post, each once.
    pub likers: u64,
    /// Likes that were answered 204.
    pub accepted: u64,
    /// From the first request to the last answer.
    pub seconds: f64,
    /// Accepted likes per second.
    pub likes_per_second: f64,
    /// Requests per second of the same server and client for a constant page from memory: see [`crate::yardstick`].
    pub constant_requests_per_second: f64,
    /// The ratio of [`Self::likes_per_second`] to [`Self::constant_requests_per_second`].
    pub likes_ratio: f64,
    /// `PUT /v1/posts/{id}/like`, from sending the request to its answer.
    pub like_ms: P50P99Max,
    /// The post's `likes_count` at the end.
    pub likes_count: u64,
    /// Accepted likes missing in the list of likers.
    pub lost: u64,
    /// Duplicates in the list of likers.
    pub duplicates: u64,
    /// The author's unread notifications: one per like.
    pub notified: u64,
    /// From the last answer until `likes_count` was exact; `None` (null) if it never was.
    pub exact_after_ms: Option<f64>,
    /// Attempted writes to the post's counts, including refused ones.
    pub count_writes: u64,
    /// Likes per write.
    pub likes_per_count_write: f64,
    /// Distribution of latencies, and progress.
    #[serde(skip)]
    pub charts: Vec<Chart>,
}

impl Report for HotpostReport {
    fn table(&self) -> Vec<Vec<String>> {
        cells(&self.rows())
    }

    fn charts(&self) -> &[Chart] {
        &self.charts
    }

    fn faults(&self) -> Vec<String> {
        let Self { likers, accepted, likes_count, lost, duplicates, notified, count_writes, .. } = self;
        let most_writes = accepted.div_ceil(LIKES_PER_COUNT_WRITE);
        let faults = [
            (accepted != likers, format!("{accepted} of {likers} likes were accepted")),
            (likes_count != accepted, format!("the count is {likes_count} where {accepted} likes were accepted")),
            (*lost > 0, format!("{lost} accepted likes are not in the list")),
            (*duplicates > 0, format!("{duplicates} likes are duplicated")),
            (notified != accepted, format!("{notified} notifications of {accepted} likes")),
            (
                *count_writes > most_writes,
                format!("{count_writes} writes of the count; at most {most_writes} are allowed"),
            ),
        ];
        faults.into_iter().filter(|(is_wrong, _)| *is_wrong).map(|(_, fault)| fault).collect()
    }
}

impl HotpostReport {
    fn rows(&self) -> [Row; 12] {
        let like = self.like_ms;
        let exact_after = self.exact_after_ms.map_or_else(|| "never".to_owned(), |ms| format!("{ms:.0} ms"));
        [
            ("likes", format!("{} of {}", self.accepted, self.likers), "accepted"),
            ("time", format!("{:.2} s", self.seconds), "first request to last answer"),
            ("likes a second", format!("{:.0}", self.likes_per_second), ""),
            (
                "constant answer",
                format!("{:.0}", self.constant_requests_per_second),
                "a second, same server and client",
            ),
            ("likes ratio", format!("{:.2}", self.likes_ratio), "likes relative to constant answers"),
            ("like", format!("{:.1} / {:.1} / {:.1} ms", like.p50, like.p99, like.max), "p50 / p99 / max"),
            ("count", self.likes_count.to_string(), "likes_count at the end"),
            ("exact after", exact_after, "after the last answer"),
            ("lost", self.lost.to_string(), "accepted, but not in the list of likers"),
            ("duplicates", self.duplicates.to_string(), ""),
            ("notifications", self.notified.to_string(), "unread by the author"),
            (
                "count writes",
                format!("{}, {:.1} likes each", self.count_writes, self.likes_per_count_write),
                "target: 20 likes each",
            ),
        ]
    }
}

impl fmt::Display for HotpostReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_table(f, &self.rows())
    }
}

/// Runs the scenario.
///
/// # Errors
/// Failures other than failed likes; these are in the report.
pub async fn run(options: &HotpostOptions) -> Result<HotpostReport, LoadtestError> {
    let target = Target::prepare(&options.places.stores).await?;
    target.applies_changes()?;
    let service = Service::start(&options.places, &target, Changes::Applied).await?;
    let author = UserId::random();
    let likers: Vec<UserId> = (0..options.likers).map(|_| UserId::random()).collect();
    seed(&service, author, &likers).await?;
    let post = service.client().publish(&service.token(author), "The post that everybody likes.").await?;
    service.drain().await;
    let constant = yardstick::constant(service.client(), yardstick::PAGE_BYTES).await?;

    let (writes_before, recorder) = (service.observer().count_writes(), service.record());
    let liked = like_all(&service, post, &likers, options.concurrency as usize).await?;
    let checker = Checker::new(service.client(), service.token(author));
    let exact_after = until_exact(&checker, post, liked.by.len() as u64).await?;
    // Likes still uncounted after that appear in the report.
    let _drained = tokio::time::timeout(PATIENCE, service.drain()).await;
    let timeline = recorder.finish();
    let count_writes = service.observer().count_writes() - writes_before;
    let (verdict, likes_count, notified) = final_state(&checker, post, &liked).await?;
    service.stop().await?;
    Ok(report(
        options,
        &liked,
        &Found { verdict, likes_count, notified, exact_after, count_writes, constant, timeline },
    ))
}

async fn seed(service: &Service, author: UserId, likers: &[UserId]) -> Result<(), LoadtestError> {
    let services = service.services();
    let progress = progress::bar("seeding", (likers.len() as u64 + 1) * ROWS_PER_USER);
    let seeder = Seeder::new(Arc::clone(&services.store), services.clock.now(), progress);
    seeder.users(std::iter::once(author).chain(likers.iter().copied())).await.map_err(LoadtestError::Seed)
}

/// The results of the likes.
struct Liked {
    by: HashSet<UserId>,
    latencies: Latencies,
    elapsed: Duration,
    first_error: Option<ClientError>,
}

/// Sends all likes, several concurrently, from a separate thread.
async fn like_all(
    service: &Service,
    post: PostId,
    likers: &[UserId],
    concurrency: usize,
) -> Result<Liked, LoadtestError> {
    let likers: Vec<(UserId, String)> = likers.iter().map(|liker| (*liker, service.token(*liker))).collect();
    let (client, progress) = (service.client(), progress::bar("likes", likers.len() as u64));
    let sending = move || -> std::io::Result<Liked> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(runtime.block_on(send_all(&client, post, likers, concurrency, &progress)))
    };
    let liked = tokio::task::spawn_blocking(sending).await?.map_err(LoadtestError::Client)?;
    if let Some(error) = &liked.first_error {
        warn!(%error, "A like was not accepted: {error}");
    }
    Ok(liked)
}

async fn send_all(
    client: &HttpClient,
    post: PostId,
    likers: Vec<(UserId, String)>,
    concurrency: usize,
    progress: &indicatif::ProgressBar,
) -> Liked {
    let start = Instant::now();
    let mut liked =
        Liked { by: HashSet::new(), latencies: Latencies::new(), elapsed: Duration::ZERO, first_error: None };
    let mut answers = futures::stream::iter(likers)
        .map(|(liker, token)| async move {
            let sent = Instant::now();
            (liker, client.like(&token, post).await, sent.elapsed())
        })
        .buffer_unordered(concurrency);
    while let Some((liker, outcome, latency)) = answers.next().await {
        liked.latencies.record(latency);
        match outcome {
            Ok(()) => drop(liked.by.insert(liker)),
            Err(error) => drop(liked.first_error.get_or_insert(error)),
        }
        progress.inc(1);
    }
    liked.elapsed = start.elapsed();
    liked
}

/// The time until the count equals `likes`; `None` if it never does.
async fn until_exact(checker: &Checker, post: PostId, likes: u64) -> Result<Option<Duration>, LoadtestError> {
    let _spinner = progress::spinner("waiting for the count");
    let started = Instant::now();
    while checker.counts(post).await?.likes != likes {
        if started.elapsed() > PATIENCE {
            return Ok(None);
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    Ok(Some(started.elapsed()))
}

/// Reads the final state of the post and its author.
async fn final_state(checker: &Checker, post: PostId, liked: &Liked) -> Result<(Verdict, u64, u64), LoadtestError> {
    let accepted = Accepted { likers: liked.by.clone(), comments: HashSet::new() };
    let verdict = checker.post(post, &accepted).await?;
    Ok((verdict, checker.counts(post).await?.likes, checker.unread().await?))
}

/// The state after the likes.
struct Found {
    verdict: Verdict,
    likes_count: u64,
    notified: u64,
    exact_after: Option<Duration>,
    count_writes: u64,
    constant: f64,
    timeline: Timeline,
}

#[expect(clippy::cast_precision_loss, reason = "numbers of likes")]
fn report(options: &HotpostOptions, liked: &Liked, found: &Found) -> HotpostReport {
    let accepted = liked.by.len() as u64;
    let likes_per_second = accepted as f64 / liked.elapsed.as_secs_f64();
    HotpostReport {
        likers: options.likers.into(),
        accepted,
        seconds: rounded(liked.elapsed.as_secs_f64()),
        likes_per_second: rounded(likes_per_second),
        constant_requests_per_second: found.constant,
        likes_ratio: rounded(likes_per_second / found.constant),
        like_ms: P50P99Max::from(&liked.latencies),
        likes_count: found.likes_count,
        lost: found.verdict.lost,
        duplicates: found.verdict.duplicates,
        notified: found.notified,
        exact_after_ms: found.exact_after.map(|after| rounded(after.as_secs_f64() * 1e3)),
        count_writes: found.count_writes,
        likes_per_count_write: rounded(accepted as f64 / found.count_writes.max(1) as f64),
        charts: std::iter::once(Chart::latencies("Latency", [("likes", &liked.latencies)]))
            .chain(found.timeline.charts())
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fine() -> HotpostReport {
        HotpostReport {
            likers: 1_000,
            accepted: 1_000,
            seconds: 0.5,
            likes_per_second: 2_000.0,
            constant_requests_per_second: 10_000.0,
            likes_ratio: 0.2,
            like_ms: P50P99Max { p50: 1.0, p99: 2.0, max: 3.0 },
            likes_count: 1_000,
            lost: 0,
            duplicates: 0,
            notified: 1_000,
            exact_after_ms: Some(20.0),
            count_writes: 50,
            likes_per_count_write: 20.0,
            charts: Vec::new(),
        }
    }

    #[test]
    fn every_fault_is_reported_but_slowness_is_none() {
        assert!(fine().faults().is_empty());
        assert!(HotpostReport { seconds: 1e6, exact_after_ms: Some(1e9), ..fine() }.faults().is_empty());
        let wrong = [
            HotpostReport { likers: 1_001, ..fine() },
            HotpostReport { likes_count: 999, ..fine() },
            HotpostReport { lost: 1, ..fine() },
            HotpostReport { duplicates: 1, ..fine() },
            HotpostReport { notified: 999, ..fine() },
            HotpostReport { count_writes: 51, ..fine() },
        ];
        assert!(wrong.iter().all(|report| report.faults().len() == 1), "{wrong:?}");
    }

    #[test]
    fn the_last_likes_may_need_another_write() {
        let few = HotpostReport { likers: 21, accepted: 21, likes_count: 21, notified: 21, ..fine() };
        assert!(HotpostReport { count_writes: 2, ..few.clone() }.faults().is_empty());
        assert_eq!(HotpostReport { count_writes: 3, ..few }.faults().len(), 1);
    }
}

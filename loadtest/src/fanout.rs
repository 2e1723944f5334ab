//! `loadtest fanout`: one author, many followers, post after post. Measures only the fan-out, without the counts and
//! notifications that posts and follows cause.

use std::{
    borrow::Cow,
    sync::Arc,
    time::{Duration, Instant},
};

use domain::{PostId, UserId};
use indicatif::ProgressBar;

use crate::{
    chart::Chart,
    client::{FeedPage, HttpClient},
    error::{FeedDiffers, LoadtestError},
    memory::PeakMemory,
    observe::Observer,
    options::FanoutOptions,
    progress,
    report::{FanoutReport, Latencies, P50P99, rounded},
    seed::{ROWS_PER_EDGE, ROWS_PER_USER, Seeder},
    service::{Changes, Service},
    target::Target,
    timeline::Timeline,
    verify::{Verdict, check_feeds},
    yardstick,
};

/// Feeds that are also read through HTTP.
const HTTP_READERS: usize = 100;
/// Reads of each: 1,000 reads give a 99th percentile that ten of them exceed.
const READS_EACH: usize = 10;
/// Page size.
const PAGE: u32 = 20;
/// Time without progress after which a fan-out is given up and missing entries are counted.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Runs the scenario.
///
/// # Errors
/// Failures other than missing or duplicate entries; these are in the report.
pub async fn run(options: &FanoutOptions) -> Result<FanoutReport, LoadtestError> {
    let followers = Arc::new(new_followers(options.followers));
    let target = Target::prepare(&options.places.stores).await?;
    let baseline_before = target.baseline(&followers, options.posts).await?;
    let service = Service::start(&options.places, &target, Changes::LeftOut).await?;
    let (author, seed_time) = (UserId::random(), Instant::now());
    seed(&service, author, &followers).await?;
    let seed_seconds = seed_time.elapsed().as_secs_f64();

    let (memory, recorder) = (PeakMemory::from_now(), service.record());
    let posts = publish_all(&service, author, options).await?;
    // Never finishes if an entry is lost; the check below counts it.
    let _drained = tokio::time::timeout(PATIENCE, service.drain()).await;
    let timings = Timings::of(&posts, service.observer());
    let posts: Vec<PostId> = posts.iter().map(|post| post.id).collect();
    let (feed_reads, differing) = read_through_http(&service, &followers, &posts).await?;
    let (timeline, peak_rss_mb) = (recorder.finish(), memory.megabytes());
    let constant_requests_per_second = yardstick::constant(service.client(), yardstick::PAGE_BYTES).await?;

    let verdict = check(&service, &followers, &posts).await?;
    if let (Some(difference), Verdict { missing: 0, duplicates: 0, .. }) = (differing, verdict) {
        return Err(difference.into());
    }
    let jobs = service.observer().jobs();
    service.stop().await?;
    let baseline_after = target.baseline(&followers, options.posts).await?;
    let baseline = baseline_before.max(baseline_after);
    let entries_expected = options.followers * options.posts;
    let entries_per_second = timings.entries_per_second(entries_expected);
    Ok(FanoutReport {
        followers: options.followers,
        posts: options.posts,
        fanout_ms: (&timings.fanout).into(),
        entries_expected,
        entries_found: verdict.found,
        duplicates: verdict.duplicates,
        jobs_sent: jobs.sent,
        jobs_received: jobs.received,
        jobs_deleted: jobs.deleted,
        entries_per_second: rounded(entries_per_second),
        floor_entries_per_second: rounded(baseline),
        baseline_is: target.baseline_is(),
        floor_ratio: rounded(entries_per_second / baseline),
        constant_requests_per_second,
        feed_read_ms: P50P99::from(&feed_reads),
        seed_seconds: rounded(seed_seconds),
        peak_rss_mb: peak_rss_mb.map(rounded),
        charts: charts(&timings.fanout, &feed_reads, &timeline),
    })
}

fn charts(fanout: &Latencies, reads: &Latencies, timeline: &Timeline) -> Vec<Chart> {
    let latencies = Chart::latencies("Latency", [("fan-out", fanout), ("feed read", reads)]);
    std::iter::once(latencies).chain(timeline.charts()).collect()
}

/// New ids in ascending order, in which a fan-out reads them.
pub(crate) fn new_followers(count: u64) -> Vec<UserId> {
    let mut followers: Vec<UserId> = (0..count).map(|_| UserId::random()).collect();
    followers.sort_unstable();
    followers
}

async fn seed(service: &Service, author: UserId, followers: &[UserId]) -> Result<(), LoadtestError> {
    let rows = (ROWS_PER_USER + ROWS_PER_EDGE) * followers.len() as u64 + ROWS_PER_USER;
    let services = service.services();
    let seeder = Seeder::new(Arc::clone(&services.store), services.clock.now(), progress::bar("seeding", rows));
    let users = std::iter::once(author).chain(followers.iter().copied());
    seeder.users(users).await.map_err(LoadtestError::Seed)?;
    seeder.edges(followers.iter().map(|follower| (*follower, author))).await.map_err(LoadtestError::Seed)
}

/// A post that was answered 201.
#[derive(Debug, Clone, Copy)]
struct Published {
    id: PostId,
    sent: Instant,
    answered: Instant,
}

async fn publish_all(
    service: &Service,
    author: UserId,
    options: &FanoutOptions,
) -> Result<Vec<Published>, LoadtestError> {
    let (client, token) = (service.client(), service.token(author));
    let progress = progress::bar("posting", options.posts);
    let mut posts = Vec::new();
    for number in 1..=options.posts {
        let sent = Instant::now();
        let id = client.publish(&token, &format!("Post {number} of {} for everybody", options.posts)).await?;
        posts.push(Published { id, sent, answered: Instant::now() });
        if !arrives(service.observer(), id, options.followers).await {
            // The final check counts missing entries.
            break;
        }
        progress.inc(1);
    }
    Ok(posts)
}

/// Waits for a post's last entry. False if none arrived for [`PATIENCE`].
async fn arrives(observer: &Observer, post: PostId, entries: u64) -> bool {
    loop {
        let (before, _) = observer.committed(post);
        if tokio::time::timeout(PATIENCE, observer.reached(post, entries)).await.is_ok() {
            return true;
        }
        if observer.committed(post).0 == before {
            return false;
        }
    }
}

/// Durations of the fan-outs.
struct Timings {
    /// From each 201 to the last entry.
    fanout: Latencies,
    /// The sum of the times from each request to the last entry.
    sum: Duration,
}

impl Timings {
    fn of(posts: &[Published], observer: &Observer) -> Self {
        let mut timings = Self { fanout: Latencies::new(), sum: Duration::ZERO };
        for post in posts {
            let last = observer.committed(post.id).1.unwrap_or(post.answered);
            timings.fanout.record(last.saturating_duration_since(post.answered));
            timings.sum += last.max(post.answered) - post.sent;
        }
        timings
    }

    #[expect(clippy::cast_precision_loss, reason = "numbers of entries")]
    fn entries_per_second(&self, entries: u64) -> f64 {
        entries as f64 / self.sum.as_secs_f64()
    }
}

/// Reads the feeds of evenly picked followers, sequentially. The first read goes to the end and is compared with the
/// posts; the first page of each read is timed.
async fn read_through_http(
    service: &Service,
    followers: &[UserId],
    posts: &[PostId],
) -> Result<(Latencies, Option<FeedDiffers>), LoadtestError> {
    let client = service.client();
    let readers: Vec<String> = evenly_picked(followers, HTTP_READERS).map(|reader| service.token(*reader)).collect();
    let progress = progress::bar("reading by HTTP", (readers.len() * READS_EACH) as u64);
    let (mut latencies, mut differing) = (Latencies::new(), None);
    for round in 0..READS_EACH {
        for token in &readers {
            let started = Instant::now();
            let first_page = client.feed(token, PAGE, None).await?;
            latencies.record(started.elapsed());
            if round == 0 {
                let shown = whole_feed(&client, token, FeedPage::decode(&first_page)?).await?;
                differing = differing.or(FeedDiffers::between(&shown, posts));
            }
            progress.inc(1);
        }
    }
    Ok((latencies, differing))
}

fn evenly_picked<T>(all: &[T], count: usize) -> impl Iterator<Item = &T> {
    let picked = count.min(all.len());
    (0..picked).map(move |place| &all[place * all.len() / picked])
}

/// Reads a whole feed, given its first page.
async fn whole_feed(client: &HttpClient, token: &str, first_page: FeedPage) -> Result<Vec<PostId>, LoadtestError> {
    let mut page = first_page;
    let mut shown: Vec<PostId> = Vec::new();
    loop {
        shown.extend(page.items.iter().map(|post| post.post_id));
        let Some(cursor) = page.next_cursor else { return Ok(shown) };
        page = FeedPage::decode(&client.feed(token, PAGE, Some(&cursor)).await?)?;
    }
}

async fn check(service: &Service, followers: &[UserId], posts: &[PostId]) -> Result<Verdict, LoadtestError> {
    let progress: ProgressBar = progress::bar("checking feeds", followers.len() as u64);
    let expected = followers.iter().map(|follower| (*follower, Cow::Borrowed(posts)));
    let store = Arc::clone(&service.services().store);
    check_feeds(store, expected, &progress).await.map_err(LoadtestError::Read)
}

#[cfg(test)]
mod tests {
    use domain::Clock;

    use super::*;

    #[test]
    fn missing_or_repeated_posts_make_a_difference() {
        let ids = domain::IdGenerator::new();
        let (first, second) = (ids.next_post_id(Clock::System.now()), ids.next_post_id(Clock::System.now()));
        assert!(FeedDiffers::between(&[second, first], &[first, second]).is_none());
        assert_eq!(FeedDiffers::between(&[second], &[first, second]).map(|it| it.times), Some(0));
        assert_eq!(FeedDiffers::between(&[first, first], &[first]).map(|it| it.times), Some(2));
    }

    #[test]
    fn readers_are_picked_evenly() {
        let all: Vec<usize> = (0..1_000).collect();
        let picked: Vec<usize> = evenly_picked(&all, 4).copied().collect();
        assert_eq!(picked, [0, 250, 500, 750]);
        assert_eq!(evenly_picked(&all[..3], 100).count(), 3);
        assert_eq!(evenly_picked(&all[..0], 100).count(), 0);
    }
}

//! `loadtest soak`: sustained fan-out with some reads, to show the cost of compaction over time.
//!
//! The loop is closed: a fixed number of posts are on their way to 200 followers each, and the next one is sent when one
//! has arrived. So the service is saturated, and its rate over time is the result.

use std::{
    fmt,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use domain::UserId;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::index};
use serde::Serialize;
use tokio::task::JoinSet;
use tracing::warn;

use crate::{
    baseline,
    chart::{Chart, Series},
    client::{ClientError, HttpClient},
    disk,
    error::LoadtestError,
    fanout::PATIENCE,
    memory::PeakMemory,
    observe::Observer,
    options::SoakOptions,
    progress,
    report::{Latencies, P50P99P999, Report, Row, cells, memory, rounded, three, write_table},
    seed::{ROWS_PER_EDGE, ROWS_PER_USER, Seeder},
    service::{Changes, Service},
    target::Target,
    timeline::Timeline,
    yardstick,
};

/// Followers per author, or all readers if they are fewer.
const FOLLOWERS: usize = 200;
/// One request in this many is a read.
const READ_EVERY: u64 = 10;
/// Page size.
const PAGE: u32 = 20;
/// The part of the run at its beginning and end that is compared, or half of a shorter run.
const WINDOW: Duration = Duration::from_mins(1);
/// Seconds per point of the chart of read latencies: enough reads for a 99th percentile.
const CHART_SECONDS: u64 = 10;
const SEED: u64 = 0x736f_616b;
const POST_TEXT: &str = "A post of a soak test, about as long as what people write on an ordinary day.";

/// The result of `loadtest soak`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SoakReport {
    /// Duration of the load.
    pub seconds: f64,
    /// Posts that reached all their followers.
    pub posts: u64,
    /// Posts that did not reach all their followers within a minute.
    pub lost: u64,
    /// Failed requests.
    pub errors: u64,
    /// Feed entries of followers.
    pub deliveries: u64,
    /// Deliveries per second over the whole run.
    pub deliveries_per_second: f64,
    /// Deliveries per second in the first minute.
    pub first_minute_per_second: f64,
    /// Deliveries per second in the last minute.
    pub last_minute_per_second: f64,
    /// The ratio of the last minute to the first.
    pub last_to_first: f64,
    /// `GET /v1/feed`, from sending the request to the end of its answer.
    pub read_ms: P50P99P999,
    /// The same in the first minute.
    pub first_minute_read_ms: P50P99P999,
    /// The same in the last minute.
    pub last_minute_read_ms: P50P99P999,
    /// Size of the data directory at the end; `None` (null) on AWS.
    pub disk_bytes: Option<u64>,
    /// [`Self::disk_bytes`] per delivered entry.
    pub disk_bytes_per_entry: Option<f64>,
    /// Size of an entry's key and value before compression.
    pub entry_bytes: usize,
    /// Bytes that the process had written to storage during the load; `None` (null) if the system does not count them.
    pub written_bytes: Option<u64>,
    /// [`Self::written_bytes`] relative to the keys and values of the delivered entries. Posts, queue messages and the
    /// journal count as amplification.
    pub write_amplification: Option<f64>,
    /// As in [`crate::report::FanoutReport::peak_rss_mb`].
    pub peak_rss_mb: Option<f64>,
    /// Distributions and progress.
    #[serde(skip)]
    pub charts: Vec<Chart>,
}

impl SoakReport {
    fn rows(&self) -> [Row; 13] {
        let unknown = || "unknown".to_owned();
        let bytes = |bytes: Option<u64>| bytes.map_or_else(unknown, |bytes| format!("{} MB", bytes / 1_000_000));
        let number = |number: Option<f64>| number.map_or_else(unknown, |number| format!("{number:.1}"));
        [
            ("time", format!("{:.0} s", self.seconds), ""),
            ("posts", self.posts.to_string(), "that reached all followers"),
            ("lost", self.lost.to_string(), "posts that did not reach all followers"),
            ("errors", self.errors.to_string(), ""),
            ("deliveries", format!("{:.0}", self.deliveries_per_second), "a second"),
            (
                "first, last minute",
                format!("{:.0} / {:.0}", self.first_minute_per_second, self.last_minute_per_second),
                "deliveries a second",
            ),
            (
                "last to first",
                format!("{:.2}", self.last_to_first),
                "deliveries in the last minute relative to the first",
            ),
            ("read", three(self.read_ms), "p50 / p99 / p99.9"),
            (
                "first, last minute",
                format!("{:.1} / {:.1} ms", self.first_minute_read_ms.p99, self.last_minute_read_ms.p99),
                "read p99",
            ),
            ("disk", bytes(self.disk_bytes), "size of the data directory at the end"),
            ("bytes per entry", number(self.disk_bytes_per_entry), "on disk"),
            (
                "write amplification",
                number(self.write_amplification),
                "written relative to the entries' keys and values",
            ),
            ("peak memory", memory(self.peak_rss_mb), "resident, after seeding, client included"),
        ]
    }
}

impl fmt::Display for SoakReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_table(f, &self.rows())
    }
}

impl Report for SoakReport {
    fn table(&self) -> Vec<Vec<String>> {
        cells(&self.rows())
    }

    fn charts(&self) -> &[Chart] {
        &self.charts
    }

    fn faults(&self) -> Vec<String> {
        let faults = [
            (self.lost > 0, format!("{} posts did not reach all followers", self.lost)),
            (self.errors > 0, format!("{} requests failed", self.errors)),
        ];
        faults.into_iter().filter(|(is_wrong, _)| *is_wrong).map(|(_, fault)| fault).collect()
    }
}

/// Runs the scenario.
///
/// # Errors
/// Failures other than failed requests and lost posts; these are in the report.
pub async fn run(options: &SoakOptions) -> Result<SoakReport, LoadtestError> {
    let target = Target::prepare(&options.places.stores).await?;
    let service = Service::start(&options.places, &target, Changes::Applied).await?;
    let people = Arc::new(People::new(options));
    people.seed(&service).await?;
    let load = Load::new(&service, people, options);
    let (memory, recorder, written) = (PeakMemory::from_now(), service.record(), disk::written());
    let sent = load.send(options.concurrency).await?;
    let timeline = recorder.finish();
    let _drained = tokio::time::timeout(PATIENCE, service.drain()).await;
    let cost = Cost::since(written, &service, options)?;
    let peak_rss_mb = memory.megabytes();
    service.stop().await?;
    Ok(report(&sent, &timeline, &cost, peak_rss_mb))
}

/// The authors, their followers, and who follows whom.
struct People {
    authors: Vec<UserId>,
    readers: Vec<UserId>,
    /// For each author, the indexes of their followers.
    followers: Vec<Vec<usize>>,
}

impl People {
    /// The same options give the same edges.
    fn new(options: &SoakOptions) -> Self {
        let mut rng = StdRng::seed_from_u64(SEED);
        let readers = options.readers as usize;
        let few = FOLLOWERS.min(readers);
        Self {
            authors: (0..options.authors).map(|_| UserId::random()).collect(),
            readers: (0..readers).map(|_| UserId::random()).collect(),
            followers: (0..options.authors).map(|_| index::sample(&mut rng, readers, few).into_vec()).collect(),
        }
    }

    async fn seed(&self, service: &Service) -> Result<(), LoadtestError> {
        let (users, edges) =
            (self.authors.len() + self.readers.len(), self.followers.iter().map(Vec::len).sum::<usize>());
        let rows = users as u64 * ROWS_PER_USER + edges as u64 * ROWS_PER_EDGE;
        let services = service.services();
        let seeder = Seeder::new(Arc::clone(&services.store), services.clock.now(), progress::bar("seeding", rows));
        seeder.users(self.authors.iter().chain(&self.readers).copied()).await.map_err(LoadtestError::Seed)?;
        let edges = self
            .authors
            .iter()
            .zip(&self.followers)
            .flat_map(|(author, followers)| followers.iter().map(|follower| (self.readers[*follower], *author)));
        seeder.edges(edges).await.map_err(LoadtestError::Seed)?;
        let _spinner = progress::spinner("counting seeded edges");
        service.drain().await;
        Ok(())
    }
}

/// A load, shared by the loops that send it.
struct Load {
    client: HttpClient,
    observer: Arc<Observer>,
    people: Arc<People>,
    author_tokens: Vec<String>,
    reader_tokens: Vec<String>,
    seconds: Duration,
    started: Instant,
}

/// The results of the loops.
#[derive(Default)]
struct Sent {
    posts: u64,
    deliveries: u64,
    lost: u64,
    errors: u64,
    first_error: Option<ClientError>,
    /// The time since the start and the latency of each read.
    reads: Vec<(Duration, Duration)>,
    elapsed: Duration,
}

impl Load {
    fn new(service: &Service, people: Arc<People>, options: &SoakOptions) -> Arc<Self> {
        let tokens = |users: &[UserId]| users.iter().map(|user| service.token(*user)).collect();
        Arc::new(Self {
            client: service.client(),
            observer: Arc::clone(service.observer()),
            author_tokens: tokens(&people.authors),
            reader_tokens: tokens(&people.readers),
            people,
            seconds: Duration::from_secs(options.seconds.into()),
            started: Instant::now(),
        })
    }

    /// Runs the loops in a thread of their own.
    async fn send(self: &Arc<Self>, loops: u32) -> Result<Sent, LoadtestError> {
        let load = Arc::clone(self);
        let sending = move || yardstick::on_client_runtime(load.run_loops(loops));
        let sent = tokio::task::spawn_blocking(sending).await?.map_err(LoadtestError::Client)?;
        if let Some(error) = &sent.first_error {
            warn!(errors = sent.errors, %error, "{} requests failed; the first: {error}", sent.errors);
        }
        Ok(sent)
    }

    async fn run_loops(self: Arc<Self>, loops: u32) -> Sent {
        let progress = progress::bar("seconds", self.seconds.as_secs());
        let mut running: JoinSet<Sent> = (0..loops)
            .map(|number| {
                let load = Arc::clone(&self);
                async move { load.run_loop(number.into()).await }
            })
            .collect();
        let mut sum = Sent::default();
        loop {
            tokio::select! {
                ended = running.join_next() => match ended {
                    Some(sent) => sum.add(sent.expect("a loop of requests does not panic")),
                    None => break,
                },
                () = tokio::time::sleep(Duration::from_secs(1)) => progress.set_position(self.started.elapsed().as_secs()),
            }
        }
        sum.elapsed = self.started.elapsed();
        sum
    }

    async fn run_loop(&self, number: u64) -> Sent {
        let mut rng = StdRng::seed_from_u64(SEED ^ (number + 1));
        let mut sent = Sent::default();
        let mut turn = number;
        while self.started.elapsed() < self.seconds {
            let outcome = if turn.is_multiple_of(READ_EVERY) {
                self.read(rng.random_range(0..self.people.readers.len()), &mut sent).await
            } else {
                self.publish(rng.random_range(0..self.people.authors.len()), &mut sent).await
            };
            turn += 1;
            if let Err(error) = outcome {
                sent.errors += 1;
                sent.first_error.get_or_insert(error);
            }
        }
        sent
    }

    async fn read(&self, reader: usize, sent: &mut Sent) -> Result<(), ClientError> {
        let started = Instant::now();
        self.client.feed(&self.reader_tokens[reader], PAGE, None).await?;
        sent.reads.push((self.started.elapsed(), started.elapsed()));
        Ok(())
    }

    /// Publishes a post and waits until it has reached its followers.
    async fn publish(&self, author: usize, sent: &mut Sent) -> Result<(), ClientError> {
        let followers = self.people.followers[author].len() as u64;
        let post = self.client.publish(&self.author_tokens[author], POST_TEXT).await?;
        let reached = tokio::time::timeout(PATIENCE, self.observer.reached(post, followers)).await.is_ok();
        self.observer.forget(post);
        if reached {
            sent.posts += 1;
            sent.deliveries += followers;
        } else {
            sent.lost += 1;
        }
        Ok(())
    }
}

impl Sent {
    fn add(&mut self, other: Self) {
        self.posts += other.posts;
        self.deliveries += other.deliveries;
        self.lost += other.lost;
        self.errors += other.errors;
        self.first_error = self.first_error.take().or(other.first_error);
        self.reads.extend(other.reads);
    }

    fn reads_between(&self, from: Duration, to: Duration) -> Latencies {
        let mut latencies = Latencies::new();
        self.reads.iter().filter(|(at, _)| (from..to).contains(at)).for_each(|(_, latency)| latencies.record(*latency));
        latencies
    }

    /// The 99th percentile in each part of [`CHART_SECONDS`].
    #[expect(clippy::cast_precision_loss, reason = "seconds of a run")]
    fn read_p99s(&self) -> Vec<(f64, f64)> {
        let starts = (0..=self.elapsed.as_secs()).step_by(usize::try_from(CHART_SECONDS).unwrap_or(usize::MAX));
        let p99 = |from| {
            let part = self.reads_between(Duration::from_secs(from), Duration::from_secs(from + CHART_SECONDS));
            (part.count() > 0).then(|| (from as f64, part.quantile_ms(0.99)))
        };
        starts.filter_map(p99).collect()
    }
}

/// The disk use of the load.
struct Cost {
    disk_bytes: Option<u64>,
    written_bytes: Option<u64>,
}

impl Cost {
    fn since(written: Option<u64>, service: &Service, options: &SoakOptions) -> Result<Self, LoadtestError> {
        let now = disk::written();
        let of =
            |path: &Path| disk::size_of(path).map_err(|error| LoadtestError::File { path: path.to_owned(), error });
        let directory = service.data_dir().filter(|_| options.places.stores.is_embedded());
        Ok(Self {
            disk_bytes: directory.map(of).transpose()?,
            written_bytes: now.zip(written).map(|(now, before)| now.saturating_sub(before)),
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "numbers of entries and bytes")]
fn report(sent: &Sent, timeline: &Timeline, cost: &Cost, peak_rss_mb: Option<f64>) -> SoakReport {
    let (elapsed, entry_bytes) = (sent.elapsed, baseline::entry_bytes());
    let window = WINDOW.min(elapsed / 2);
    let (first, last) = ((Duration::ZERO, window), (elapsed.saturating_sub(window), elapsed));
    let [first_rate, last_rate] = [first, last].map(|(from, to)| timeline.entries_per_second(from, to));
    let read = |(from, to)| P50P99P999::from(&sent.reads_between(from, to));
    let per_entry = |bytes: u64| bytes as f64 / sent.deliveries.max(1) as f64;
    let all = sent.reads_between(Duration::ZERO, Duration::MAX);
    let p99s = [Series { name: "read p99", points: sent.read_p99s() }];
    let charts = [
        Chart::latencies("Read latency", [("reads", &all)]),
        Chart::over_time("Read latency over time", "p99, ms", p99s),
    ];
    SoakReport {
        seconds: rounded(elapsed.as_secs_f64()),
        posts: sent.posts,
        lost: sent.lost,
        errors: sent.errors,
        deliveries: sent.deliveries,
        deliveries_per_second: rounded(sent.deliveries as f64 / elapsed.as_secs_f64()),
        first_minute_per_second: rounded(first_rate),
        last_minute_per_second: rounded(last_rate),
        last_to_first: if first_rate > 0.0 { rounded(last_rate / first_rate) } else { 0.0 },
        read_ms: P50P99P999::from(&all),
        first_minute_read_ms: read(first),
        last_minute_read_ms: read(last),
        disk_bytes: cost.disk_bytes,
        disk_bytes_per_entry: cost.disk_bytes.map(|bytes| rounded(per_entry(bytes))),
        entry_bytes,
        written_bytes: cost.written_bytes,
        write_amplification: cost.written_bytes.map(|bytes| rounded(per_entry(bytes) / entry_bytes as f64)),
        peak_rss_mb: peak_rss_mb.map(rounded),
        charts: charts.into_iter().chain(timeline.charts()).collect(),
    }
}

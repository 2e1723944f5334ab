//! `loadtest fairness`: how long a post to 100 followers takes while a fan-out to a million runs, compared to an idle
//! service.
//!
//! Rounds alternate between the two, so that the machine's changes affect both. Measures only deliveries, without the
//! counts and notifications that posts and follows cause.

use std::{
    borrow::Cow,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use domain::{PostId, UserId};
use serde::Serialize;
use tokio::{
    task::JoinSet,
    time::{self, MissedTickBehavior},
};

use crate::{
    chart::Chart,
    client::{ClientError, HttpClient},
    error::LoadtestError,
    fanout::{self, PATIENCE},
    memory::PeakMemory,
    observe::Observer,
    options::FairnessOptions,
    progress,
    report::{Latencies, P50P99Max, Report, Row, cells, incomplete, memory, rounded, write_table},
    seed::{ROWS_PER_EDGE, ROWS_PER_USER, Seeder},
    service::{Changes, Service},
    target::Target,
    timeline::Timeline,
    verify::{Verdict, check_feeds},
    yardstick,
};

/// Followers of the author whose deliveries are measured.
const FEW: u64 = 100;

/// The result of `loadtest fairness`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FairnessReport {
    /// Followers of the famous author.
    pub followers: u64,
    /// Fan-outs to them.
    pub rounds: u32,
    /// Posts to [`FEW`] followers on an idle service.
    pub idle_posts: u64,
    /// Posts to [`FEW`] followers that were sent during a fan-out.
    pub busy_posts: u64,
    /// On an idle service: from the intended start of the request to the last follower's entry.
    pub idle_ms: P50P99Max,
    /// The same during a fan-out.
    pub busy_ms: P50P99Max,
    /// The ratio of the 99th percentiles, during a fan-out to idle.
    pub p99_ratio: f64,
    /// The fan-outs, from the answer to the post to the last follower's entry.
    pub fanout_ms: P50P99Max,
    /// Entries of answered posts missing in followers' feeds.
    pub lost: u64,
    /// Duplicate entries in followers' feeds.
    pub duplicates: u64,
    /// As in [`crate::report::FanoutReport::peak_rss_mb`].
    pub peak_rss_mb: Option<f64>,
    /// Distributions and progress.
    #[serde(skip)]
    pub charts: Vec<Chart>,
}

impl FairnessReport {
    fn rows(&self) -> [Row; 9] {
        let three = |ms: P50P99Max| format!("{:.1} / {:.1} / {:.1} ms", ms.p50, ms.p99, ms.max);
        [
            ("followers", self.followers.to_string(), "of the famous author"),
            (
                "posts",
                format!("{} / {}", self.idle_posts, self.busy_posts),
                "to 100 followers: idle / during a fan-out",
            ),
            ("idle", three(self.idle_ms), "p50 / p99 / max, from the intended start to the last follower"),
            ("during a fan-out", three(self.busy_ms), "the same, sent while a fan-out ran"),
            ("p99 ratio", format!("{:.2}", self.p99_ratio), "during a fan-out relative to idle"),
            ("fan-out", three(self.fanout_ms), "p50 / p99 / max, 201 to last entry"),
            ("lost", self.lost.to_string(), ""),
            ("duplicates", self.duplicates.to_string(), ""),
            ("peak memory", memory(self.peak_rss_mb), "resident, after seeding, client included"),
        ]
    }
}

impl fmt::Display for FairnessReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_table(f, &self.rows())
    }
}

impl Report for FairnessReport {
    fn table(&self) -> Vec<Vec<String>> {
        cells(&self.rows())
    }

    fn charts(&self) -> &[Chart] {
        &self.charts
    }

    fn faults(&self) -> Vec<String> {
        incomplete(self.lost == 0 && self.duplicates == 0)
    }
}

/// Runs the scenario.
///
/// # Errors
/// Failures other than missing or duplicate entries; these are in the report.
pub async fn run(options: &FairnessOptions) -> Result<FairnessReport, LoadtestError> {
    let target = Target::prepare(&options.places.stores).await?;
    let service = Service::start(&options.places, &target, Changes::LeftOut).await?;
    let people = People::new(options.followers);
    people.seed(&service).await?;
    let (memory, recorder) = (PeakMemory::from_now(), service.record());
    let mut measured = Measured::default();
    let progress = progress::bar("rounds", options.rounds.into());
    for _ in 0..options.rounds {
        measured.round(&service, &people, options).await?;
        progress.inc(1);
    }
    let (timeline, peak_rss_mb) = (recorder.finish(), memory.megabytes());
    let verdict = people.check(&service, &measured).await?;
    service.stop().await?;
    Ok(measured.report(options, verdict, peak_rss_mb, &timeline))
}

/// Two authors and their followers.
struct People {
    famous: UserId,
    many: Vec<UserId>,
    author: UserId,
    few: Vec<UserId>,
}

impl People {
    fn new(followers: u64) -> Self {
        let (many, few) = (fanout::new_followers(followers), fanout::new_followers(FEW));
        Self { famous: UserId::random(), many, author: UserId::random(), few }
    }

    async fn seed(&self, service: &Service) -> Result<(), LoadtestError> {
        let followers = (self.many.len() + self.few.len()) as u64;
        let rows = followers * (ROWS_PER_USER + ROWS_PER_EDGE) + 2 * ROWS_PER_USER;
        let services = service.services();
        let seeder = Seeder::new(Arc::clone(&services.store), services.clock.now(), progress::bar("seeding", rows));
        let users = self.many.iter().chain(&self.few).copied().chain([self.famous, self.author]);
        seeder.users(users).await.map_err(LoadtestError::Seed)?;
        let of_famous = self.many.iter().map(|follower| (*follower, self.famous));
        let of_author = self.few.iter().map(|follower| (*follower, self.author));
        seeder.edges(of_famous.chain(of_author)).await.map_err(LoadtestError::Seed)
    }

    async fn check(&self, service: &Service, measured: &Measured) -> Result<Verdict, LoadtestError> {
        let progress = progress::bar("checking feeds", (self.many.len() + self.few.len()) as u64);
        let of_famous = self.many.iter().map(|reader| (*reader, Cow::Borrowed(measured.famous_posts.as_slice())));
        let of_author = self.few.iter().map(|reader| (*reader, Cow::Borrowed(measured.posts.as_slice())));
        let store = Arc::clone(&service.services().store);
        check_feeds(store, of_famous.chain(of_author), &progress).await.map_err(LoadtestError::Read)
    }
}

/// The measurements of all rounds.
#[derive(Default)]
struct Measured {
    famous_posts: Vec<PostId>,
    posts: Vec<PostId>,
    idle: Latencies,
    busy: Latencies,
    fanout: Latencies,
}

impl Measured {
    /// Posts at the same rate, first on an idle service, then during a fan-out.
    async fn round(
        &mut self,
        service: &Service,
        people: &People,
        options: &FairnessOptions,
    ) -> Result<(), LoadtestError> {
        let sender = || Sender {
            client: service.client(),
            token: service.token(people.author),
            every: Duration::from_secs(1) / options.rate,
        };
        let idle_posts = options.idle_posts as usize;
        let idle = send(sender(), move |sent| sent < idle_posts).await?;
        drained(service).await;
        self.take(service.observer(), &idle, |_| true, |measured| &mut measured.idle);

        let famous = service.client().publish(&service.token(people.famous), "A post for everybody").await?;
        let (answered, observer) = (Instant::now(), Arc::clone(service.observer()));
        let followers = options.followers;
        let busy =
            send(sender(), move |_| answered.elapsed() < PATIENCE && observer.committed(famous).0 < followers).await?;
        drained(service).await;
        self.famous_posts.push(famous);
        let last = service.observer().committed(famous).1.unwrap_or(answered);
        self.fanout.record(last.saturating_duration_since(answered));
        self.take(service.observer(), &busy, |intended| intended < last, |measured| &mut measured.busy);
        Ok(())
    }

    /// Records the deliveries of the posts that were sent at the right time.
    fn take(
        &mut self,
        observer: &Observer,
        sent: &[Sent],
        counts: impl Fn(Instant) -> bool,
        of: fn(&mut Self) -> &mut Latencies,
    ) {
        for Sent { post, intended } in sent {
            self.posts.push(*post);
            if let ((_, Some(last)), true) = (observer.committed(*post), counts(*intended)) {
                of(self).record(last.saturating_duration_since(*intended));
            }
        }
    }

    fn report(
        &self,
        options: &FairnessOptions,
        verdict: Verdict,
        peak_rss_mb: Option<f64>,
        timeline: &Timeline,
    ) -> FairnessReport {
        let (idle_ms, busy_ms) = (P50P99Max::from(&self.idle), P50P99Max::from(&self.busy));
        let series = [("idle", &self.idle), ("during a fan-out", &self.busy)];
        let latencies = Chart::latencies("Delivery to 100 followers", series);
        FairnessReport {
            followers: options.followers,
            rounds: options.rounds,
            idle_posts: self.idle.count(),
            busy_posts: self.busy.count(),
            idle_ms,
            busy_ms,
            p99_ratio: if idle_ms.p99 > 0.0 { rounded(busy_ms.p99 / idle_ms.p99) } else { 0.0 },
            fanout_ms: P50P99Max::from(&self.fanout),
            lost: verdict.missing,
            duplicates: verdict.duplicates,
            peak_rss_mb: peak_rss_mb.map(rounded),
            charts: std::iter::once(latencies).chain(timeline.charts()).collect(),
        }
    }
}

/// Waits until no work is in progress. Gives up if a message is lost; the check counts what is missing.
async fn drained(service: &Service) {
    let _drained = time::timeout(PATIENCE, service.drain()).await;
}

/// A post that was answered 201.
#[derive(Debug, Clone, Copy)]
struct Sent {
    post: PostId,
    intended: Instant,
}

/// Publishes posts of one author.
struct Sender {
    client: HttpClient,
    token: String,
    every: Duration,
}

/// Sends posts at even intervals, regardless of earlier ones, while `goes_on` holds for the number of posts sent, from a
/// thread of its own.
async fn send(sender: Sender, goes_on: impl Fn(usize) -> bool + Send + 'static) -> Result<Vec<Sent>, LoadtestError> {
    let sending = move || yardstick::on_client_runtime(sender.send_while(goes_on));
    Ok(tokio::task::spawn_blocking(sending).await?.map_err(LoadtestError::Client)??)
}

impl Sender {
    async fn send_while(self, goes_on: impl Fn(usize) -> bool) -> Result<Vec<Sent>, ClientError> {
        let (mut ticks, mut requests) = (time::interval(self.every), JoinSet::new());
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut sent = 0;
        while goes_on(sent) {
            let intended = ticks.tick().await.into_std();
            let (client, token) = (self.client.clone(), self.token.clone());
            requests.spawn(async move {
                let post = client.publish(&token, "A post for a hundred followers").await?;
                Ok(Sent { post, intended })
            });
            sent += 1;
        }
        requests.join_all().await.into_iter().collect()
    }
}

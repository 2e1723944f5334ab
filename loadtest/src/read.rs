//! `loadtest read`: feed pages per second at saturation, with the client in a process of its own, compared to constant
//! answers of the same size by the same server.

use std::{fmt, sync::Arc, time::Duration};

use domain::UserId;
use futures::{StreamExt as _, TryStreamExt as _};
use serde::Serialize;

use crate::{
    chart::{Chart, Series},
    client::FeedPage,
    client_process::{self, Requested, Slice, Work},
    error::LoadtestError,
    memory::PeakMemory,
    options::ReadOptions,
    progress,
    report::{Latencies, P50P99P999, Report, Row, cells, memory, rounded, three, write_table},
    seed::{ROWS_PER_EDGE, ROWS_PER_USER, Seeder},
    service::{Changes, Service},
    target::Target,
};

/// Posts per page, each by another author.
const PAGE: u32 = 20;
/// Concurrent requests before the measurement.
const AT_ONCE: usize = 16;
/// About as long as what people write on an ordinary day.
const POST_TEXT: &str = "A post for a page of the load test, about as long as what people write on a day.";

/// The result of `loadtest read`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReadReport {
    /// Readers, each with a feed of 20 posts by 20 authors.
    pub readers: u32,
    /// Bytes of a page.
    pub page_bytes: usize,
    /// Pages answered per second.
    pub pages_per_second: f64,
    /// Constant answers of the same size per second, from the same server to the same client.
    pub constant_requests_per_second: f64,
    /// The ratio of [`Self::pages_per_second`] to [`Self::constant_requests_per_second`].
    pub read_ratio: f64,
    /// `GET /v1/feed`, from sending the request to the end of its answer.
    pub page_ms: P50P99P999,
    /// The constant answer, from sending the request to its end.
    pub constant_ms: P50P99P999,
    /// Readers whose first page was not 20 posts.
    pub wrong_pages: u64,
    /// The peak resident memory of the service's process in the run, without the client, in 10^6 bytes.
    pub peak_rss_mb: Option<f64>,
    /// Distributions and throughput.
    #[serde(skip)]
    pub charts: Vec<Chart>,
}

impl ReadReport {
    fn rows(&self) -> [Row; 9] {
        [
            ("readers", self.readers.to_string(), "each with 20 posts by 20 authors"),
            ("page", format!("{} bytes", self.page_bytes), ""),
            ("pages a second", format!("{:.0}", self.pages_per_second), "client in a process of its own"),
            ("constant answer", format!("{:.0}", self.constant_requests_per_second), "a second, of the same size"),
            ("read ratio", format!("{:.3}", self.read_ratio), "pages relative to constant answers"),
            ("page", three(self.page_ms), "p50 / p99 / p99.9"),
            ("constant", three(self.constant_ms), "p50 / p99 / p99.9"),
            ("wrong pages", self.wrong_pages.to_string(), "without exactly 20 posts"),
            ("peak memory", memory(self.peak_rss_mb), "resident, after seeding, without the client"),
        ]
    }
}

impl fmt::Display for ReadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_table(f, &self.rows())
    }
}

impl Report for ReadReport {
    fn table(&self) -> Vec<Vec<String>> {
        cells(&self.rows())
    }

    fn charts(&self) -> &[Chart] {
        &self.charts
    }

    fn faults(&self) -> Vec<String> {
        let fault = || format!("{} pages did not have exactly {PAGE} posts", self.wrong_pages);
        (self.wrong_pages > 0).then(fault).into_iter().collect()
    }
}

/// Runs the scenario.
///
/// # Errors
/// If a request fails, in this process or the client's.
pub async fn run(options: &ReadOptions) -> Result<ReadReport, LoadtestError> {
    let target = Target::prepare(&options.places.stores).await?;
    let service = Service::start(&options.places, &target, Changes::Applied).await?;
    let tokens = prepare(&service, options.readers as usize).await?;
    let (page_bytes, wrong_pages) = check(&service, &tokens).await?;
    let memory = PeakMemory::from_now();
    let work = Work {
        address: service.address(),
        tokens,
        limit: PAGE,
        constant_bytes: page_bytes,
        concurrency: options.concurrency as usize,
        slices: options.slices,
        slice: Duration::from_millis(options.slice_ms),
    };
    let slices = client_process::run(options.client, work).await;
    let peak_rss_mb = memory.megabytes().map(rounded);
    // Also after a failure: the service's directory must not disappear under it.
    service.stop().await?;
    let slices = slices?;

    let [pages, constant] = [Requested::Pages, Requested::Constant].map(|kind| Side::of(&slices, kind));
    let (pages_per_second, constant_requests_per_second) = (pages.per_second(), constant.per_second());
    Ok(ReadReport {
        readers: options.readers,
        page_bytes,
        pages_per_second: rounded(pages_per_second),
        constant_requests_per_second: rounded(constant_requests_per_second),
        read_ratio: rounded(pages_per_second / constant_requests_per_second),
        page_ms: P50P99P999::from(&pages.latencies),
        constant_ms: P50P99P999::from(&constant.latencies),
        wrong_pages,
        peak_rss_mb,
        charts: charts(pages, constant),
    })
}

/// Seeds readers and authors, publishes one post of each author, and returns the readers' tokens. Each reader follows 20
/// authors; each author has 20 followers, or all readers if they are fewer.
async fn prepare(service: &Service, readers: usize) -> Result<Vec<String>, LoadtestError> {
    let authors: Vec<UserId> = (0..readers.max(PAGE as usize)).map(|_| UserId::random()).collect();
    let readers: Vec<UserId> = (0..readers).map(|_| UserId::random()).collect();
    let edges = readers.iter().enumerate().flat_map(|(place, reader)| {
        (place..place + PAGE as usize).map(|author| (*reader, authors[author % authors.len()])).collect::<Vec<_>>()
    });
    let users = authors.len() + readers.len();
    let rows = users as u64 * ROWS_PER_USER + (readers.len() * PAGE as usize) as u64 * ROWS_PER_EDGE;
    let services = service.services();
    let seeder = Seeder::new(Arc::clone(&services.store), services.clock.now(), progress::bar("seeding", rows));
    seeder.users(authors.iter().chain(&readers).copied()).await.map_err(LoadtestError::Seed)?;
    seeder.edges(edges).await.map_err(LoadtestError::Seed)?;

    let (client, progress) = (service.client(), progress::bar("posting", authors.len() as u64));
    let tokens = authors.iter().map(|author| service.token(*author));
    futures::stream::iter(tokens)
        .map(|token| {
            let (client, progress) = (client.clone(), progress.clone());
            async move { client.publish(&token, POST_TEXT).await.inspect(|_| progress.inc(1)) }
        })
        .buffer_unordered(AT_ONCE)
        .try_for_each(|_| std::future::ready(Ok(())))
        .await?;
    service.drain().await;
    Ok(readers.iter().map(|reader| service.token(*reader)).collect())
}

/// Reads each reader's page once: the size of the largest one, and the number of wrong ones.
async fn check(service: &Service, tokens: &[String]) -> Result<(usize, u64), LoadtestError> {
    let (client, progress) = (service.client(), progress::bar("checking pages", tokens.len() as u64));
    let (mut size, mut wrong) = (0, 0);
    for token in tokens {
        let page = client.feed(token, PAGE, None).await?;
        size = size.max(page.len());
        let mut posts: Vec<_> = FeedPage::decode(&page)?.items.into_iter().map(|post| post.post_id).collect();
        posts.sort_unstable();
        posts.dedup();
        wrong += u64::from(posts.len() != PAGE as usize);
        progress.inc(1);
    }
    Ok((size, wrong))
}

/// All slices of one kind.
struct Side {
    latencies: Latencies,
    elapsed: Duration,
    /// Answers per second in each slice, at its end.
    rates: Vec<(f64, f64)>,
}

impl Side {
    #[expect(clippy::cast_precision_loss, reason = "numbers of requests")]
    fn of(slices: &[Slice], requested: Requested) -> Self {
        let mut side = Self { latencies: Latencies::new(), elapsed: Duration::ZERO, rates: Vec::new() };
        let mut at = Duration::ZERO;
        for slice in slices {
            at += slice.elapsed;
            if slice.requested == requested {
                slice.latencies.iter().for_each(|latency| side.latencies.record(*latency));
                side.elapsed += slice.elapsed;
                side.rates.push((at.as_secs_f64(), slice.latencies.len() as f64 / slice.elapsed.as_secs_f64()));
            }
        }
        side
    }

    #[expect(clippy::cast_precision_loss, reason = "numbers of requests")]
    fn per_second(&self) -> f64 {
        self.latencies.count() as f64 / self.elapsed.as_secs_f64()
    }
}

fn charts(pages: Side, constant: Side) -> Vec<Chart> {
    let latencies = [("feed pages", &pages.latencies), ("constant answers", &constant.latencies)];
    let rates = [("feed pages", pages.rates), ("constant answers", constant.rates)];
    vec![
        Chart::latencies("Latency at saturation", latencies),
        Chart::over_time("Throughput", "answers per second", rates.map(|(name, points)| Series { name, points })),
    ]
}

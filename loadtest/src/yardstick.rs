//! Baselines of the machine, measured in the run: ratios to them make figures of different days and machines
//! comparable.

use std::{io, sync::Arc, time::Duration};

use axum::{Router, extract::Path, http::header, routing::get};
use bytes::Bytes;
use domain::UserId;
use rand::{SeedableRng as _, rngs::StdRng};
use tokio::{runtime, time::Instant};

use crate::{
    client::{CONSTANT, ClientError, HttpClient},
    error::LoadtestError,
    progress,
    report::{Latencies, rounded},
    target::Target,
};

/// Bytes of the constant answer: those of a page of 20 posts, as `loadtest cost` counts them.
pub const PAGE_BYTES: usize = 11 * 1024;
/// The longest constant answer: more than a page of 100 posts.
const LONGEST: usize = 128 * 1024;
/// Concurrent requests for the constant answer: as many as in `hotpost`, enough to keep every core busy.
const AT_ONCE: usize = 64;
/// Duration of the measurement of constant answers.
const SATURATION: Duration = Duration::from_secs(2);
/// Sequential feed page reads on an idle service: ten of them exceed the 99th percentile.
const IDLE_READS: usize = 1_000;
/// Page size.
const PAGE: u32 = 20;
/// Default number of posts that the baseline writes to each reader.
pub const BASELINE_POSTS: u64 = 5;

/// The machine's baselines.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Yardstick {
    /// Entries per second written to the store alone: see [`crate::baseline`].
    pub floor_entries_per_second: f64,
    /// Requests per second of the same server and client for a constant page from memory.
    pub constant_requests_per_second: f64,
}

/// The route of the constant answer of a given size, for the service under test.
pub fn routes() -> Router {
    let longest = Bytes::from(vec![b'x'; LONGEST]);
    let answer = move |Path(bytes): Path<usize>| {
        let page = longest.slice(..bytes.min(LONGEST));
        async move { ([(header::CONTENT_TYPE, "text/plain")], page) }
    };
    Router::new().route(&format!("{CONSTANT}/{{bytes}}"), get(answer))
}

/// Measures both baselines without other load. `readers` are those of the baseline.
///
/// # Errors
/// If a request or the store fails.
pub async fn measure(
    target: &Target,
    readers: &Arc<Vec<UserId>>,
    client: HttpClient,
) -> Result<Yardstick, LoadtestError> {
    Ok(Yardstick {
        floor_entries_per_second: rounded(target.baseline(readers, BASELINE_POSTS).await?),
        constant_requests_per_second: constant(client, PAGE_BYTES).await?,
    })
}

/// Measures requests per second for the constant answer of this size, with [`AT_ONCE`] concurrent requests for
/// [`SATURATION`].
///
/// # Errors
/// If a request fails.
#[expect(clippy::cast_precision_loss, reason = "numbers of requests")]
pub async fn constant(client: HttpClient, bytes: usize) -> Result<f64, LoadtestError> {
    let _spinner = progress::spinner("measuring a constant answer");
    let request = move |_| {
        let client = client.clone();
        async move { client.constant(bytes).await }
    };
    let saturating = move || on_client_runtime(saturate(AT_ONCE, SATURATION, request));
    let answered = tokio::task::spawn_blocking(saturating).await?.map_err(LoadtestError::Client)??;
    Ok(rounded(answered.latencies.len() as f64 / answered.elapsed.as_secs_f64()))
}

/// The answers of a server at saturation.
#[derive(Debug)]
pub struct Saturated {
    /// From the first request to the last answer.
    pub elapsed: Duration,
    /// The latency of each request, from sending it to the end of its answer.
    pub latencies: Vec<Duration>,
}

/// Keeps `concurrency` requests in progress for `duration`. `request` gets the number of the request, which no other one
/// has.
///
/// # Errors
/// The first failure of a request.
///
/// # Panics
/// Never: sending requests does not panic.
pub async fn saturate<F>(
    concurrency: usize,
    duration: Duration,
    request: impl Fn(usize) -> F + Clone + Send + 'static,
) -> Result<Saturated, ClientError>
where
    F: Future<Output = Result<Bytes, ClientError>> + Send,
{
    let started = Instant::now();
    let loops = (0..concurrency).map(|first| {
        let request = request.clone();
        tokio::spawn(async move {
            let mut latencies = Vec::new();
            for number in (first..).step_by(concurrency) {
                let sent = Instant::now();
                if sent - started >= duration {
                    break;
                }
                request(number).await?;
                latencies.push(sent.elapsed());
            }
            Ok::<_, ClientError>(latencies)
        })
    });
    let mut latencies = Vec::new();
    for looped in loops.collect::<Vec<_>>() {
        latencies.extend(looped.await.expect("a loop of requests does not panic")?);
    }
    Ok(Saturated { elapsed: started.elapsed(), latencies })
}

/// Reads feed pages of these readers sequentially without other load.
///
/// # Errors
/// If a request fails.
pub async fn idle_reads(client: HttpClient, tokens: Vec<String>) -> Result<Latencies, LoadtestError> {
    let _spinner = progress::spinner("reading an idle service");
    let reads = tokio::task::spawn_blocking(move || on_client_runtime(read_in_turn(client, tokens))).await?;
    Ok(reads.map_err(LoadtestError::Client)??)
}

async fn read_in_turn(client: HttpClient, tokens: Vec<String>) -> Result<Latencies, ClientError> {
    use rand::RngExt as _;
    let (mut latencies, mut rng) = (Latencies::new(), StdRng::seed_from_u64(0));
    for _ in 0..IDLE_READS {
        let token = &tokens[rng.random_range(0..tokens.len())];
        let started = Instant::now();
        client.feed(token, PAGE, None).await?;
        latencies.record(started.elapsed());
    }
    Ok(latencies)
}

/// Runs on a runtime like that of [`crate::driver`], so that the client has the same cost. Blocks.
///
/// # Errors
/// If the runtime cannot be created.
pub fn on_client_runtime<T>(work: impl Future<Output = T>) -> io::Result<T> {
    let runtime = runtime::Builder::new_multi_thread().worker_threads(1).thread_name("client").enable_all().build()?;
    Ok(runtime.block_on(work))
}

//! Baselines of the machine, measured in the run: ratios to them make figures of different days and machines
//! comparable.

use std::{io, sync::Arc, time::Duration};

use axum::{Router, http::header, routing::get};
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
const PAGE_BYTES: usize = 11 * 1024;
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

/// The route of the constant answer, for the service under test.
pub fn routes() -> Router {
    let page = Bytes::from(format!(r#"{{"items":"{}"}}"#, "x".repeat(PAGE_BYTES)));
    let answer = move || {
        let page = page.clone();
        async move { ([(header::CONTENT_TYPE, "application/json")], page) }
    };
    Router::new().route(CONSTANT, get(answer))
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
        constant_requests_per_second: constant(client).await?,
    })
}

/// Measures requests per second for the constant answer, with [`AT_ONCE`] concurrent requests for [`SATURATION`].
///
/// # Errors
/// If a request fails.
pub async fn constant(client: HttpClient) -> Result<f64, LoadtestError> {
    let _spinner = progress::spinner("measuring a constant answer");
    let answered = tokio::task::spawn_blocking(move || on_client_runtime(saturate(client))).await?;
    Ok(rounded(answered.map_err(LoadtestError::Client)??))
}

#[expect(clippy::cast_precision_loss, reason = "numbers of requests")]
async fn saturate(client: HttpClient) -> Result<f64, ClientError> {
    let started = Instant::now();
    let loops = (0..AT_ONCE).map(|_| {
        let client = client.clone();
        tokio::spawn(async move {
            let mut answered = 0_u64;
            while started.elapsed() < SATURATION {
                client.constant().await?;
                answered += 1;
            }
            Ok::<u64, ClientError>(answered)
        })
    });
    let mut sum = 0;
    for looped in loops.collect::<Vec<_>>() {
        sum += looped.await.expect("a loop of requests does not panic")?;
    }
    Ok(sum as f64 / started.elapsed().as_secs_f64())
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

/// Runs on a runtime like that of [`crate::driver`], so that the client has the same cost.
fn on_client_runtime<T>(work: impl Future<Output = T>) -> io::Result<T> {
    let runtime = runtime::Builder::new_multi_thread().worker_threads(1).thread_name("client").enable_all().build()?;
    Ok(runtime.block_on(work))
}

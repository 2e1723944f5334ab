//! A client in a process of its own: `loadtest client`, which `loadtest read` starts.
//!
//! It reads its [`Work`] from standard input, as access tokens do not belong on a command line, and writes its
//! [`Slice`]s to a file.

use std::{env, fs, io, net::SocketAddr, path::PathBuf, process::Stdio, sync::Arc, time::Duration};

use indicatif::ProgressBar;
use serde::{Deserialize, Serialize};
use tokio::{io::AsyncWriteExt as _, process::Command};

use crate::{
    client::{ClientError, HttpClient},
    error::LoadtestError,
    progress,
    yardstick::{self, Saturated},
};

/// Starts the client's process; by default this program.
#[derive(Debug, Clone, Copy)]
pub struct ClientProgram(pub fn() -> io::Result<std::process::Command>);

impl Default for ClientProgram {
    fn default() -> Self {
        Self(|| {
            let mut command = std::process::Command::new(env::current_exe()?);
            command.arg("client");
            Ok(command)
        })
    }
}

/// The requests to send.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Work {
    /// The address of the service.
    pub address: SocketAddr,
    /// Access tokens of the readers.
    pub tokens: Vec<String>,
    /// Posts per page.
    pub limit: u32,
    /// Size of the constant answer in bytes.
    pub constant_bytes: usize,
    /// Concurrent requests.
    pub concurrency: usize,
    /// Slices of each kind, which alternate.
    pub slices: u32,
    /// Duration of a slice.
    pub slice: Duration,
}

/// The request of a slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Requested {
    /// Feed pages.
    Pages,
    /// The constant answer.
    Constant,
}

/// The answers of one slice.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Slice {
    /// The request.
    pub requested: Requested,
    /// Duration of the slice.
    pub elapsed: Duration,
    /// The latencies.
    pub latencies: Vec<Duration>,
}

/// The standard input of the client.
#[derive(Debug, Serialize, Deserialize)]
struct Order {
    work: Work,
    output: PathBuf,
}

/// Starts the client, waits for it, and returns its slices in order.
///
/// # Errors
/// If the process cannot be started or fails.
pub async fn run(program: ClientProgram, work: Work) -> Result<Vec<Slice>, LoadtestError> {
    let directory = tempfile::Builder::new().prefix("tweeter-client").tempdir().map_err(LoadtestError::Client)?;
    let output = directory.path().join("slices.json");
    let order = serde_json::to_vec(&Order { work, output: output.clone() }).map_err(not_json)?;
    let command = program.0().map_err(LoadtestError::Client)?;
    let mut child = Command::from(command)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(LoadtestError::Client)?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(&order).await.map_err(LoadtestError::Client)?;
    }
    let status = child.wait().await.map_err(LoadtestError::Client)?;
    if !status.success() {
        return Err(LoadtestError::ClientProcess(status));
    }
    let slices = fs::read(&output).map_err(LoadtestError::Client)?;
    serde_json::from_slice(&slices).map_err(not_json)
}

/// The client: sends the requests that standard input describes.
///
/// # Errors
/// If the input is not an order, or a request fails.
pub async fn serve() -> Result<(), LoadtestError> {
    let input = io::read_to_string(io::stdin()).map_err(LoadtestError::Client)?;
    let Order { work, output } = serde_json::from_str(&input).map_err(not_json)?;
    let sending = tokio::task::spawn_blocking(move || yardstick::on_client_runtime(alternate(work)));
    let slices = sending.await?.map_err(LoadtestError::Client)??;
    fs::write(output, serde_json::to_vec(&slices).map_err(not_json)?).map_err(LoadtestError::Client)
}

fn not_json(error: serde_json::Error) -> LoadtestError {
    LoadtestError::Client(error.into())
}

/// Alternates slices of pages and of constant answers, after a first pair that is not counted.
async fn alternate(work: Work) -> Result<Vec<Slice>, ClientError> {
    let client = HttpClient::new(work.address, Arc::default());
    let (slices_each, work) = (work.slices, Arc::new(work));
    let progress = progress::bar("slices", u64::from(slices_each) * 2);
    pair(&client, &work, &ProgressBar::hidden()).await?;
    let mut slices = Vec::new();
    for _ in 0..slices_each {
        slices.extend(pair(&client, &work, &progress).await?);
    }
    Ok(slices)
}

async fn pair(client: &HttpClient, work: &Arc<Work>, progress: &ProgressBar) -> Result<[Slice; 2], ClientError> {
    let (reader, constant_reader) = (client.clone(), client.clone());
    let (tokens, limit, bytes) = (Arc::clone(work), work.limit, work.constant_bytes);
    let pages = yardstick::saturate(work.concurrency, work.slice, move |number| {
        let (client, work) = (reader.clone(), Arc::clone(&tokens));
        async move { client.feed(&work.tokens[number % work.tokens.len()], limit, None).await }
    })
    .await?;
    progress.inc(1);
    let constant = yardstick::saturate(work.concurrency, work.slice, move |_| {
        let client = constant_reader.clone();
        async move { client.constant(bytes).await }
    })
    .await?;
    progress.inc(1);
    let slice = |requested, Saturated { elapsed, latencies }| Slice { requested, elapsed, latencies };
    Ok([slice(Requested::Pages, pages), slice(Requested::Constant, constant)])
}

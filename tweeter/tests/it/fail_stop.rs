//! A process that can no longer write to its disk exits with code 70, whatever the state of standard error.

use std::{
    fs::OpenOptions,
    io::{Write as _, pipe},
    net::TcpListener,
    process::Stdio,
    time::Duration,
};

use http::Request;
use http_body_util::Full;
use rstest::rstest;
use serde_json::json;
use tokio::time::Instant;

use crate::support::{
    ApiClient,
    process::{FileSizeLimited, Server},
};

/// More than a start writes to one file and less than a few hundred posts do, in blocks of `ulimit -f`: 512 or 1,024
/// bytes, depending on the shell.
const FILE_BLOCKS: u32 = 400;
/// Capacity of a pipe before its writer blocks (pipe(7), Linux).
const PIPE_BYTES: usize = 64 * 1024;
/// Bound on each wait.
const PATIENCE: Duration = Duration::from_mins(1);
/// `EX_SOFTWARE` of sysexits.
const FAILED_SYNC: i32 = 70;

/// Kinds of standard error that accept no output.
#[derive(Debug, Clone, Copy)]
enum Deaf {
    ClosedPipe,
    FullDevice,
    FullPipe,
}

impl Deaf {
    /// A standard error of this kind, and the end of its pipe that must stay open as long as the process runs.
    fn open(self) -> (Stdio, Option<std::io::PipeReader>) {
        match self {
            Self::FullDevice => (OpenOptions::new().write(true).open("/dev/full").unwrap().into(), None),
            Self::ClosedPipe => (pipe().unwrap().1.into(), None),
            Self::FullPipe => {
                let (reader, mut writer) = pipe().unwrap();
                writer.write_all(&vec![b'.'; PIPE_BYTES]).unwrap();
                (writer.into(), Some(reader))
            }
        }
    }
}

async fn post(client: &ApiClient, token: &str) -> Option<u16> {
    let request = Request::post(format!("{}/v1/posts", client.base))
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json")
        .body(Full::from(json!({ "text": "x".repeat(500) }).to_string()))
        .unwrap();
    // If the process survived without its disk, the response might never come.
    let answer = tokio::time::timeout(PATIENCE, client.try_send(request)).await.ok()?;
    Some(answer?.status.as_u16())
}

#[rstest]
#[case(Deaf::ClosedPipe, "info")]
#[case(Deaf::FullDevice, "info")]
#[case(Deaf::FullPipe, "info")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_write_ends_the_process_with_70(#[case] stderr: Deaf, #[case] log: &str) {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    // Creates the journal, which is preallocated beyond the limit; the next start truncates it to its content.
    let server = Server::start(&data, &[]);
    let author = ApiClient::new(format!("http://{}", server.address)).register("alice").await;
    assert_eq!(server.stop("TERM").0, Some(0));

    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (stderr, _reader) = stderr.open();
    let mut process = FileSizeLimited::start(&data, &address.to_string(), FILE_BLOCKS, stderr, log);
    let client = ApiClient::new(format!("http://{address}"));
    let began = Instant::now();
    while std::net::TcpStream::connect(address).is_err() {
        assert_eq!(process.exit_code(), None, "ended before it was ready");
        assert!(began.elapsed() < PATIENCE, "it does not listen");
        tokio::task::yield_now().await;
    }
    while post(&client, &author.access_token).await == Some(201) {}
    let began = Instant::now();
    let code = loop {
        match process.exit_code() {
            Some(code) => break code,
            None => assert!(began.elapsed() < PATIENCE, "it is still running"),
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(code, FAILED_SYNC);
}

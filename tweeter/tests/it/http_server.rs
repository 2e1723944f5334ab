//! The HTTP server over real connections.

use std::{fmt::Write as _, fs, net::SocketAddr, num::NonZeroUsize, process::Command, sync::Arc, time::Duration};

use crate::support::process::Server;
use axum::{Router, body::Bytes, extract::Path, http::StatusCode, routing};
use parking_lot::Mutex;
use rstest::rstest;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpSocket, TcpStream},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;
use tweeter::http_server::{ConnectionLimits, serve};

/// Fails a test whose server does not answer; not a measurement.
const WATCHDOG: Duration = Duration::from_mins(1);

/// A server that records requested names and reports the size of a body.
struct Fixture {
    address: SocketAddr,
    served: Arc<Mutex<Vec<String>>>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Fixture {
    async fn start(max_connections: usize) -> Self {
        Self::start_within(ConnectionLimits::shared(max_connections)).await
    }

    async fn start_within(limits: ConnectionLimits) -> Self {
        let served = Arc::new(Mutex::new(Vec::new()));
        let note = {
            let served = Arc::clone(&served);
            async move |Path(name): Path<String>| served.lock().push(name)
        };
        let router = Router::new()
            .route("/note/{name}", routing::get(note))
            .route("/never", routing::get(async || std::future::pending::<()>().await))
            .route("/length", routing::post(async |body: Bytes| body.len().to_string()))
            .route("/too-large", routing::post(async || StatusCode::PAYLOAD_TOO_LARGE));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let task = tokio::spawn(serve(listener, router, limits, stop.clone()));
        Self { address, served, stop, task }
    }

    async fn connect(&self) -> Connection {
        Connection(BufReader::new(TcpStream::connect(self.address).await.unwrap()))
    }

    /// A connection from another local address; `None` if it is reset before it is used.
    async fn connect_from(&self, address: [u8; 4]) -> Option<Connection> {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((address, 0).into()).unwrap();
        let stream = socket.connect(self.address).await.ok()?;
        Some(Connection(BufReader::new(stream)))
    }

    /// Whether a request from that address is answered.
    async fn serves(&self, address: [u8; 4]) -> bool {
        match self.connect_from(address).await {
            Some(mut connection) => connection.is_served().await,
            None => false,
        }
    }

    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

struct Connection(BufReader<TcpStream>);

impl Connection {
    async fn ask(&mut self, name: &str) {
        let request = format!("GET /note/{name} HTTP/1.1\r\nhost: test\r\n\r\n");
        self.0.write_all(request.as_bytes()).await.unwrap();
    }

    /// The status line and headers, in lower case; empty if the connection is closed.
    async fn head(&mut self) -> String {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") && self.0.read_line(&mut head).await.unwrap() > 0 {}
        head.to_lowercase()
    }

    /// Whether a request is answered; false on a closed connection.
    async fn is_served(&mut self) -> bool {
        let request = b"GET /note/it HTTP/1.1\r\nhost: test\r\n\r\n";
        let mut status = String::new();
        let answered = self.0.write_all(request).await.is_ok() && self.0.read_line(&mut status).await.is_ok();
        answered && status.starts_with("HTTP/1.1 200")
    }

    async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        // Closing with unread data resets the connection.
        let _ = self.0.read_to_end(&mut rest).await;
        rest
    }
}

/// A head of this many bytes.
fn head_of(bytes: usize) -> String {
    let mut head = "GET /note/big HTTP/1.1\r\nhost: test\r\nconnection: close\r\n".to_owned();
    // Each header is well below the limit of a single header.
    for number in 0.. {
        let left = bytes - head.len() - "\r\n".len();
        let name = format!("x-{number}: ");
        let frame = name.len() + "\r\n".len();
        let value = if left > 2_000 { 1_000 } else { left - frame };
        write!(head, "{name}{}\r\n", "v".repeat(value)).unwrap();
        if left <= 2_000 {
            break;
        }
    }
    head + "\r\n"
}

#[tokio::test]
async fn a_connection_beyond_the_limit_waits() {
    let fixture = Fixture::start(2).await;
    let (mut first, mut second) = (fixture.connect().await, fixture.connect().await);
    for (connection, name) in [(&mut first, "first"), (&mut second, "second")] {
        connection.ask(name).await;
        assert!(connection.head().await.starts_with("http/1.1 200"));
    }
    let mut third = fixture.connect().await;
    third.ask("third").await;
    for (connection, name) in [(&mut second, "second again"), (&mut first, "first again")] {
        connection.ask(&name.replace(' ', "-")).await;
        assert!(connection.head().await.starts_with("http/1.1 200"));
    }
    drop(first);
    assert!(third.head().await.starts_with("http/1.1 200"));
    assert_eq!(*fixture.served.lock(), ["first", "second", "second-again", "first-again", "third"]);
    fixture.stop().await;
}

#[tokio::test]
async fn a_client_reset_before_accept_delays_none() {
    let fixture = Fixture::start(1).await;
    let mut first = fixture.connect().await;
    first.ask("first").await;
    first.head().await;
    for _ in 0..100 {
        // Reset while it is in the accept backlog.
        let gone = fixture.connect().await.0.into_inner();
        gone.set_zero_linger().unwrap();
    }
    let mut last = fixture.connect().await;
    last.ask("last").await;
    drop(first);
    assert!(last.head().await.starts_with("http/1.1 200"));
    fixture.stop().await;
}

#[cfg(target_os = "linux")]
#[rstest]
#[case::half_sent_heads("GET /note/half HTTP/1.1\r\nhost: te")]
#[case::requests_without_end("GET /never HTTP/1.1\r\nhost: test\r\n\r\n")]
#[tokio::test]
async fn one_network_cannot_block_another(#[case] sent: &str) {
    let (attacker, attacks, most) = ([127, 0, 0, 2], 400, 100);
    let fixture = Fixture::start_within(ConnectionLimits::new(200, NonZeroUsize::new(most))).await;
    let mut held = Vec::new();
    for _ in 0..attacks {
        let mut connection = fixture.connect_from(attacker).await;
        if let Some(connection) = &mut connection {
            // Fails if the connection was already reset.
            let _ = connection.0.write_all(sent.as_bytes()).await;
        }
        held.push(connection);
    }
    let mut other = fixture.connect().await;
    let served = tokio::time::timeout(WATCHDOG, other.is_served()).await;
    assert_eq!(served, Ok(true), "another network is served");
    for connection in held[most..].iter_mut().flatten() {
        assert_eq!(connection.rest().await, b"", "closed without an answer");
    }
    drop(held);
    while !fixture.serves(attacker).await {}
    fixture.stop().await;
}

#[tokio::test]
async fn heads_beyond_32_kib_end_the_connection() {
    let fixture = Fixture::start(10).await;
    let mut fits = fixture.connect().await;
    fits.0.write_all(head_of(32 * 1024).as_bytes()).await.unwrap();
    assert!(fits.head().await.starts_with("http/1.1 200"));

    let mut too_long = fixture.connect().await;
    // The connection may be closed before everything is written.
    let _ = too_long.0.write_all(head_of(32 * 1024 + 1).as_bytes()).await;
    let head = too_long.head().await;
    assert!(head.starts_with("http/1.1 431"), "{head}");
    assert_eq!(too_long.rest().await, b"", "and it is closed");
    assert_eq!(*fixture.served.lock(), ["big"]);
    fixture.stop().await;
}

#[tokio::test]
async fn a_413_announces_that_it_closes() {
    let fixture = Fixture::start(1).await;
    let mut connection = fixture.connect().await;
    // Nothing of the body is sent, so closing does not reset the connection.
    let head = "POST /too-large HTTP/1.1\r\nhost: test\r\ncontent-length: 3000000\r\n\r\n";
    connection.0.write_all(head.as_bytes()).await.unwrap();
    let head = connection.head().await;
    assert!(head.starts_with("http/1.1 413") && head.contains("connection: close\r\n"), "{head}");
    connection.rest().await;
    fixture.stop().await;
}

#[tokio::test]
async fn two_content_lengths_get_a_bare_400() {
    let fixture = Fixture::start(1).await;
    let mut connection = fixture.connect().await;
    let head = "POST /length HTTP/1.1\r\nhost: test\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n";
    connection.0.write_all(head.as_bytes()).await.unwrap();
    let head = connection.head().await;
    // hyper answers before any of our layers sees a request.
    assert!(head.starts_with("http/1.1 400") && !head.contains("x-request-id"), "{head}");
    assert_eq!(connection.rest().await, b"");
    fixture.stop().await;
}

#[tokio::test]
async fn a_body_may_be_larger_than_a_head() {
    let fixture = Fixture::start(10).await;
    let body = vec![b'x'; 64 * 1024];
    for framing in ["content-length: 65536\r\n\r\n", "transfer-encoding: chunked\r\n\r\n10000\r\n"] {
        let mut connection = fixture.connect().await;
        let head = format!("POST /length HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{framing}");
        connection.0.write_all(head.as_bytes()).await.unwrap();
        connection.0.write_all(&body).await.unwrap();
        if framing.contains("chunked") {
            connection.0.write_all(b"\r\n0\r\n\r\n").await.unwrap();
        }
        assert!(connection.head().await.starts_with("http/1.1 200"));
        assert_eq!(connection.rest().await, b"65536");
    }
    fixture.stop().await;
}

#[cfg(target_os = "linux")]
#[test]
fn a_start_raises_the_limit_of_open_files() {
    let hard: u64 = match Command::new("sh").args(["-c", "ulimit -Hn"]).output().unwrap().stdout {
        text if text.starts_with(b"unlimited") => u64::MAX,
        text => String::from_utf8(text).unwrap().trim().parse().unwrap(),
    };
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start_with_open_files(&dir.path().join("data"), 256);
    let limits = fs::read_to_string(format!("/proc/{}/limits", server.id())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let soft: u64 = line.split_whitespace().nth(3).unwrap().parse().unwrap();
    assert_eq!(soft, hard.min(11_156), "{line}");
}

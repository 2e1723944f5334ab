//! Serves a router over TCP with bounds that `axum::serve` lacks: on the time to send a request head and its size, on
//! how long a response may wait for its client, on connections, and on the duration of a stop. The router bounds the
//! duration of requests.
//!
//! - [`networks`]: limits connections in total and per network.
//! - [`heads`]: limits the time to send a head, and how long a connection may be idle.

pub mod heads;
pub mod networks;

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{Router, body::Body, response::Response};
use http::{HeaderValue, StatusCode, header::CONNECTION};
use http_api::PeerAddress;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::TokioIo,
    server::graceful::{GracefulShutdown, Watcher},
};
use rustix::io::Errno;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
};
use tokio_util::{io::InspectReader, sync::CancellationToken};
use tower::ServiceExt;
use tracing::{debug, warn};

use heads::{Arrivals, HEAD_TIMEOUT, HeadTimer};
pub use networks::ConnectionLimits;
use networks::Networks;

/// Maximum bytes of a request head; a longer one gets a 431. Also the read buffer of a connection: 320 MB for 10,000
/// connections that all send as much as they can.
const MAX_HEAD_BYTES: usize = 32 * 1024;
/// A connection is closed when its client has accepted no pending data for this long, or has vanished. Otherwise a
/// client that never reads would hold its connection forever, even an event stream whose token has expired.
#[cfg(target_os = "linux")]
const UNREAD_TIMEOUT: Duration = Duration::from_mins(1);
/// How long running requests may continue after a stop.
const GRACE: Duration = Duration::from_secs(10);
/// Pause after an accept that failed for lack of descriptors or memory: an immediate retry would fail too.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stop`, then accepts no more connections and gives running requests ten seconds to finish.
pub async fn serve(listener: TcpListener, router: Router, limits: ConnectionLimits, stop: CancellationToken) {
    let graceful = GracefulShutdown::new();
    // Dropped at the end, which aborts the remaining connections.
    let mut connections = JoinSet::new();
    let slots = Arc::new(Semaphore::new(limits.total.min(Semaphore::MAX_PERMITS)));
    let networks = Networks::new(limits.per_network);
    let accept_all = async {
        loop {
            // Fails only if the semaphore is closed, which never happens.
            let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
            let (stream, peer) = accept(&listener).await;
            while connections.try_join_next().is_some() {}
            let Some(place) = networks.admit(peer.ip().into()) else {
                close_at_once(&stream);
                continue;
            };
            let serving = serve_connection(stream, peer.ip(), router.clone(), graceful.watcher());
            connections.spawn(async move {
                serving.await;
                drop((slot, place));
            });
        }
    };
    stop.run_until_cancelled(accept_all).await;
    drop(listener);
    if tokio::time::timeout(GRACE, graceful.shutdown()).await.is_err() {
        warn!("Aborted requests that were still running {} s after the stop", GRACE.as_secs());
    }
}

/// The next connection and its peer address; skips failed accepts.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                #[cfg(target_os = "linux")]
                bound_unread(&stream, UNREAD_TIMEOUT);
                return (without_delay(stream), peer);
            }
            Err(error) if is_exhaustion(&error) => {
                warn!(error = telemetry::chain(&error), "Could not accept connections; retrying");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
            // An error of that connection only, such as a client that has already hung up.
            Err(error) => debug!(%error, "Could not accept a connection"),
        }
    }
}

/// Makes the connection reset when it is dropped, so that a refused one leaves no state in the kernel.
fn close_at_once(stream: &TcpStream) {
    if let Err(error) = stream.set_zero_linger() {
        debug!(%error, "Could not set SO_LINGER; the kernel closes the connection gracefully");
    }
}

/// Responses are small and written at once: Nagle's algorithm would only delay them.
fn without_delay(stream: TcpStream) -> TcpStream {
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%error, "Could not set TCP_NODELAY");
    }
    stream
}

/// Makes the kernel close the connection when the client accepts no pending data for this long: `TCP_USER_TIMEOUT` (RFC
/// 5482), which Linux also applies to a client that keeps announcing a zero window.
#[cfg(target_os = "linux")]
fn bound_unread(stream: &TcpStream, timeout: Duration) {
    if let Err(error) = socket2::SockRef::from(stream).set_tcp_user_timeout(Some(timeout)) {
        debug!(%error, "Could not set TCP_USER_TIMEOUT");
    }
}

/// Whether the process or the machine has run out of a resource, as opposed to a broken connection.
fn is_exhaustion(error: &io::Error) -> bool {
    let code = Errno::from_io_error(error);
    code.is_some_and(|code| [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM].contains(&code))
}

async fn serve_connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: IpAddr,
    router: Router,
    graceful: Watcher,
) {
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(PeerAddress(peer));
        let answer = router.clone().oneshot(request);
        async move { answer.await.map(announcing_close) }
    });
    let arrivals = Arrivals::default();
    let timer = HeadTimer::new(arrivals.clone());
    let stream = InspectReader::new(stream, move |bytes: &[u8]| arrivals.note(bytes));
    let connection = http1::Builder::new()
        .timer(timer)
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .max_header_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = graceful.watch(connection).await {
        debug!(%error, "A connection broke");
    }
}

/// Adds `Connection: close` to a 413. hyper closes the connection anyway, because the body was not read, and a client
/// that is not told so sends its next request into the closing connection.
fn announcing_close(mut response: Response) -> Response {
    if response.status() == StatusCode::PAYLOAD_TOO_LARGE {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

#[cfg(test)]
mod tests {
    use axum::routing;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
        time::Instant,
    };

    use super::{heads::IDLE_TIMEOUT, *};

    /// A connection without sockets, so that the paused clock advances only when both ends wait.
    fn connect() -> DuplexStream {
        let (client, server) = tokio::io::duplex(64 * 1024);
        let router = Router::new().route("/", routing::get(async || "here"));
        let graceful = GracefulShutdown::new();
        let serving = serve_connection(server, [127, 0, 0, 1].into(), router, graceful.watcher());
        tokio::spawn(async move {
            serving.await;
            // Dropping it earlier would end the connection.
            drop(graceful);
        });
        client
    }

    async fn ask(client: &mut DuplexStream) {
        client.write_all(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"here") {
            assert_ne!(client.read_buf(&mut answer).await.unwrap(), 0, "the connection was closed");
        }
        assert!(answer.starts_with(b"HTTP/1.1 200"));
    }

    /// Sends a byte of a head per second until the connection is closed; returns how long that took by the paused
    /// clock.
    async fn dribble(client: &mut DuplexStream) -> Duration {
        let started = Instant::now();
        for byte in b"GET / HTTP/1.1\r\nhost: a-name-of-some-length\r\n" {
            if client.write_all(&[*byte]).await.is_err() {
                break;
            }
            let mut buffer = [0; 1];
            if tokio::time::timeout(Duration::from_secs(1), client.read(&mut buffer)).await.is_ok() {
                break;
            }
        }
        started.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_first_head_times_out_after_five_seconds() {
        let silent = Instant::now();
        assert_eq!(connect().read(&mut [0; 1]).await.unwrap(), 0);
        assert_eq!(silent.elapsed().as_secs(), HEAD_TIMEOUT.as_secs());
        assert_eq!(dribble(&mut connect()).await.as_secs(), HEAD_TIMEOUT.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_outlives_the_head_timeout() {
        let mut client = connect();
        for _ in 0..3 {
            ask(&mut client).await;
            tokio::time::advance(IDLE_TIMEOUT.saturating_sub(Duration::from_secs(1))).await;
        }
        assert_eq!(dribble(&mut client).await.as_secs(), HEAD_TIMEOUT.as_secs(), "from the first byte of that head");
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_idle_for_too_long_is_closed() {
        let mut client = connect();
        ask(&mut client).await;
        let idle = Instant::now();
        assert_eq!(client.read(&mut [0; 1]).await.unwrap(), 0);
        assert_eq!(idle.elapsed().as_secs(), IDLE_TIMEOUT.as_secs());
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_client_that_reads_nothing_is_disconnected() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = accept(&listener).await;
        assert_eq!(socket2::SockRef::from(&stream).tcp_user_timeout().unwrap(), Some(UNREAD_TIMEOUT));
        bound_unread(&stream, Duration::from_millis(100));
        let error = loop {
            stream.writable().await.unwrap();
            match stream.try_write(&[0; 16_384]) {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => break error,
                _ => {}
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(client);
    }

    #[test]
    fn only_exhausted_resources_cause_a_pause() {
        let of = |code: Errno| is_exhaustion(&code.into());
        for code in [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM] {
            assert!(of(code), "{code}");
        }
        for code in [Errno::CONNABORTED, Errno::CONNRESET, Errno::PERM, Errno::PROTO, Errno::NETDOWN] {
            assert!(!of(code), "{code}");
        }
        assert!(!is_exhaustion(&io::Error::other("no code")));
    }
}

//! Serving a router over TCP, with the bounds that `axum::serve` does not have: on the time to send a request's head, on
//! the time of a request, on connections, and on how long a stop may take.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::Request,
    response::{IntoResponse, Response},
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
};
use shared::http::Problem;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use tracing::{debug, warn};

/// A connection is closed that has sent no whole request head for this long, also between two requests.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// A request (its body and its answer's head) may take this long: what API Gateway allows too.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Connections at once; more wait to be accepted.
const MAX_CONNECTIONS: usize = 10_000;
/// Requests under way may take this long after a stop.
const GRACE: Duration = Duration::from_secs(10);
/// Pause after an accept that failed, as it does when file descriptors run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stop`, then accepts nothing more and gives the requests under way ten seconds to end.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let graceful = GracefulShutdown::new();
    // Dropped at the end, which ends what is still under way.
    let mut connections = JoinSet::new();
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = accept(&listener, &slots) => accepted,
        };
        match accepted {
            Ok((stream, slot)) => {
                while connections.try_join_next().is_some() {}
                connections.spawn(serve_connection(stream, slot, router.clone(), graceful.watcher()));
            }
            Err(error) => {
                warn!(%error, "A connection was not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(GRACE, graceful.shutdown()).await.is_err() {
        warn!("Requests were cut short: they took longer than {} s after the stop", GRACE.as_secs());
    }
}

async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> Result<(TcpStream, OwnedSemaphorePermit), std::io::Error> {
    let slot = Arc::clone(slots).acquire_owned().await.expect("the semaphore is never closed");
    let (stream, _) = listener.accept().await?;
    // Answers are small and whole: waiting for more to send only delays them.
    stream.set_nodelay(true)?;
    Ok((stream, slot))
}

async fn serve_connection(stream: TcpStream, slot: OwnedSemaphorePermit, router: Router, graceful: Watcher) {
    let service = service_fn(move |request: hyper::Request<Incoming>| answer(router.clone(), request.map(Body::new)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = graceful.watch(connection).await {
        debug!(%error, "A connection broke");
    }
    drop(slot);
}

async fn answer(router: Router, request: Request) -> Result<Response, Infallible> {
    match tokio::time::timeout(REQUEST_TIMEOUT, router.oneshot(request)).await {
        Ok(answer) => answer,
        Err(_) => Ok(timed_out()),
    }
}

/// The answer of a request that took too long; it may have done what it asked for or not.
fn timed_out() -> Response {
    let mut response = Problem::Unavailable { retry_after: Duration::from_secs(1), cause: None }.into_response();
    response.headers_mut().insert(http::header::CONNECTION, http::HeaderValue::from_static("close"));
    response
}

//! Serving a router over TCP, with the bounds that `axum::serve` does not have: on the time to send a request's head, on
//! the time of a request, on connections, and on how long a stop may take.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::Request, response::Response};
use http::StatusCode;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
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
    let connections = GracefulShutdown::new();
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = accept(&listener, &slots) => accepted,
        };
        match accepted {
            Ok((stream, slot)) => serve_connection(stream, slot, router.clone(), &connections),
            Err(error) => {
                warn!(%error, "A connection was not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(GRACE, connections.shutdown()).await.is_err() {
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

fn serve_connection(stream: TcpStream, slot: OwnedSemaphorePermit, router: Router, connections: &GracefulShutdown) {
    let service = service_fn(move |request: hyper::Request<Incoming>| answer(router.clone(), request.map(Body::new)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    let connection = connections.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            debug!(%error, "A connection broke");
        }
        drop(slot);
    });
}

async fn answer(router: Router, request: Request) -> Result<Response, Infallible> {
    match tokio::time::timeout(REQUEST_TIMEOUT, router.oneshot(request)).await {
        Ok(answer) => answer,
        Err(_) => Ok(timed_out()),
    }
}

/// The same words API Gateway has for it are not ours; a problem document is.
fn timed_out() -> Response {
    let problem =
        r#"{"type":"/problems/unavailable","title":"Unavailable","status":503,"detail":"The request took too long."}"#;
    let mut response = Response::new(Body::from(problem));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    let headers = response.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/problem+json"));
    headers.insert(http::header::RETRY_AFTER, http::HeaderValue::from_static("1"));
    headers.insert(http::header::CONNECTION, http::HeaderValue::from_static("close"));
    response
}

//! The routes of object storage that a single process serves itself; on AWS, S3 takes uploads and `CloudFront` serves
//! pictures.
//!
//! ```text
//! PUT /uploads/{id}?expires=..&signature=..   one upload, as the signature permits it
//! GET /media/{token}/{file}                   a picture, for anyone who knows its URL
//! ```

use std::{fmt, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, BodyDataStream},
    extract::{MatchedPath, Query, Request, State},
    response::{IntoResponse, Response},
    routing,
};
use domain::{Clock, limits};
use embedded::{
    EmbeddedBlobs,
    blobs::{
        Served,
        signature::UploadRequest,
        upload::{Upload, UploadError},
    },
};
use futures::{StreamExt as _, future::BoxFuture};
use http::{
    HeaderMap, HeaderValue, StatusCode, Uri,
    header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH},
};
use http_api::{HttpOptions, Problem, with_middleware};
use ports::{
    blobs::{BlobError, Bucket},
    queue::QueueError,
    store::Store,
};
use serde::Deserialize;
use service::ServiceError;
use tokio_util::io::ReaderStream;
use tower::ServiceExt;
use tracing::warn;

const UPLOAD: &str = "/uploads/{id}";
const PICTURE: &str = "/media/{token}/{file}";
/// The limit on the duration of an upload: 10 MiB at 280 kbit/s. A URL is valid as long, but an upload may begin late.
const UPLOAD_TIMEOUT: Duration = Duration::from_mins(5);
/// Bytes of a picture that are read at once.
const BYTES_A_READ: usize = 64 * 1024;

/// Announces a stored upload, given its key.
pub type Announce = Arc<dyn Fn(String) -> BoxFuture<'static, Result<(), QueueError>> + Send + Sync>;

/// The routes and what they use.
#[derive(Clone)]
pub struct ObjectRoutes {
    /// The storage.
    pub blobs: EmbeddedBlobs,
    /// The time by which uploads expire.
    pub clock: Clock,
    /// Called once an upload is durable, as S3 sends an event.
    pub uploaded: Announce,
}

impl fmt::Debug for ObjectRoutes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectRoutes").field("blobs", &self.blobs).finish_non_exhaustive()
    }
}

impl ObjectRoutes {
    /// Adds these routes to those of the API, with the same middleware but for the time limit of uploads. The answer to an
    /// upload waits until its announcement is durable in `store`.
    pub fn beside(self, api: Router, store: Arc<dyn Store>, options: &HttpOptions) -> Router {
        let routes = Router::new().route(UPLOAD, routing::put(upload)).route(PICTURE, routing::get(picture));
        let options = HttpOptions { request_timeout: UPLOAD_TIMEOUT, ..options.clone() };
        let routes = with_middleware(routes.with_state(self), store, &options);
        // As services, since each router has its own fallback and middleware. The outer route is forgotten, or the inner one
        // would be logged as its continuation.
        let routes = ServiceExt::<Request>::map_request(routes, |mut request: Request| {
            request.extensions_mut().remove::<MatchedPath>();
            request
        });
        api.route(UPLOAD, routing::any_service(routes.clone())).route(PICTURE, routing::any_service(routes))
    }
}

/// The query of an upload's URL.
#[derive(Debug, Deserialize)]
struct Signature {
    expires: u64,
    signature: String,
}

async fn upload(State(to): State<ObjectRoutes>, request: Request) -> Result<StatusCode, Problem> {
    let permitted = upload_request(&request);
    let mut content = request.into_body().into_data_stream();
    let received = match permitted {
        Some(request) => receive(&to, request, &mut content).await,
        None => Err(UploadError::NotPermitted),
    };
    if received.is_err() {
        discard(&mut content).await;
    }
    received.map(|()| StatusCode::OK).map_err(problem)
}

/// The upload that is to be permitted. `None` if a part is missing or unreadable, so that no signature can match.
fn upload_request(request: &Request) -> Option<UploadRequest> {
    let header = |name| request.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let Query(Signature { expires, signature }) = Query::try_from_uri(request.uri()).ok()?;
    Some(UploadRequest {
        key: request.uri().path().strip_prefix('/')?.to_owned(),
        content_type: header(CONTENT_TYPE)?.to_owned(),
        bytes: header(CONTENT_LENGTH)?.parse().ok()?,
        expires,
        signature,
    })
}

async fn receive(to: &ObjectRoutes, request: UploadRequest, content: &mut BodyDataStream) -> Result<(), UploadError> {
    let key = request.key.clone();
    let mut upload = to.blobs.begin_upload(request, to.clock.now()).await?;
    while let Some(part) = content.next().await {
        upload = upload.append(part.map_err(|_hung_up| UploadError::WrongSize)?).await?;
    }
    // Continues when the client hangs up: a stored upload is announced.
    let stored = tokio::spawn(store(upload, Arc::clone(&to.uploaded), key)).await;
    stored.unwrap_or_else(|panic| Err(BlobError::Refused(panic.into()).into()))
}

async fn store(upload: Upload, uploaded: Announce, key: String) -> Result<(), UploadError> {
    upload.finish().await?;
    if let Err(error) = uploaded(key.clone()).await {
        warn!(
            blob.key = key,
            error = telemetry::chain(&error),
            "Could not announce an upload: the queue failed; the sweeper will"
        );
    }
    Ok(())
}

/// Reads the rest of a refused upload. Its client sends everything before it reads the answer, and a connection closed
/// meanwhile would lose the answer.
async fn discard(content: &mut BodyDataStream) {
    let mut left = limits::MAX_UPLOAD_BYTES;
    while let Some(Ok(part)) = content.next().await {
        match left.checked_sub(part.len() as u64) {
            Some(less) => left = less,
            None => return,
        }
    }
}

fn problem(error: UploadError) -> Problem {
    match error {
        UploadError::NotPermitted => Problem::UploadNotPermitted,
        UploadError::KeyInUse => Problem::AlreadyUploaded,
        UploadError::WrongSize => Problem::Unparseable("The body ended early."),
        UploadError::Blobs(error) => ServiceError::from(error).into(),
    }
}

async fn picture(State(of): State<ObjectRoutes>, uri: Uri, headers: HeaderMap) -> Result<Response, Problem> {
    let key = uri.path().trim_start_matches('/');
    let served = of.blobs.serve(key).await.map_err(ServiceError::from)?.ok_or(Problem::NotFound)?;
    let etag = format!("\"{}\"", served.checksum);
    let is_known = headers.get_all(IF_NONE_MATCH).iter().any(|tags| names(tags, &etag));
    let content = if is_known { StatusCode::NOT_MODIFIED.into_response() } else { content(served) };
    Ok(([(ETAG, etag)], Bucket::Media.cache_control().map(|value| [(CACHE_CONTROL, value)]), content).into_response())
}

/// Whether a list of entity tags contains this one. The comparison is weak (RFC 9110, section 13.1.2).
fn names(tags: &HeaderValue, etag: &str) -> bool {
    let tags = tags.to_str().unwrap_or_default().split(',').map(str::trim);
    tags.into_iter().any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
}

fn content(Served { file, bytes, content_type, checksum: _ }: Served) -> Response {
    let stream = ReaderStream::with_capacity(tokio::fs::File::from_std(file), BYTES_A_READ);
    let headers = [(CONTENT_TYPE, content_type), (CONTENT_LENGTH, bytes.to_string())];
    (headers, Body::from_stream(stream)).into_response()
}

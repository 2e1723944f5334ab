//! The HTTP client of a remote service, with TLS, throttling and occasional failures.

use std::{
    fmt,
    io::Read as _,
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use backon::{ExponentialBuilder, Retryable as _};
use bytes::Bytes;
use domain::{PostId, UserId};
use http::{HeaderMap, Method, Request, StatusCode, Uri, header, uri::Scheme};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

use crate::client::{ClientError, FeedPage, PostRef};

/// Timeout of an answer: API Gateway's limit of 30 s, and the network.
const TIMEOUT: Duration = Duration::from_secs(35);
/// Pauses before a throttled or failed read is retried: the first, which doubles, the maximum, and their number.
const PAUSES: (Duration, Duration, usize) = (Duration::from_millis(200), Duration::from_secs(5), 12);

/// The content coding that the client accepts.
const BROTLI: &str = "br";

#[cfg(feature = "aws")]
type Connector = hyper_rustls::HttpsConnector<HttpConnector>;
#[cfg(not(feature = "aws"))]
type Connector = HttpConnector;

/// The address of an API: `http` or `https`, a host, and optionally a path before its routes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiUrl(String);

/// The text is not such an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidApiUrl {
    /// The text has another form.
    #[error("must be of the form https://HOST[/PATH]")]
    Form,
    /// `https`, but this program was built without TLS.
    #[error("https needs a load test built with `--features aws`")]
    WithoutTls,
}

impl FromStr for ApiUrl {
    type Err = InvalidApiUrl;

    fn from_str(text: &str) -> Result<Self, InvalidApiUrl> {
        let uri: Uri = text.parse().map_err(|_| InvalidApiUrl::Form)?;
        let is_https = uri.scheme() == Some(&Scheme::HTTPS);
        if uri.authority().is_none() || uri.query().is_some() || !(is_https || uri.scheme() == Some(&Scheme::HTTP)) {
            return Err(InvalidApiUrl::Form);
        }
        if is_https && cfg!(not(feature = "aws")) {
            return Err(InvalidApiUrl::WithoutTls);
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}

impl fmt::Display for ApiUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An answer and its latency, from sending the request to the end of the body.
#[derive(Debug)]
pub struct Timed<T> {
    /// The answer.
    pub answer: T,
    /// The latency.
    pub latency: Duration,
}

/// The requests so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Requests {
    /// Successful posts.
    pub posts: u64,
    /// Successful reads.
    pub reads: u64,
    /// Reads that were throttled or failed and were retried.
    pub repeated: u64,
    /// Bytes of all answers' bodies, as sent.
    pub answer_bytes: u64,
}

/// A client of one API. Clones share connections and counts.
#[derive(Debug, Clone)]
pub struct ApiClient {
    client: Client<Connector, Full<Bytes>>,
    url: ApiUrl,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    posts: AtomicU64,
    reads: AtomicU64,
    repeated: AtomicU64,
    answer_bytes: AtomicU64,
}

impl ApiClient {
    /// A client of the API at `url`. Sends no request yet.
    pub fn new(url: ApiUrl) -> Result<Self, ClientError> {
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(1_024).build(connector()?);
        Ok(Self { client, url, counts: Arc::default() })
    }

    /// Checks the API's health.
    pub async fn is_well(&self) -> Result<(), ClientError> {
        let request = Request::builder().uri(self.uri("/healthz")).body(Full::default())?;
        self.answer("GET /healthz", request, StatusCode::OK).await.map(drop)
    }

    /// Sends `POST /v1/posts`, once: an unanswered post may have been published.
    pub async fn publish(&self, token: &str, text: &str) -> Result<Timed<PostId>, ClientError> {
        let body = serde_json::to_vec(&serde_json::json!({ "text": text }))?;
        let request = self
            .request(Method::POST, "/v1/posts", token)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::from(body))?;
        let answered = self.answer("POST /v1/posts", request, StatusCode::CREATED).await?;
        self.counts.posts.fetch_add(1, Ordering::Relaxed);
        let answer = serde_json::from_slice::<PostRef>(&answered.answer)?.post_id;
        Ok(Timed { answer, latency: answered.latency })
    }

    /// Sends `GET /v1/feed`, with retries and growing pauses for about 40 s while it is throttled or fails. The latency
    /// is that of the successful request. `token` issues a token for each attempt.
    pub async fn feed(
        &self,
        token: impl Fn() -> String,
        limit: u32,
        cursor: Option<&str>,
    ) -> Result<Timed<FeedPage>, ClientError> {
        let cursor = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let path = format!("/v1/feed?limit={limit}{cursor}");
        let (first, longest, times) = PAUSES;
        let pauses = ExponentialBuilder::default().with_min_delay(first).with_max_delay(longest).with_max_times(times);
        let answered = (|| async {
            let request = self.request(Method::GET, &path, &token()).body(Full::default())?;
            self.answer("GET /v1/feed", request, StatusCode::OK).await
        })
        .retry(pauses.with_jitter())
        .when(may_pass)
        .notify(|_, _| {
            self.counts.repeated.fetch_add(1, Ordering::Relaxed);
        })
        .await?;
        self.counts.reads.fetch_add(1, Ordering::Relaxed);
        Ok(Timed { answer: FeedPage::decode(&answered.answer)?, latency: answered.latency })
    }

    /// Sends `PUT /v1/posts/{id}/like`, once.
    pub async fn like(&self, token: &str, post: PostId) -> Result<(), ClientError> {
        let request = self.request(Method::PUT, &format!("/v1/posts/{post}/like"), token).body(Full::default())?;
        self.answer("PUT /v1/posts/{id}/like", request, StatusCode::NO_CONTENT).await.map(drop)
    }

    /// Sends `POST /v1/posts/{id}/comments`, once.
    pub async fn comment(&self, token: &str, post: PostId, text: &str) -> Result<(), ClientError> {
        let body = serde_json::to_vec(&serde_json::json!({ "text": text }))?;
        let request = self
            .request(Method::POST, &format!("/v1/posts/{post}/comments"), token)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::from(body))?;
        self.answer("POST /v1/posts/{id}/comments", request, StatusCode::CREATED).await.map(drop)
    }

    /// Sends `PUT /v1/users/{user}/follow`, once.
    pub async fn follow(&self, token: &str, followee: UserId) -> Result<(), ClientError> {
        let request = self.request(Method::PUT, &format!("/v1/users/{followee}/follow"), token).body(Full::default())?;
        self.answer("PUT /v1/users/{user}/follow", request, StatusCode::NO_CONTENT).await.map(drop)
    }

    /// The requests so far.
    pub fn requests(&self) -> Requests {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let Counts { posts, reads, repeated, answer_bytes } = self.counts.as_ref();
        Requests { posts: read(posts), reads: read(reads), repeated: read(repeated), answer_bytes: read(answer_bytes) }
    }

    fn uri(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    fn request(&self, method: Method, path: &str, token: &str) -> http::request::Builder {
        let bearer = format!("Bearer {token}");
        let request = Request::builder().method(method).uri(self.uri(path)).header(header::AUTHORIZATION, bearer);
        // As every browser does.
        request.header(header::ACCEPT_ENCODING, BROTLI)
    }

    async fn answer(
        &self,
        route: &'static str,
        request: Request<Full<Bytes>>,
        expected: StatusCode,
    ) -> Result<Timed<Bytes>, ClientError> {
        let started = Instant::now();
        let exchange = async {
            let answer = self.client.request(request).await.map_err(|error| ClientError::Connection(error.into()))?;
            let (head, body) = answer.into_parts();
            let body = body.collect().await.map_err(|error| ClientError::Connection(error.into()))?;
            Ok::<_, ClientError>((head, body.to_bytes()))
        };
        let (head, sent) = tokio::time::timeout(TIMEOUT, exchange).await??;
        self.counts.answer_bytes.fetch_add(sent.len() as u64, Ordering::Relaxed);
        let (status, body) = (head.status, decoded(&head.headers, sent)?);
        if status == expected {
            return Ok(Timed { answer: body, latency: started.elapsed() });
        }
        Err(ClientError::Status { route, status, body: String::from_utf8_lossy(&body).into_owned() })
    }
}

/// The body of an answer, decompressed.
fn decoded(headers: &HeaderMap, sent: Bytes) -> Result<Bytes, ClientError> {
    if headers.get(header::CONTENT_ENCODING).is_none_or(|encoding| encoding != BROTLI) {
        return Ok(sent);
    }
    let mut body = Vec::new();
    let mut decompressed = brotli_decompressor::Decompressor::new(sent.as_ref(), sent.len());
    decompressed.read_to_end(&mut body).map_err(|error| ClientError::Connection(error.into()))?;
    Ok(body.into())
}

/// Whether a retry may succeed.
fn may_pass(error: &ClientError) -> bool {
    match error {
        ClientError::Connection(_) | ClientError::Timeout(_) => true,
        ClientError::Status { status, .. } => *status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error(),
        ClientError::Request(_) | ClientError::Body(_) => false,
    }
}

fn tcp() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.enforce_http(false);
    connector
}

#[cfg(feature = "aws")]
fn connector() -> Result<Connector, ClientError> {
    let roots = hyper_rustls::HttpsConnectorBuilder::new().with_native_roots();
    let roots = roots.map_err(|error| ClientError::Connection(error.into()))?;
    Ok(roots.https_or_http().enable_http1().wrap_connector(tcp()))
}

#[cfg(not(feature = "aws"))]
#[expect(clippy::unnecessary_wraps, reason = "with TLS it can fail")]
fn connector() -> Result<Connector, ClientError> {
    Ok(tcp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_scheme_host_and_optional_path() {
        let url = |text: &str| text.parse::<ApiUrl>().map(|url| url.to_string());
        assert_eq!(url("http://127.0.0.1:4566/"), Ok("http://127.0.0.1:4566".to_owned()));
        let with_path = "http://127.0.0.1:4566/_aws/execute-api/abc/$default";
        assert_eq!(url(with_path), Ok(with_path.to_owned()));
        for bad in ["", "/v1", "localhost:8080", "ftp://host", "http://host/?a=b"] {
            assert_eq!(url(bad), Err(InvalidApiUrl::Form), "{bad}");
        }
        let https = url("https://abc.execute-api.us-east-1.amazonaws.com");
        assert_eq!(https.is_ok(), cfg!(feature = "aws"), "{https:?}");
    }

    #[test]
    fn throttling_and_server_errors_are_transient() {
        let status = |status: u16| {
            let status = StatusCode::from_u16(status).unwrap();
            may_pass(&ClientError::Status { route: "GET /v1/feed", status, body: String::new() })
        };
        assert!(status(429) && status(500) && status(503));
        assert!(!status(401) && !status(404));
        assert!(may_pass(&ClientError::Connection("broken".into())));
    }
}

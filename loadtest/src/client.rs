//! The HTTP client: keep-alive connections to the service, one request at a time on each.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use domain::{CommentId, PostId, UserId};
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde::{Deserialize, de::DeserializeOwned};

/// Where the constant answer is: see [`crate::yardstick`].
pub const CONSTANT: &str = "/loadtest/constant";
/// How long an answer may take before it counts as none.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The request could not be built.
    #[error("could not build the request")]
    Request(#[from] http::Error),
    /// The connection broke or could not be opened.
    #[error("the service did not answer")]
    Connection(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No answer in time.
    #[error("the service did not answer within {} s", TIMEOUT.as_secs())]
    Timeout(#[from] tokio::time::error::Elapsed),
    /// The answer has an unexpected status.
    #[error("{route} was answered {status}: {body}")]
    Status {
        /// The route.
        route: &'static str,
        /// The status.
        status: StatusCode,
        /// The body.
        body: String,
    },
    /// The answer's body could not be parsed.
    #[error("could not parse the answer")]
    Body(#[from] serde_json::Error),
}

/// The parts of a feed page that are used.
#[derive(Debug, Deserialize)]
pub struct FeedPage {
    /// The posts.
    pub items: Vec<PostRef>,
    /// The cursor of the next page.
    pub next_cursor: Option<String>,
}

impl FeedPage {
    /// Parses the body of an answer.
    pub fn decode(body: &[u8]) -> Result<Self, ClientError> {
        Ok(serde_json::from_slice(body)?)
    }
}

/// The parts of a post that are used.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct PostRef {
    /// Its id.
    pub post_id: PostId,
}

/// The parts of a comment that are used.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct CommentRef {
    /// Its id.
    pub comment_id: CommentId,
}

/// A client of one service. Clones share the connections.
#[derive(Debug, Clone)]
pub struct HttpClient {
    client: Client<HttpConnector, Full<Bytes>>,
    origin: String,
    answered: Arc<AtomicU64>,
}

impl HttpClient {
    /// A client of the service at `address`, which counts answered requests in `answered`. Its connections run on the
    /// runtime of the first request.
    pub fn new(address: SocketAddr, answered: Arc<AtomicU64>) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(1_024).build(connector);
        Self { client, origin: format!("http://{address}"), answered }
    }

    /// Sends `POST /v1/posts`; returns the post's id.
    pub async fn publish(&self, token: &str, text: &str) -> Result<PostId, ClientError> {
        let body = serde_json::to_vec(&serde_json::json!({ "text": text }))?;
        let request = self
            .request(Method::POST, "/v1/posts", token)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::from(body))?;
        let answer = self.answer("POST /v1/posts", request, StatusCode::CREATED).await?;
        Ok(serde_json::from_slice::<PostRef>(&answer)?.post_id)
    }

    /// Sends `GET /v1/feed`; returns the body.
    pub async fn feed(&self, token: &str, limit: u32, cursor: Option<&str>) -> Result<Bytes, ClientError> {
        self.page("GET /v1/feed", "/v1/feed", token, limit, cursor).await
    }

    /// Sends `GET /v1/users/{user}/posts`; returns the body.
    pub async fn story(
        &self,
        token: &str,
        author: UserId,
        limit: u32,
        cursor: Option<&str>,
    ) -> Result<Bytes, ClientError> {
        self.page("GET /v1/users/{user}/posts", &format!("/v1/users/{author}/posts"), token, limit, cursor).await
    }

    async fn page(
        &self,
        route: &'static str,
        path: &str,
        token: &str,
        limit: u32,
        cursor: Option<&str>,
    ) -> Result<Bytes, ClientError> {
        let mut path = format!("{path}?limit={limit}");
        if let Some(cursor) = cursor {
            path.push_str("&cursor=");
            path.push_str(cursor);
        }
        let request = self.request(Method::GET, &path, token).body(Full::default())?;
        self.answer(route, request, StatusCode::OK).await
    }

    /// Sends `PUT /v1/posts/{id}/like`.
    pub async fn like(&self, token: &str, post: PostId) -> Result<(), ClientError> {
        let request = self.request(Method::PUT, &format!("/v1/posts/{post}/like"), token).body(Full::default())?;
        self.answer("PUT /v1/posts/{id}/like", request, StatusCode::NO_CONTENT).await.map(drop)
    }

    /// Sends `POST /v1/posts/{id}/comments`; returns the comment's id.
    pub async fn comment(&self, token: &str, post: PostId, text: &str) -> Result<CommentId, ClientError> {
        let body = serde_json::to_vec(&serde_json::json!({ "text": text }))?;
        let request = self
            .request(Method::POST, &format!("/v1/posts/{post}/comments"), token)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::from(body))?;
        let answer = self.answer("POST /v1/posts/{id}/comments", request, StatusCode::CREATED).await?;
        Ok(serde_json::from_slice::<CommentRef>(&answer)?.comment_id)
    }

    /// Requests the constant answer of [`crate::yardstick`] of this size; returns the body.
    pub async fn constant(&self, bytes: usize) -> Result<Bytes, ClientError> {
        let request = self.request(Method::GET, &format!("{CONSTANT}/{bytes}"), "").body(Full::default())?;
        self.answer("the constant answer", request, StatusCode::OK).await
    }

    /// Sends a `GET` of `path` and parses the 200 as a `T`. `route` names it in errors.
    pub async fn get<T: DeserializeOwned>(
        &self,
        route: &'static str,
        path: &str,
        token: &str,
    ) -> Result<T, ClientError> {
        let request = self.request(Method::GET, path, token).body(Full::default())?;
        Ok(serde_json::from_slice(&self.answer(route, request, StatusCode::OK).await?)?)
    }

    fn request(&self, method: Method, path: &str, token: &str) -> http::request::Builder {
        Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.origin))
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
    }

    async fn answer(
        &self,
        route: &'static str,
        request: Request<Full<Bytes>>,
        expected: StatusCode,
    ) -> Result<Bytes, ClientError> {
        let (status, body) = tokio::time::timeout(TIMEOUT, self.exchange(request)).await??;
        if status == expected {
            self.answered.fetch_add(1, Ordering::Relaxed);
            return Ok(body);
        }
        Err(ClientError::Status { route, status, body: String::from_utf8_lossy(&body).into_owned() })
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), ClientError> {
        let answer = self.client.request(request).await.map_err(|error| ClientError::Connection(error.into()))?;
        let status = answer.status();
        let body = answer.into_body().collect().await.map_err(|error| ClientError::Connection(error.into()))?;
        Ok((status, body.to_bytes()))
    }
}

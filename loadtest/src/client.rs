//! The HTTP client: keep-alive connections to the service, one request at a time on each.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use domain::{CommentId, PostId};
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

/// Why a request did not do what it was to do.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The request could not be put together.
    #[error("the request cannot be made")]
    Request(#[from] http::Error),
    /// The connection broke or was never made.
    #[error("the service did not answer")]
    Connection(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No answer in time.
    #[error("the service did not answer within {} s", TIMEOUT.as_secs())]
    Timeout(#[from] tokio::time::error::Elapsed),
    /// An answer, but another.
    #[error("{route} was answered {status}: {body}")]
    Status {
        /// What was asked.
        route: &'static str,
        /// What was answered.
        status: StatusCode,
        /// With which words.
        body: String,
    },
    /// The answer's body has another form.
    #[error("the answer cannot be read")]
    Body(#[from] serde_json::Error),
}

/// A page of a feed, as far as it is looked at.
#[derive(Debug, Deserialize)]
pub struct FeedPage {
    /// The posts.
    pub items: Vec<PostRef>,
    /// Where to go on from.
    pub next_cursor: Option<String>,
}

impl FeedPage {
    /// Reads the body of an answer.
    pub fn decode(body: &[u8]) -> Result<Self, ClientError> {
        Ok(serde_json::from_slice(body)?)
    }
}

/// A post, as far as it is looked at.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct PostRef {
    /// Its id.
    pub post_id: PostId,
}

/// A comment, as far as it is looked at.
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
}

impl HttpClient {
    /// A client of the service at `address`. Its connections live on the runtime that first sends.
    pub fn new(address: SocketAddr) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(1_024).build(connector);
        Self { client, origin: format!("http://{address}") }
    }

    /// `POST /v1/posts`; the post's id from the 201.
    pub async fn publish(&self, token: &str, text: &str) -> Result<PostId, ClientError> {
        let body = serde_json::to_vec(&serde_json::json!({ "text": text }))?;
        let request = self
            .request(Method::POST, "/v1/posts", token)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::from(body))?;
        let answer = self.answer("POST /v1/posts", request, StatusCode::CREATED).await?;
        Ok(serde_json::from_slice::<PostRef>(&answer)?.post_id)
    }

    /// `GET /v1/feed`; the whole body of the 200.
    pub async fn feed(&self, token: &str, limit: u32, cursor: Option<&str>) -> Result<Bytes, ClientError> {
        let mut path = format!("/v1/feed?limit={limit}");
        if let Some(cursor) = cursor {
            path.push_str("&cursor=");
            path.push_str(cursor);
        }
        let request = self.request(Method::GET, &path, token).body(Full::default())?;
        self.answer("GET /v1/feed", request, StatusCode::OK).await
    }

    /// `PUT /v1/posts/{id}/like`.
    pub async fn like(&self, token: &str, post: PostId) -> Result<(), ClientError> {
        let request = self.request(Method::PUT, &format!("/v1/posts/{post}/like"), token).body(Full::default())?;
        self.answer("PUT /v1/posts/{id}/like", request, StatusCode::NO_CONTENT).await.map(drop)
    }

    /// `POST /v1/posts/{id}/comments`; the comment's id from the 201.
    pub async fn comment(&self, token: &str, post: PostId, text: &str) -> Result<CommentId, ClientError> {
        let body = serde_json::to_vec(&serde_json::json!({ "text": text }))?;
        let request = self
            .request(Method::POST, &format!("/v1/posts/{post}/comments"), token)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::from(body))?;
        let answer = self.answer("POST /v1/posts/{id}/comments", request, StatusCode::CREATED).await?;
        Ok(serde_json::from_slice::<CommentRef>(&answer)?.comment_id)
    }

    /// The constant answer of [`crate::yardstick`]; the whole body of the 200.
    pub async fn constant(&self) -> Result<Bytes, ClientError> {
        let request = self.request(Method::GET, CONSTANT, "").body(Full::default())?;
        self.answer("the constant answer", request, StatusCode::OK).await
    }

    /// A `GET` of `path` that answers 200 with a `T`. `route` names it in errors.
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

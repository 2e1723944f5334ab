//! A client of the API in this process: the requests of any client, without a connection.

use std::net::Ipv4Addr;

use axum::{Router, body::Body};
use http::{
    Method, Request, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use http_api::PeerAddress;
use serde_json::{Value, json};
use tower::ServiceExt as _;

/// The largest answer that is read: one object.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// The API answered a request with an error.
#[derive(Debug, thiserror::Error)]
#[error("{method} {path} was answered with {status}")]
pub struct CallError {
    method: Method,
    path: String,
    status: StatusCode,
}

/// Calls the routes of `router`.
#[derive(Debug, Clone)]
pub(super) struct Client {
    router: Router,
}

/// Calls as a user.
#[derive(Debug)]
pub(super) struct User<'a> {
    client: &'a Client,
    token: String,
}

impl Client {
    pub(super) const fn new(router: Router) -> Self {
        Self { router }
    }

    pub(super) async fn register(&self, handle: &str, name: &str, password: &str) -> Result<(), CallError> {
        let email = format!("{handle}@example.org");
        let body = json!({ "handle": handle, "display_name": name, "email": email, "password": password });
        self.call(Method::POST, "/v1/auth/register", None, Some(body)).await.map(drop)
    }

    /// Logs in; each time, as a token lasts for 15 minutes of a clock that may leap.
    pub(super) async fn as_user(&self, handle: &str, password: &str) -> Result<User<'_>, CallError> {
        let body = json!({ "handle": handle, "password": password });
        let answer = self.call(Method::POST, "/v1/auth/login", None, Some(body)).await?;
        Ok(User { client: self, token: text(&answer, "access_token") })
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<Value>,
    ) -> Result<Value, CallError> {
        let mut request = Request::builder().method(method.clone()).uri(path).header(CONTENT_TYPE, "application/json");
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let mut request = request.body(body).expect("the path and the token are plain");
        request.extensions_mut().insert(PeerAddress(Ipv4Addr::LOCALHOST.into()));
        let response = self.router.clone().oneshot(request).await.unwrap_or_else(|never| match never {});
        let status = response.status();
        if !status.is_success() {
            return Err(CallError { method, path: path.to_owned(), status });
        }
        let bytes = axum::body::to_bytes(response.into_body(), MAX_ANSWER_BYTES).await.unwrap_or_default();
        Ok(serde_json::from_slice(&bytes).unwrap_or_default())
    }
}

impl User<'_> {
    pub(super) async fn describe(&self, bio: &str) -> Result<(), CallError> {
        self.call(Method::PATCH, "/v1/users/me", Some(json!({ "bio": bio }))).await.map(drop)
    }

    pub(super) async fn follow(&self, handle: &str) -> Result<(), CallError> {
        self.call(Method::PUT, &format!("/v1/users/@{handle}/follow"), None).await.map(drop)
    }

    /// The id of the new post.
    pub(super) async fn post(&self, post: &str) -> Result<String, CallError> {
        let answer = self.call(Method::POST, "/v1/posts", Some(json!({ "text": post }))).await?;
        Ok(text(&answer, "post_id"))
    }

    pub(super) async fn like(&self, post: &str) -> Result<(), CallError> {
        self.call(Method::PUT, &format!("/v1/posts/{post}/like"), None).await.map(drop)
    }

    pub(super) async fn comment(&self, post: &str, text: &str) -> Result<(), CallError> {
        let path = format!("/v1/posts/{post}/comments");
        self.call(Method::POST, &path, Some(json!({ "text": text }))).await.map(drop)
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value, CallError> {
        self.client.call(method, path, Some(&self.token), body).await
    }
}

/// A text member of an answer.
fn text(answer: &Value, member: &str) -> String {
    answer[member].as_str().unwrap_or_default().to_owned()
}

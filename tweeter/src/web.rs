//! The web client, served beside the API.
//!
//! - `paths`: which paths are the client's, and which file answers.
//! - `files`: where the files are: in the binary, or in a directory.
//! - `policy`: the headers that bound what the page may do.

mod files;
mod paths;
mod policy;

use std::path::PathBuf;

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use http::{
    HeaderMap, HeaderValue, Method, StatusCode,
    header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, ETAG, IF_NONE_MATCH, VARY},
};
use tracing::error;

use files::{File, Files};
use paths::Target;

/// Where the web client comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum WebClient {
    /// The files in the binary.
    #[default]
    Embedded,
    /// A directory, read at each request: for work on the client.
    Directory(PathBuf),
    /// No client: its paths are unknown to the API.
    Off,
}

/// Serves the client on its own paths and everything else from `api`.
pub(crate) fn around(api: Router, client: &WebClient) -> Router {
    let files = match client {
        WebClient::Off => return api,
        WebClient::Embedded => Files::embedded(),
        WebClient::Directory(path) => Files::in_directory(path.clone()),
    };
    Router::new().fallback_service(api).layer(middleware::from_fn_with_state(files, serve))
}

/// Answers with a file, or passes the request on to the API.
async fn serve(State(files): State<Files>, request: Request, next: Next) -> Response {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return next.run(request).await;
    }
    let (status, name) = match paths::target(request.uri().path()) {
        Target::File(name) => (StatusCode::OK, name),
        Target::Page => (StatusCode::OK, paths::INDEX),
        Target::Unknown if accepts_html(request.headers()) => (StatusCode::NOT_FOUND, paths::INDEX),
        Target::Unknown | Target::Api => return next.run(request).await,
    };
    match files.find(name).await {
        Ok(Some(file)) => answer(&file, status, request.headers()),
        Ok(None) => next.run(request).await,
        Err(error) => {
            error!(error = telemetry::chain(&error), "Could not read a file of the web client; answered with a 500");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn answer(file: &File, status: StatusCode, asked: &HeaderMap) -> Response {
    let is_known = file.etag.as_ref().is_some_and(|etag| lists(asked, IF_NONE_MATCH, etag));
    let brotli = file.brotli.as_ref().filter(|_| lists(asked, ACCEPT_ENCODING, "br"));
    let is_brotli = brotli.is_some();
    let mut response = if is_known && status == StatusCode::OK {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        // hyper sends no body in response to HEAD, but its length.
        (status, Body::from(brotli.unwrap_or(&file.bytes).clone())).into_response()
    };
    let headers = response.headers_mut();
    policy::protect(headers, file);
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    if let Some(etag) = file.etag.as_ref().and_then(|etag| HeaderValue::try_from(etag).ok()) {
        headers.insert(ETAG, etag);
    }
    if is_brotli {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("br"));
    }
    response
}

/// Whether a list header has this item with a weight other than 0.
fn lists(headers: &HeaderMap, name: http::HeaderName, item: &str) -> bool {
    let lines = headers.get_all(name).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|listed| {
        let (listed, weight) = listed.split_once(';').unwrap_or((listed, ""));
        let weight = weight.trim().trim_start_matches("q=").parse();
        listed.trim() == item && weight != Ok(0.0_f32)
    })
}

/// Whether a browser is navigating, as opposed to a program that calls the API.
fn accepts_html(headers: &HeaderMap) -> bool {
    lists(headers, ACCEPT, "text/html")
}

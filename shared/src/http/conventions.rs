//! What holds of every answer, put around a router in one place.

use std::sync::Arc;

use axum::{Router, middleware};
use http::HeaderValue;

use super::{cors, durable, observe, problem::Problem};
use crate::store::Store;

/// How HTTP is served.
#[derive(Debug, Clone, Default)]
pub struct HttpOptions {
    /// Origins whose pages may call the API from a browser, such as `https://app.example.org`. None by default.
    pub cors_origins: Vec<HeaderValue>,
}

/// The variable that lists the origins of [`HttpOptions`], with commas between them.
pub const CORS_ORIGIN: &str = "TWEETER_CORS_ORIGIN";

/// An origin that no browser sends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{CORS_ORIGIN}: {origin:?} is not an origin such as https://app.example.org")]
pub struct InvalidOrigin {
    /// What stands there.
    pub origin: String,
}

impl HttpOptions {
    /// The options from a configuration: [`CORS_ORIGIN`].
    pub fn from_lookup(find: impl Fn(&'static str) -> Option<String>) -> Result<Self, InvalidOrigin> {
        let list = find(CORS_ORIGIN).unwrap_or_default();
        let origins = list.split(',').map(str::trim).filter(|origin| !origin.is_empty());
        Ok(Self { cors_origins: origins.map(origin).collect::<Result<_, _>>()? })
    }
}

/// Scheme and authority, nothing behind them: browsers send no path, so an origin with one would never match.
fn origin(text: &str) -> Result<HeaderValue, InvalidOrigin> {
    let invalid = || InvalidOrigin { origin: text.to_owned() };
    let (scheme, authority) = text.split_once("://").ok_or_else(invalid)?;
    if scheme.is_empty() || authority.is_empty() || authority.contains('/') {
        return Err(invalid());
    }
    HeaderValue::from_str(text).map_err(|_| invalid())
}

/// Puts around `routes` what holds of every answer. From the outside in:
/// 1. request id, log line, metrics, the headers of every answer;
/// 2. CORS;
/// 3. a panic becomes a 500 problem;
/// 4. an answer that a write succeeded waits until the write is durable.
///
/// Unknown routes and methods are answered by problem documents.
pub fn with_conventions(routes: Router, store: Arc<dyn Store>, options: &HttpOptions) -> Router {
    routes
        .fallback(async || Problem::NoSuchRoute)
        .method_not_allowed_fallback(async || Problem::MethodNotAllowed)
        .layer(middleware::from_fn_with_state(store, durable::durable_answers))
        .layer(middleware::from_fn(observe::panics))
        .layer(middleware::from_fn_with_state(cors::layer(options), cors::cors))
        .layer(middleware::from_fn(observe::observe))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins(list: &str) -> Result<Vec<HeaderValue>, InvalidOrigin> {
        HttpOptions::from_lookup(|_| Some(list.to_owned())).map(|options| options.cors_origins)
    }

    #[test]
    fn origins_are_a_list_without_paths() {
        assert_eq!(origins("").unwrap().len(), 0);
        assert_eq!(
            origins("https://a.example, http://localhost:3000,").unwrap(),
            ["https://a.example", "http://localhost:3000"]
        );
        for bad in ["*", "a.example", "https://", "https://a.example/", "https://a\nb"] {
            assert!(origins(bad).is_err(), "{bad}");
        }
    }
}

//! Compressed responses, the same in both deployments: API Gateway and the single process send what this layer makes.

use axum::extract::Request;
use http::{HeaderValue, header::ACCEPT_ENCODING};
use tower_http::compression::{
    CompressionLayer, Predicate,
    predicate::{And, NotForContentType, SizeAbove},
};

use domain::limits;

/// The responses to compress: those above [`limits::UNCOMPRESSED_BYTES`], except event streams, whose events a compressor
/// would hold back, and pictures, which are compressed.
type Compressible = And<And<SizeAbove, NotForContentType>, NotForContentType>;

/// Compresses with brotli or gzip, as the client accepts; brotli at the quality for responses made on the fly (4).
pub(super) fn layer() -> CompressionLayer<Compressible> {
    // The predicate includes its bound.
    let compressible =
        SizeAbove::new(limits::UNCOMPRESSED_BYTES + 1).and(NotForContentType::SSE).and(NotForContentType::IMAGES);
    CompressionLayer::new().compress_when(compressible)
}

/// Drops what forbids a response that is not encoded. The layer would turn it into a 406 after the request took effect;
/// RFC 9110 (section 12.5.3) lets a server ignore the header.
pub(super) async fn any_encoding(mut request: Request) -> Request {
    let headers = request.headers_mut();
    if headers.contains_key(ACCEPT_ENCODING) {
        let lists: Vec<&str> = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|list| list.to_str().ok()).collect();
        let kept: Vec<&str> = lists.iter().flat_map(|list| list.split(',')).filter(|item| !forbids(item)).collect();
        let kept = HeaderValue::from_str(&kept.join(",")).unwrap_or_else(|_| HeaderValue::from_static(""));
        headers.insert(ACCEPT_ENCODING, kept);
    }
    request
}

/// Whether this item of the header gives the unencoded form, or all that is not named, a weight of 0.
fn forbids(item: &str) -> bool {
    let (coding, weight) = item.split_once(';').unwrap_or((item, "q=1"));
    let weight = weight.trim().trim_start_matches(['q', 'Q']).trim_start_matches('=');
    let is_zero = weight.parse::<f32>().is_ok_and(|weight| weight == 0.0);
    is_zero && ["identity", "*"].contains(&coding.trim().to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use axum::{Router, body::Body, middleware, routing::get};
    use http::{
        Request, StatusCode,
        header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, VARY},
    };
    use tower::ServiceExt as _;

    use super::*;

    /// The encoding and `Vary` of a response of this many bytes.
    async fn encoding(bytes: u64, content_type: &'static str, accepted: &str) -> (Option<String>, bool) {
        let text = "x".repeat(usize::try_from(bytes).unwrap());
        let routes = Router::new().route("/", get(async move || ([(CONTENT_TYPE, content_type)], text)));
        let request = Request::get("/").header(ACCEPT_ENCODING, accepted).body(Body::empty()).unwrap();
        let routes = routes.layer(layer()).layer(middleware::map_request(any_encoding));
        let response = routes.oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let encoding = response.headers().get(CONTENT_ENCODING).map(|it| it.to_str().unwrap().to_owned());
        (encoding, response.headers().contains_key(VARY))
    }

    #[tokio::test]
    async fn responses_above_a_kilobyte_are_compressed() {
        let encoding_of = async |bytes, accepted| encoding(bytes, "application/json", accepted).await;
        let large = limits::UNCOMPRESSED_BYTES + 1;
        assert_eq!(encoding_of(large, "gzip, deflate, br").await, (Some("br".to_owned()), true));
        assert_eq!(encoding_of(large, "gzip, deflate").await, (Some("gzip".to_owned()), true));
        assert_eq!(encoding_of(large, "identity").await.0, None);
        assert_eq!(encoding_of(limits::UNCOMPRESSED_BYTES, "gzip, br").await.0, None);
    }

    #[tokio::test]
    async fn no_header_makes_a_response_unacceptable() {
        let plain =
            ["identity;q=0", "*;q=0", "*; q=0.000, identity ; Q=0", "deflate, *;q=0", "", "gzip;q=0, *;q=0", "\u{e9}"];
        for accepted in plain {
            assert_eq!(encoding(10_000, "application/json", accepted).await.0, None, "{accepted}");
        }
        let gzip = ["gzip, identity;q=0", "gzip;q=0.1, *;q=0"];
        for accepted in gzip {
            assert_eq!(encoding(10_000, "application/json", accepted).await.0.as_deref(), Some("gzip"), "{accepted}");
        }
    }

    #[tokio::test]
    async fn event_streams_and_pictures_are_never_compressed() {
        for content_type in ["text/event-stream", "image/jpeg"] {
            assert_eq!(encoding(1_000_000, content_type, "gzip, br").await.0, None, "{content_type}");
        }
    }
}

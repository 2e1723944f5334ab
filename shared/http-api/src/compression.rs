//! Compressed responses, the same in both deployments: API Gateway and the single process send what this layer makes.

use tower_http::compression::{
    CompressionLayer, Predicate,
    predicate::{And, NotForContentType, SizeAbove},
};

use domain::limits;

/// What to compress: responses above [`limits::UNCOMPRESSED_BYTES`], except event streams, whose events a compressor
/// would hold back.
type Compressible = And<SizeAbove, NotForContentType>;

/// Compresses with brotli or gzip, as the client accepts; brotli at the quality for responses made on the fly (4).
pub(super) fn layer() -> CompressionLayer<Compressible> {
    // The predicate includes its bound.
    let compressible = SizeAbove::new(limits::UNCOMPRESSED_BYTES + 1).and(NotForContentType::SSE);
    CompressionLayer::new().compress_when(compressible)
}

#[cfg(test)]
mod tests {
    use axum::{Router, body::Body, routing::get};
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
        let response = routes.layer(layer()).oneshot(request).await.unwrap();
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
    async fn event_streams_are_never_compressed() {
        assert_eq!(encoding(1_000_000, "text/event-stream", "gzip, br").await.0, None);
    }
}

//! Responses of S3 that no engine produces, and how the adapter handles them.

use bytes::Bytes;
use ports::blobs::{Blob, BlobError, Blobs, Bucket};
use testkit::canned::{Canned, CannedService};

const KEY: &str = "media/a/medium.jpg";
const SLOW_DOWN: &str = "<Error><Code>SlowDown</Code><Message>prepared</Message></Error>";
const DENIED: &str = "<Error><Code>AccessDenied</Code><Message>prepared</Message></Error>";
const BROKEN: &str = "<Error><Code>InternalError</Code><Message>prepared</Message></Error>";

/// The error of each call but presigning, which asks nothing.
async fn errors(answer: Canned) -> Vec<BlobError> {
    let service = CannedService::new(std::iter::repeat_n(answer, 5));
    let blobs = service.blobs();
    let blob = Blob { body: Bytes::from_static(b"text"), content_type: "text/plain".to_owned() };
    let errors = vec![
        blobs.put(Bucket::Media, KEY, blob).await.unwrap_err(),
        blobs.get(Bucket::Media, KEY, 10).await.unwrap_err(),
        blobs.head(Bucket::Media, KEY).await.unwrap_err(),
        blobs.delete(Bucket::Media, &[KEY.to_owned()]).await.unwrap_err(),
        blobs.copy(Bucket::Media, KEY, "withheld/a").await.unwrap_err(),
    ];
    assert_eq!(service.calls().len(), errors.len(), "the adapter retries nothing");
    errors
}

#[tokio::test]
async fn throttling_is_transient() {
    for error in errors(Canned::Xml(503, SLOW_DOWN)).await {
        // The answer to a HEAD has no body, so its code is unknown.
        assert!(error.is_transient(), "{error:?}");
    }
    assert!(matches!(errors(Canned::Xml(503, SLOW_DOWN)).await[0], BlobError::Throttled));
}

#[tokio::test]
async fn a_missing_permission_is_permanent() {
    for error in errors(Canned::Xml(403, DENIED)).await {
        assert!(matches!(error, BlobError::Refused(_)) && !error.is_transient(), "{error:?}");
    }
}

#[tokio::test]
async fn a_failing_or_silent_service_is_unavailable() {
    for answer in [Canned::Xml(500, BROKEN), Canned::Lost, Canned::TimedOut] {
        for error in errors(answer).await {
            assert!(matches!(error, BlobError::Unavailable(_)), "{error:?}");
        }
    }
}

#[tokio::test]
async fn a_key_that_is_not_deleted_fails_the_delete() {
    let answer = "<DeleteResult><Error><Key>media/b</Key><Code>InternalError</Code></Error></DeleteResult>";
    let throttled = "<DeleteResult><Error><Key>media/b</Key><Code>SlowDown</Code></Error></DeleteResult>";
    let denied = "<DeleteResult><Error><Key>media/b</Key><Code>AccessDenied</Code></Error></DeleteResult>";
    let blobs = CannedService::new([answer, throttled, denied].map(|answer| Canned::Xml(200, answer))).blobs();
    let keys = ["media/a", "media/b"].map(str::to_owned);
    assert!(matches!(blobs.delete(Bucket::Media, &keys).await, Err(BlobError::Unavailable(_))));
    assert!(matches!(blobs.delete(Bucket::Media, &keys).await, Err(BlobError::Throttled)));
    assert!(matches!(blobs.delete(Bucket::Media, &keys).await, Err(BlobError::Refused(_))));
}

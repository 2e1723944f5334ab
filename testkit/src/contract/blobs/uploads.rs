//! Presigned uploads.

use std::time::Duration;

use bytes::Bytes;
use domain::{Clock, Timestamp};
use futures::future::join_all;
use ports::blobs::{Blob, BlobInfo, Bucket, Permitted, PresignedUpload};

use super::{BlobsHarness, MAX_BYTES, Uploaded, blob};

const KEY: &str = "uploads/0198c0de-0000-7000-8000-000000000001";
const CONTENT: &str = "some content";
const LASTS: Duration = Duration::from_mins(5);

fn now() -> Timestamp {
    Clock::System.now()
}

async fn presigned(h: &BlobsHarness, key: &str, now: Timestamp) -> PresignedUpload {
    let permitted = Permitted { key, content_type: "image/png", bytes: CONTENT.len() as u64, lasts: LASTS };
    h.blobs.presign_upload(permitted, now).await.expect("a URL")
}

async fn send(h: &BlobsHarness, upload: PresignedUpload, content: &str) -> Uploaded {
    (h.upload)(upload, Bytes::copy_from_slice(content.as_bytes())).await
}

async fn stored(h: &BlobsHarness, key: &str) -> Option<Blob> {
    h.blobs.get(Bucket::Uploads, key, MAX_BYTES).await.unwrap()
}

/// The upload with another value of a header that the client must send.
fn with_header(mut upload: PresignedUpload, name: &str, value: &str) -> PresignedUpload {
    let header = upload.headers.iter_mut().find(|(found, _)| found == name);
    value.clone_into(&mut header.unwrap_or_else(|| panic!("no {name} among the headers")).1);
    upload
}

/// The exact request is stored, with the announced type.
pub async fn a_permitted_upload_is_stored(h: BlobsHarness) {
    let upload = presigned(&h, KEY, now()).await;
    assert_eq!(send(&h, upload, CONTENT).await, Uploaded::Stored);
    let expected = Blob { content_type: "image/png".to_owned(), ..blob(CONTENT) };
    assert_eq!(stored(&h, KEY).await, Some(expected));
    let info = h.blobs.head(Bucket::Uploads, KEY).await.unwrap();
    assert_eq!(info, Some(BlobInfo { bytes: CONTENT.len() as u64, content_type: "image/png".to_owned() }));
}

/// Counted from the whole second before it was signed.
pub async fn an_upload_expires_after_its_duration(h: BlobsHarness) {
    let signed_at = Timestamp::from_millis(1_763_700_000_999);
    let upload = presigned(&h, KEY, signed_at).await;
    assert_eq!(upload.expires_at, Timestamp::from_millis(1_763_700_000_000).plus(LASTS));
}

/// Refused although its signature is valid.
pub async fn an_expired_upload_is_refused(h: BlobsHarness) {
    let upload = presigned(&h, KEY, now().minus(LASTS + Duration::from_secs(2))).await;
    assert_eq!(send(&h, upload, CONTENT).await, Uploaded::Forbidden);
    assert_eq!(stored(&h, KEY).await, None);
}

/// Longer and shorter contents, announced as what they are.
pub async fn an_upload_of_another_size_is_refused(h: BlobsHarness) {
    for content in ["some contents", "some conten", ""] {
        let upload = with_header(presigned(&h, KEY, now()).await, "content-length", &content.len().to_string());
        assert_eq!(send(&h, upload, content).await, Uploaded::Forbidden, "{content:?}");
        assert_eq!(stored(&h, KEY).await, None);
    }
}

/// The type is part of the signature.
pub async fn an_upload_of_another_type_is_refused(h: BlobsHarness) {
    let upload = with_header(presigned(&h, KEY, now()).await, "content-type", "text/html");
    assert_eq!(send(&h, upload, CONTENT).await, Uploaded::Forbidden);
    assert_eq!(stored(&h, KEY).await, None);
}

/// The key is part of the signature.
pub async fn an_upload_to_another_key_is_refused(h: BlobsHarness) {
    let mut upload = presigned(&h, KEY, now()).await;
    let other = KEY.replace("0001", "0002");
    upload.url = upload.url.replace(KEY, &other);
    assert_eq!(send(&h, upload, CONTENT).await, Uploaded::Forbidden);
    assert_eq!((stored(&h, KEY).await, stored(&h, &other).await), (None, None));
}

/// Any other signature is refused.
pub async fn an_altered_signature_is_refused(h: BlobsHarness) {
    let mut upload = presigned(&h, KEY, now()).await;
    let at = upload.url.to_lowercase().find("signature=").expect("a signature") + "signature=".len();
    let digit = if upload.url.as_bytes()[at] == b'0' { "1" } else { "0" };
    upload.url.replace_range(at..=at, digit);
    assert_eq!(send(&h, upload, CONTENT).await, Uploaded::Forbidden);
    assert_eq!(stored(&h, KEY).await, None);
}

/// An object cannot be replaced after it was checked.
pub async fn a_second_upload_changes_nothing(h: BlobsHarness) {
    let upload = presigned(&h, KEY, now()).await;
    assert_eq!(send(&h, upload.clone(), CONTENT).await, Uploaded::Stored);
    assert_eq!(send(&h, upload, "same  length").await, Uploaded::KeyInUse);
    assert_eq!(stored(&h, KEY).await.map(|blob| blob.body), Some(Bytes::from_static(CONTENT.as_bytes())));
}

/// An upload that was processed blocks its URL until the URL expires.
pub async fn an_emptied_key_refuses_its_url(h: BlobsHarness) {
    let upload = presigned(&h, KEY, now()).await;
    assert_eq!(send(&h, upload.clone(), CONTENT).await, Uploaded::Stored);
    h.blobs.put(Bucket::Uploads, KEY, blob("")).await.unwrap();
    assert_eq!(send(&h, upload, CONTENT).await, Uploaded::KeyInUse);
    assert_eq!(stored(&h, KEY).await, Some(blob("")));
}

/// Exactly one is stored.
pub async fn concurrent_uploads_have_one_winner(h: BlobsHarness) {
    let upload = presigned(&h, KEY, now()).await;
    let contents: Vec<_> = (0..6).map(|writer| format!("some conten{writer}")).collect();
    let answers = join_all(contents.iter().map(|content| send(&h, upload.clone(), content))).await;
    let winners: Vec<_> = (0..6).filter(|&at| answers[at] == Uploaded::Stored).collect();
    assert_eq!(winners.len(), 1, "{answers:?}");
    assert!(answers.iter().all(|&answer| answer != Uploaded::Forbidden), "{answers:?}");
    assert_eq!(stored(&h, KEY).await.map(|blob| blob.body), Some(Bytes::from(contents[winners[0]].clone())));
}

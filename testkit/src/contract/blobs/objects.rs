//! Whole objects.

use bytes::Bytes;
use futures::future::join_all;
use ports::blobs::{Blob, BlobError, BlobInfo, Bucket, MAX_DELETE, MAX_KEY_BYTES};

use super::{BUCKET, BlobsHarness, MAX_BYTES, blob};

/// Neither read finds an object before it is put.
pub async fn a_missing_object_is_none(h: BlobsHarness) {
    assert_eq!(h.get("media/a/x.jpg").await, None);
    assert_eq!(h.blobs.head(BUCKET, "media/a/x.jpg").await.unwrap(), None);
}

/// Content, size and type round-trip unchanged, at a key of the maximum length too.
pub async fn an_object_reads_back_with_its_type(h: BlobsHarness) {
    let body: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).take(700_001).collect();
    let stored = Blob { body: Bytes::from(body), content_type: "image/jpeg".to_owned() };
    for key in ["media/a/x.jpg".to_owned(), "k".repeat(MAX_KEY_BYTES)] {
        h.put(&key, stored.clone()).await;
        assert_eq!(h.get(&key).await.as_ref(), Some(&stored));
        let info = h.blobs.head(BUCKET, &key).await.unwrap();
        assert_eq!(info, Some(BlobInfo { bytes: 700_001, content_type: "image/jpeg".to_owned() }));
    }
}

/// No content is content too.
pub async fn an_empty_object_is_there(h: BlobsHarness) {
    h.put("a", blob("")).await;
    assert_eq!(h.get("a").await, Some(blob("")));
    assert_eq!(h.blobs.head(BUCKET, "a").await.unwrap().map(|info| info.bytes), Some(0));
}

/// The last writer wins, type included.
pub async fn a_put_replaces_the_object(h: BlobsHarness) {
    h.put("a", blob("a longer text")).await;
    let other = Blob { content_type: "image/png".to_owned(), ..blob("other") };
    h.put("a", other.clone()).await;
    assert_eq!(h.get("a").await, Some(other));
}

/// The same key names a different object in each bucket.
pub async fn buckets_share_no_objects(h: BlobsHarness) {
    for bucket in Bucket::ALL {
        h.blobs.put(bucket, "same/key", blob(bucket.name())).await.unwrap();
    }
    for bucket in Bucket::ALL {
        assert_eq!(h.blobs.get(bucket, "same/key", MAX_BYTES).await.unwrap(), Some(blob(bucket.name())));
    }
}

/// A reader's bound includes itself.
pub async fn an_object_above_the_readers_bound_is_refused(h: BlobsHarness) {
    h.put("a", blob("12345")).await;
    assert_eq!(h.blobs.get(BUCKET, "a", 5).await.unwrap(), Some(blob("12345")));
    let error = h.blobs.get(BUCKET, "a", 4).await.unwrap_err();
    assert!(matches!(error, BlobError::Refused(_)) && !error.is_transient(), "{error:?}");
}

/// A delete removes what exists among the keys, and no other object.
pub async fn a_delete_removes_and_may_be_repeated(h: BlobsHarness) {
    for key in ["a/1", "a/2", "a/3"] {
        h.put(key, blob(key)).await;
    }
    let keys = ["a/1", "a/3", "a/missing"].map(str::to_owned);
    for _ in 0..2 {
        h.blobs.delete(BUCKET, &keys).await.unwrap();
        assert_eq!((h.get("a/1").await, h.get("a/2").await, h.get("a/3").await), (None, Some(blob("a/2")), None));
    }
    h.blobs.delete(BUCKET, &[]).await.unwrap();
}

/// The limit of S3, and nothing is removed above it.
pub async fn a_delete_takes_at_most_1000_keys(h: BlobsHarness) {
    h.put("key-0", blob("0")).await;
    let keys: Vec<_> = (0..=MAX_DELETE).map(|number| format!("key-{number}")).collect();
    let error = h.blobs.delete(BUCKET, &keys).await.unwrap_err();
    assert!(matches!(error, BlobError::Refused(_)), "{error:?}");
    assert_eq!(h.get("key-0").await, Some(blob("0")));
    h.blobs.delete(BUCKET, &keys[..MAX_DELETE]).await.unwrap();
    assert_eq!(h.get("key-0").await, None);
}

/// A copy has the content and the type of its original, which may be removed or replaced afterwards.
pub async fn a_copy_outlives_its_original(h: BlobsHarness) {
    let original = Blob { content_type: "image/webp".to_owned(), ..blob("original") };
    h.put("media/a/x.jpg", original.clone()).await;
    assert!(h.blobs.copy(BUCKET, "media/a/x.jpg", "withheld/a/x.jpg").await.unwrap());
    h.put("media/a/x.jpg", blob("replaced")).await;
    assert_eq!(h.get("withheld/a/x.jpg").await.as_ref(), Some(&original));
    h.blobs.delete(BUCKET, &["media/a/x.jpg".to_owned()]).await.unwrap();
    assert_eq!(h.get("withheld/a/x.jpg").await, Some(original));
}

/// Copying to a key with an object replaces it.
pub async fn a_copy_replaces_its_target(h: BlobsHarness) {
    h.put("from", blob("new")).await;
    h.put("to", blob("old")).await;
    assert!(h.blobs.copy(BUCKET, "from", "to").await.unwrap());
    assert_eq!(h.get("to").await, Some(blob("new")));
}

/// Repeating a copy, or copying back, succeeds.
pub async fn a_copy_may_be_repeated(h: BlobsHarness) {
    h.put("from", blob("text")).await;
    for _ in 0..2 {
        assert!(h.blobs.copy(BUCKET, "from", "to").await.unwrap());
    }
    assert!(h.blobs.copy(BUCKET, "to", "from").await.unwrap());
    assert_eq!((h.get("from").await, h.get("to").await), (Some(blob("text")), Some(blob("text"))));
}

/// The target keeps its object.
pub async fn copying_a_missing_object_changes_nothing(h: BlobsHarness) {
    h.put("to", blob("kept")).await;
    assert!(!h.blobs.copy(BUCKET, "from", "to").await.unwrap());
    assert_eq!(h.get("to").await, Some(blob("kept")));
}

/// Every call refuses a malformed key.
pub async fn a_malformed_key_is_refused(h: BlobsHarness) {
    let refused = |error: BlobError| assert!(matches!(error, BlobError::Refused(_)), "{error:?}");
    for key in ["", "/a", "a/", "A", "a b", "a+b", "ä", &"k".repeat(MAX_KEY_BYTES + 1)] {
        refused(h.blobs.put(BUCKET, key, blob("")).await.unwrap_err());
        refused(h.blobs.get(BUCKET, key, MAX_BYTES).await.unwrap_err());
        refused(h.blobs.head(BUCKET, key).await.unwrap_err());
        refused(h.blobs.delete(BUCKET, &[key.to_owned()]).await.unwrap_err());
        refused(h.blobs.copy(BUCKET, key, "a").await.unwrap_err());
        refused(h.blobs.copy(BUCKET, "a", key).await.unwrap_err());
    }
}

/// Readers meanwhile see either nothing or one writer's whole object.
pub async fn concurrent_puts_leave_one_whole_object(h: BlobsHarness) {
    let blobs: Vec<_> = (0..8).map(|writer| blob(&format!("{writer}").repeat(50_000 + writer))).collect();
    let writes = join_all(blobs.iter().map(|blob| h.put("a", blob.clone())));
    let reads = join_all((0..8).map(|_| h.get("a")));
    let (_, seen) = futures::join!(writes, reads);
    for read in seen.into_iter().flatten().chain([h.get("a").await.unwrap()]) {
        assert!(blobs.contains(&read), "{} bytes of no writer", read.body.len());
    }
}

//! Object storage on files: what its contract does not cover.

use std::{
    fs, io,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use domain::{Clock, Timestamp};
use embedded::{
    BlobOptions, EmbeddedBlobs,
    blobs::{UPLOADS_AGE, backup::sum_of, upload::UploadError},
};
use ports::{
    blobs::{Blob, BlobError, Blobs, Bucket, Permitted, PresignedUpload},
    signing::TokenKeys,
};

use crate::it::blobs_contract::{blobs, request, upload};

const KEY: &str = "media/t/medium.jpg";

fn blob(text: &str) -> Blob {
    Blob { body: Bytes::copy_from_slice(text.as_bytes()), content_type: "image/jpeg".to_owned() }
}

async fn put(blobs: &EmbeddedBlobs, key: &str, text: &str) {
    blobs.put(Bucket::Media, key, blob(text)).await.expect("put");
}

async fn get(blobs: &EmbeddedBlobs, key: &str) -> Option<String> {
    let found = blobs.get(Bucket::Media, key, 1_000_000).await.expect("read");
    found.map(|blob| String::from_utf8(blob.body.to_vec()).expect("a text"))
}

async fn presigned(blobs: &EmbeddedBlobs, bytes: u64) -> PresignedUpload {
    let permitted = Permitted { key: "uploads/1", content_type: "image/png", bytes, lasts: Duration::from_mins(5) };
    blobs.presign_upload(permitted, Clock::System.now()).await.expect("a URL")
}

/// All files below a directory.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn no_report() -> impl FnMut(embedded::copy::Progress) -> ControlFlow<()> {
    |_| ControlFlow::Continue(())
}

/// Storage whose disk is full while the flag is set.
fn with_full_disk(folder: &Path) -> (EmbeddedBlobs, Arc<AtomicBool>) {
    let full = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&full);
    let before_write =
        Arc::new(move || if seen.load(Ordering::SeqCst) { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) });
    let options = BlobOptions { before_write, ..BlobOptions::at(folder, TokenKeys::new([7; 32])) };
    (EmbeddedBlobs::open(options).expect("object storage"), full)
}

#[tokio::test]
async fn objects_survive_a_restart_and_unfinished_uploads_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let first = blobs(folder.path());
    put(&first, KEY, "text").await;
    let upload = first.begin_upload(request(&presigned(&first, 4).await), Clock::System.now()).await.unwrap();
    // A killed process leaves its file.
    std::mem::forget(upload.append(Bytes::from_static(b"ab")).await.unwrap());
    assert_eq!(files(&folder.path().join("unfinished")).len(), 1);
    let second = blobs(folder.path());
    assert_eq!(get(&second, KEY).await.as_deref(), Some("text"));
    assert_eq!(files(folder.path()).len(), 1);
}

#[tokio::test]
async fn an_abandoned_upload_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = blobs(folder.path());
    let started = blobs.begin_upload(request(&presigned(&blobs, 4).await), Clock::System.now()).await.unwrap();
    drop(started.append(Bytes::from_static(b"abc")).await.unwrap());
    assert_eq!(files(folder.path()), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn content_of_another_size_than_announced_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = blobs(folder.path());
    for content in ["123", "12345", "1234567890"] {
        let error = upload(&blobs, request(&presigned(&blobs, 4).await), content.into()).await.unwrap_err();
        assert!(matches!(error, UploadError::WrongSize), "{error:?}");
        assert_eq!(files(folder.path()), Vec::<PathBuf>::new());
    }
}

#[tokio::test]
async fn a_full_disk_refuses_writes_and_keeps_objects() {
    let folder = tempfile::tempdir().unwrap();
    let (blobs, full) = with_full_disk(folder.path());
    put(&blobs, KEY, "text").await;
    let begun = blobs.begin_upload(request(&presigned(&blobs, 4).await), Clock::System.now()).await.unwrap();
    let begun = begun.append(Bytes::from_static(b"1234")).await.unwrap();
    full.store(true, Ordering::SeqCst);
    let error = blobs.put(Bucket::Media, KEY, blob("other")).await.unwrap_err();
    assert!(matches!(error, BlobError::Full) && error.is_transient(), "{error:?}");
    let refused = begun.finish().await.unwrap_err();
    assert!(matches!(refused, UploadError::Blobs(BlobError::Full)), "{refused:?}");
    assert_eq!(get(&blobs, KEY).await.as_deref(), Some("text"));
    assert!(blobs.copy(Bucket::Media, KEY, "withheld/t/medium.jpg").await.unwrap(), "withholding needs no room");
    assert_eq!(files(folder.path()).len(), 2);
}

#[tokio::test]
async fn damaged_content_is_refused_and_can_be_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = blobs(folder.path());
    let damages: [fn(&mut Vec<u8>); 3] =
        [|file| file.truncate(30), |file| file[0] ^= 1, |file| *file.last_mut().unwrap() ^= 1];
    for damage in damages {
        put(&blobs, KEY, "some text").await;
        let [path] = <[PathBuf; 1]>::try_from(files(folder.path())).unwrap();
        let mut file = fs::read(&path).unwrap();
        damage(&mut file);
        fs::write(&path, file).unwrap();
        let error = blobs.get(Bucket::Media, KEY, 1_000).await.unwrap_err();
        assert!(matches!(error, BlobError::Refused(_)), "{error:?}");
    }
    put(&blobs, KEY, "again").await;
    assert_eq!(get(&blobs, KEY).await.as_deref(), Some("again"));
}

#[tokio::test]
async fn only_keys_under_media_are_served() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = blobs(folder.path());
    for key in [KEY, "withheld/t/medium.jpg"] {
        put(&blobs, key, "text").await;
    }
    let served = blobs.serve(KEY).await.unwrap().unwrap();
    assert_eq!((served.bytes, served.content_type.as_str()), (4, "image/jpeg"));
    for key in ["withheld/t/medium.jpg", "media/t/../../withheld/t/medium.jpg", "media/t/original.jpg", "media//"] {
        assert!(blobs.serve(key).await.unwrap().is_none(), "{key}");
    }
}

#[tokio::test]
async fn uploads_are_removed_after_a_day() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = blobs(folder.path());
    upload(&blobs, request(&presigned(&blobs, 4).await), "1234".into()).await.unwrap();
    put(&blobs, KEY, "text").await;
    let written = Timestamp::from_millis(1_763_700_000_000);
    for path in files(folder.path()) {
        let file = fs::File::options().append(true).open(path).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_millis(written.as_millis())).unwrap();
    }
    let stored = async || blobs.head(Bucket::Uploads, "uploads/1").await.unwrap().is_some();
    blobs.remove_old_uploads(written.plus(UPLOADS_AGE)).await.unwrap();
    assert!(stored().await);
    blobs.remove_old_uploads(written.plus(UPLOADS_AGE + Duration::from_millis(1))).await.unwrap();
    assert!(!stored().await);
    assert_eq!(get(&blobs, KEY).await.as_deref(), Some("text"), "pictures stay");
}

#[tokio::test]
async fn a_backup_holds_objects_removed_since_it_began() {
    let folder = tempfile::tempdir().unwrap();
    let live = blobs(&folder.path().join("live"));
    for key in ["media/removed", "media/replaced", "media/overwritten", "media/stays"] {
        put(&live, key, "before").await;
    }
    let keeping = live.keep();
    for _ in 0..2 {
        put(&live, "media/new", "after").await;
        put(&live, "media/replaced", "after").await;
        assert!(live.copy(Bucket::Media, "media/new", "media/overwritten").await.unwrap());
        live.delete(Bucket::Media, &["media/removed".to_owned()]).await.unwrap();
        put(&live, "media/removed", "after").await;
    }
    let copied = keeping.copy_to(&folder.path().join("copy"), &mut no_report()).unwrap();
    drop(keeping);
    assert_eq!(sum_of(&folder.path().join("copy"), &mut no_report()).unwrap(), copied);
    let copy = blobs(&folder.path().join("copy"));
    for key in ["media/removed", "media/replaced", "media/overwritten", "media/stays"] {
        assert_eq!(get(&copy, key).await.as_deref(), Some("before"), "{key}");
        let now = if key == "media/stays" { "before" } else { "after" };
        assert_eq!(get(&live, key).await.as_deref(), Some(now), "{key}");
    }
    assert_eq!(files(&folder.path().join("live")).len(), 5, "nothing is kept after the backup");
}

#[tokio::test]
async fn a_changed_copy_has_another_sum() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = blobs(folder.path());
    put(&blobs, KEY, "text").await;
    let sum = sum_of(folder.path(), &mut no_report()).unwrap();
    put(&blobs, KEY, "tex?").await;
    assert_ne!(sum_of(folder.path(), &mut no_report()).unwrap(), sum);
}

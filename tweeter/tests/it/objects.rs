//! Uploads by signed URLs and pictures, over HTTP.

use std::{
    fs, io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use domain::Clock;
use embedded::EmbeddedBlobs;
use http::{Method, Request};
use http_body_util::Full;
use ports::blobs::{Blob, Blobs, Bucket, Permitted, PresignedUpload};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tweeter::TestHooks;

use crate::support::{Answer, TestApp, hooks, in_time};

const KEY: &str = "uploads/0198c0de-0000-7000-8000-000000000001";
const PICTURE: &str = "media/0123456789abcdef/medium.jpg";
const MINUTES: Duration = Duration::from_mins(5);

fn storage(app: &TestApp) -> &EmbeddedBlobs {
    app.handle.blobs().unwrap()
}

async fn presigned(app: &TestApp, bytes: usize) -> PresignedUpload {
    let permitted = Permitted { key: KEY, content_type: "image/png", bytes: bytes as u64, lasts: MINUTES };
    storage(app).presign_upload(permitted, Clock::System.now()).await.unwrap()
}

async fn put(app: &TestApp, upload: &PresignedUpload, content: impl Into<Bytes>) -> Answer {
    let mut request = Request::builder().method(Method::PUT).uri(&upload.url);
    for (name, value) in &upload.headers {
        request = request.header(name, value);
    }
    app.send(request.body(Full::new(content.into())).unwrap()).await
}

async fn uploaded(app: &TestApp) -> Option<Blob> {
    storage(app).get(Bucket::Uploads, KEY, u64::MAX).await.unwrap()
}

async fn get(app: &TestApp, method: Method, path: &str, known: Option<&str>) -> Answer {
    let headers: Vec<_> = known.map(|tag| ("if-none-match", tag)).into_iter().collect();
    app.request_with(method, path, None, None, &headers).await
}

fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.headers.get(name).map_or("", |value| value.to_str().unwrap())
}

async fn with_picture(app: &TestApp) -> Bytes {
    let body = Bytes::from("0123456789".repeat(30_000));
    let blob = Blob { body: body.clone(), content_type: "image/jpeg".to_owned() };
    storage(app).put(Bucket::Media, PICTURE, blob).await.unwrap();
    body
}

#[tokio::test]
async fn ten_mebibytes_are_uploaded_once() {
    // Without workers, which would remove the upload: no picture was announced under its key.
    let app = TestApp::start_with(TestHooks { workers: false, ..hooks() }).await;
    let content = Bytes::from((0..10 * 1024 * 1024_u32).map(|at| at.to_le_bytes()[1]).collect::<Vec<_>>());
    let upload = presigned(&app, content.len()).await;
    put(&app, &upload, content.clone()).await.expect(200);
    let again = put(&app, &upload, vec![0; content.len()]).await.expect(412);
    assert_eq!(again.body["type"], "/problems/already-uploaded");
    let stored = uploaded(&app).await.unwrap();
    assert!(stored.body == content && stored.content_type == "image/png");
    app.stop().await;
}

#[tokio::test]
async fn another_type_size_key_or_signature_is_refused() {
    let app = TestApp::start().await;
    let upload = presigned(&app, 4).await;
    let changed = |from: &str, to: &str| PresignedUpload { url: upload.url.replace(from, to), ..upload.clone() };
    let other_type =
        PresignedUpload { headers: vec![("content-type".to_owned(), "text/html".to_owned())], ..upload.clone() };
    let untyped = PresignedUpload { headers: Vec::new(), ..upload.clone() };
    let refused = [
        (changed("0001?", "0002?"), "1234"),
        (changed("signature=", "signature=0"), "1234"),
        (changed("signature=", "signed="), "1234"),
        (changed("expires=", "expires=1"), "1234"),
        (changed("expires=", "expires=-"), "1234"),
        (other_type, "1234"),
        (untyped, "1234"),
        (PresignedUpload { headers: vec![upload.headers[0].clone()], ..upload.clone() }, "12345"),
        (PresignedUpload { headers: vec![upload.headers[0].clone()], ..upload.clone() }, ""),
    ];
    for (upload, content) in refused {
        let answer = put(&app, &upload, content).await.expect(403);
        assert_eq!(answer.body["type"], "/problems/upload-not-permitted", "{}", upload.url);
    }
    assert_eq!(uploaded(&app).await, None);
    put(&app, &upload, "1234").await.expect(200);
    app.stop().await;
}

#[tokio::test]
async fn an_expired_url_is_refused() {
    let app = TestApp::start().await;
    let permitted = Permitted { key: KEY, content_type: "image/png", bytes: 4, lasts: MINUTES };
    let signed_at = Clock::System.now().minus(MINUTES + Duration::from_secs(1));
    let upload = storage(&app).presign_upload(permitted, signed_at).await.unwrap();
    put(&app, &upload, "1234").await.expect(403);
    assert_eq!(uploaded(&app).await, None);
    app.stop().await;
}

#[tokio::test]
async fn a_broken_connection_leaves_nothing() {
    let app = TestApp::start().await;
    let upload = presigned(&app, 1_000_000).await;
    let path = upload.url.strip_prefix(&app.client.base).unwrap();
    let head = format!(
        "PUT {path} HTTP/1.1\r\nhost: test\r\ncontent-type: image/png\r\ncontent-length: 1000000\r\n\r\n{}",
        "x".repeat(400_000)
    );
    let unfinished = app.data_dir().join("blobs/unfinished");
    let files = || fs::read_dir(&unfinished).unwrap().count();
    let mut connection = TcpStream::connect(app.handle.address()).await.unwrap();
    connection.write_all(head.as_bytes()).await.unwrap();
    let until = async |count| {
        while files() != count {
            tokio::task::yield_now().await;
        }
    };
    in_time(until(1)).await;
    drop(connection);
    in_time(until(0)).await;
    assert_eq!(uploaded(&app).await, None);
    put(&app, &upload, vec![0; 1_000_000]).await.expect(200);
    app.stop().await;
}

#[tokio::test]
async fn a_full_disk_refuses_uploads_and_loses_no_post() {
    let full = Arc::new(AtomicBool::new(true));
    let seen = Arc::clone(&full);
    let disk = move || if seen.load(Ordering::SeqCst) { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) };
    let app = TestApp::start_with(TestHooks { before_blob_write: Some(Arc::new(disk)), ..hooks() }).await;
    let upload = presigned(&app, 4).await;
    let refused = put(&app, &upload, "1234").await.expect(503);
    assert_eq!(header(&refused, "retry-after"), "1");
    let author = app.register("alice").await;
    app.post(&author, "still accepted").await;
    full.store(false, Ordering::SeqCst);
    put(&app, &upload, "1234").await.expect(200);
    assert_eq!(app.whole_feed(&author, 100).await, ["still accepted"]);
    app.stop().await;
}

#[tokio::test]
async fn a_picture_is_served_as_immutable() {
    let app = TestApp::start().await;
    let body = with_picture(&app).await;
    let path = format!("/{PICTURE}");
    let answer = get(&app, Method::GET, &path, None).await.expect(200);
    assert!(answer.body.as_str().is_none_or(|text| text.as_bytes() == &body[..]));
    for (name, value) in [
        ("content-type", "image/jpeg"),
        ("content-length", "300000"),
        ("cache-control", "public, max-age=31536000, immutable"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(header(&answer, name), value, "{name}");
    }
    let tag = header(&answer, "etag").to_owned();
    let head = get(&app, Method::HEAD, &path, None).await.expect(200);
    assert_eq!((header(&head, "content-length"), header(&head, "etag")), ("300000", tag.as_str()));
    for known in [tag.clone(), format!("\"x\", W/{tag}"), "*".to_owned()] {
        let unchanged = get(&app, Method::GET, &path, Some(&known)).await.expect(304);
        assert_eq!(header(&unchanged, "cache-control"), "public, max-age=31536000, immutable");
    }
    get(&app, Method::GET, &path, Some("\"x\"")).await.expect(200);
    app.stop().await;
}

#[tokio::test]
async fn only_stored_pictures_are_served() {
    let app = TestApp::start().await;
    let blob = || Blob { body: Bytes::from_static(b"private"), content_type: "image/jpeg".to_owned() };
    storage(&app).put(Bucket::Media, "withheld/0123/medium.jpg", blob()).await.unwrap();
    storage(&app).put(Bucket::Uploads, KEY, blob()).await.unwrap();
    for path in ["/media/0123/medium.jpg", "/media/0123/..%2f..%2fwithheld%2f0123%2fmedium.jpg", "/media/%ff/a"] {
        let answer = get(&app, Method::GET, path, None).await.expect(404);
        assert_eq!(header(&answer, "cache-control"), "no-store", "{path}");
    }
    for path in ["/withheld/0123/medium.jpg", "/media/0123", "/media"] {
        get(&app, Method::GET, path, None).await.expect(404);
    }
    let read = get(&app, Method::GET, &format!("/{KEY}"), None).await.expect(405);
    assert_eq!(header(&read, "allow"), "PUT");
    get(&app, Method::POST, &format!("/{PICTURE}"), None).await.expect(405);
    app.stop().await;
}

/// A client that sends its whole body before it reads gets the answer, not a broken connection.
#[tokio::test]
async fn a_refused_upload_is_read_to_its_end() {
    let app = TestApp::start().await;
    let head = "PUT /uploads/1?expires=1&signature=00 HTTP/1.1\r\nhost: test\r\ncontent-type: image/png\r\n\
                content-length: 8000000\r\nconnection: close\r\n\r\n";
    let mut connection = TcpStream::connect(app.handle.address()).await.unwrap();
    connection.write_all(head.as_bytes()).await.unwrap();
    connection.write_all(&vec![0; 8_000_000]).await.unwrap();
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 403"), "{}", String::from_utf8_lossy(&answer));
    app.stop().await;
}

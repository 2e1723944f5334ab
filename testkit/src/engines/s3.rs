//! s3s-fs as the engine of an S3 client, over HTTP: presigned URLs are for clients without SDK.

use std::sync::Arc;

use aws::{BucketNames, S3Blobs, config};
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use bytes::Bytes;
use futures::FutureExt as _;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{client::legacy::Client, rt::TokioExecutor, rt::TokioIo};
use ports::blobs::{Bucket, PresignedUpload};
use s3s::{
    HttpError,
    auth::SimpleAuth,
    service::{S3Service, S3ServiceBuilder},
};
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::Mutex, task::JoinHandle};

use super::REGION;
use crate::contract::blobs::{BlobsHarness, SendUpload, Uploaded};

/// The access key and the secret key.
const KEY: &str = "test";

/// A separate S3 with both buckets, empty. It ends when this is dropped.
#[derive(Debug)]
pub struct S3Engine {
    /// A client of the engine.
    pub client: aws_sdk_s3::Client,
    /// The engine's buckets.
    pub buckets: BucketNames,
    server: Option<(JoinHandle<()>, TempDir)>,
}

impl Drop for S3Engine {
    fn drop(&mut self) {
        if let Some((server, _folder)) = &self.server {
            server.abort();
        }
    }
}

impl S3Engine {
    /// An engine that runs elsewhere.
    pub(super) const fn at_endpoint(client: aws_sdk_s3::Client, buckets: BucketNames) -> Self {
        Self { client, buckets, server: None }
    }

    /// Object storage on the engine, with what its contract needs.
    pub fn harness(self) -> BlobsHarness {
        let blobs = S3Blobs::new(&self.client, self.buckets.clone());
        let upload: SendUpload = Arc::new(|upload, content| send(upload, content).boxed());
        BlobsHarness::new(blobs, upload).keeping(self)
    }
}

/// Starts an engine.
///
/// # Panics
/// When it does not start.
pub async fn s3_in_process() -> S3Engine {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let buckets = Bucket::ALL.into_iter().fold(BucketNames::default(), |names, bucket| {
        std::fs::create_dir(folder.path().join(bucket.name())).expect("a bucket");
        names.with(bucket, bucket.name())
    });
    let mut builder = S3ServiceBuilder::new(FileSystem::new(folder.path()).expect("the engine starts"));
    builder.set_auth(SimpleAuth::from_single(KEY, KEY));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let server = tokio::spawn(serve(listener, builder.build()));
    let client = client(&format!("http://{address}"), Credentials::new(KEY, KEY, None, None, "testkit"));
    S3Engine { client, buckets, server: Some((server, folder)) }
}

pub(super) fn client(endpoint: &str, credentials: Credentials) -> aws_sdk_s3::Client {
    let config = aws_config::SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static(REGION))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url(endpoint)
        .build();
    config::s3_client(&config)
}

async fn serve(listener: TcpListener, s3: S3Service) {
    let one_at_a_time = Arc::new(Mutex::new(()));
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        let (s3, one_at_a_time) = (s3.clone(), Arc::clone(&one_at_a_time));
        let answer = service_fn(move |request: Request<Incoming>| {
            let (s3, one_at_a_time) = (s3.clone(), Arc::clone(&one_at_a_time));
            async move {
                let _alone = one_at_a_time.lock().await;
                Ok::<Response<s3s::Body>, HttpError>(hyper::service::Service::call(&s3, request).await?)
            }
        });
        // An error here means that the client closed the connection, which is harmless.
        tokio::spawn(async move { http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await.ok() });
    }
}

/// Sends an upload without SDK.
async fn send(upload: PresignedUpload, content: Bytes) -> Uploaded {
    let request = Request::builder().method(Method::PUT).uri(&upload.url);
    let request = upload.headers.iter().fold(request, |request, (name, value)| request.header(name, value));
    let client = Client::builder(TokioExecutor::new()).build_http();
    let answer = client.request(request.body(Full::new(content)).expect("a request")).await.expect("an answer");
    match answer.status() {
        StatusCode::OK => Uploaded::Stored,
        StatusCode::PRECONDITION_FAILED => Uploaded::KeyInUse,
        StatusCode::FORBIDDEN => Uploaded::Forbidden,
        status => panic!("{status}: {:?}", answer.into_body().collect().await.map(|body| body.to_bytes())),
    }
}

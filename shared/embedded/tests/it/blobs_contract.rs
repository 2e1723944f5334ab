//! The contract of object storage on files.

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use domain::Clock;
use embedded::{
    BlobOptions, EmbeddedBlobs,
    blobs::{signature::UploadRequest, upload::UploadError},
};
use futures::FutureExt as _;
use ports::{blobs::PresignedUpload, signing::TokenKeys};
use testkit::contract::blobs::{BlobsHarness, Uploaded};

pub fn blobs(folder: &Path) -> EmbeddedBlobs {
    EmbeddedBlobs::open(BlobOptions::at(folder, TokenKeys::new([7; 32]))).expect("object storage")
}

/// The request that a client sends for a presigned upload.
pub fn request(upload: &PresignedUpload) -> UploadRequest {
    let header = |name| upload.headers.iter().find_map(|(found, value)| (found == name).then_some(value.as_str()));
    let (path, query) = upload.url.split_once('?').expect("a query");
    let (expires, signature) = query.split_once("&signature=").expect("a signature");
    UploadRequest {
        key: path.trim_start_matches('/').to_owned(),
        content_type: header("content-type").expect("a type").to_owned(),
        bytes: header("content-length").expect("a size").parse().expect("a number"),
        expires: expires.trim_start_matches("expires=").parse().expect("a time"),
        signature: signature.to_owned(),
    }
}

/// Uploads in parts of 5 bytes.
pub async fn upload(blobs: &EmbeddedBlobs, request: UploadRequest, content: Bytes) -> Result<(), UploadError> {
    let mut upload = blobs.begin_upload(request, Clock::System.now()).await?;
    for part in content.chunks(5) {
        upload = upload.append(content.slice_ref(part)).await?;
    }
    upload.finish().await
}

fn open() -> BlobsHarness {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let blobs = blobs(&directory.path().join("blobs"));
    let receiver = blobs.clone();
    let send = move |presigned: PresignedUpload, content| {
        let blobs = receiver.clone();
        async move {
            match upload(&blobs, request(&presigned), content).await {
                Ok(()) => Uploaded::Stored,
                Err(UploadError::KeyInUse) => Uploaded::KeyInUse,
                Err(UploadError::NotPermitted) => Uploaded::Forbidden,
                Err(error) => panic!("unexpected: {error:?}"),
            }
        }
        .boxed()
    };
    BlobsHarness::new(blobs, Arc::new(send)).keeping(directory)
}

testkit::blobs_contract!(std::future::ready(open()));

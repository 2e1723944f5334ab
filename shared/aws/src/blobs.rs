//! Object storage on S3.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use aws_sdk_s3::{
    Client,
    config::retry::RetryConfig,
    error::{ProvideErrorMetadata as _, SdkError},
    operation::{copy_object::CopyObjectError, get_object::GetObjectError, head_object::HeadObjectError},
    presigning::PresigningConfig,
    primitives::ByteStream,
    types::{Delete, Error as DeleteFailure, ObjectIdentifier},
};
use ports::blobs::{
    Blob, BlobError, BlobInfo, Blobs, Bucket, InvalidCall, Permitted, PresignedUpload, check_key, check_keys,
};

use super::error::{Fault, WrongCall, is_throttling};
use domain::Timestamp;

/// The type of an object whose writer gave none.
const UNTYPED: &str = "binary/octet-stream";

/// The buckets' names. A function has only those that it uses.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BucketNames(BTreeMap<Bucket, String>);

impl BucketNames {
    /// Adds a name.
    #[must_use]
    pub fn with(mut self, bucket: Bucket, name: impl Into<String>) -> Self {
        self.0.insert(bucket, name.into());
        self
    }

    fn get(&self, bucket: Bucket) -> Result<&str, BlobError> {
        let unknown = || Fault::wrong_call(format!("the bucket {} has no configured name", bucket.name()));
        self.0.get(&bucket).map(String::as_str).ok_or_else(|| unknown().into())
    }
}

/// [`Blobs`] on S3.
///
/// The SDK's retries are disabled; callers retry. A function that reads or copies objects needs `s3:ListBucket` on their
/// bucket: without it S3 answers 403 for an object that does not exist, which is [`BlobError::Refused`] here.
#[derive(Debug, Clone)]
pub struct S3Blobs {
    client: Client,
    buckets: BucketNames,
}

impl S3Blobs {
    /// Object storage in these buckets. Disables the client's retries.
    pub fn new(client: &Client, buckets: BucketNames) -> Self {
        let config = client.config().to_builder().retry_config(RetryConfig::disabled()).build();
        Self { client: Client::from_conf(config), buckets }
    }
}

#[async_trait]
impl Blobs for S3Blobs {
    async fn put(&self, bucket: Bucket, key: &str, blob: Blob) -> Result<(), BlobError> {
        check_key(key)?;
        let put = self.client.put_object().bucket(self.buckets.get(bucket)?).key(key).content_type(blob.content_type);
        let put = put.set_cache_control(bucket.cache_control().map(str::to_owned));
        put.body(ByteStream::from(blob.body)).send().await.map_err(Fault::from)?;
        Ok(())
    }

    async fn get(&self, bucket: Bucket, key: &str, max_bytes: u64) -> Result<Option<Blob>, BlobError> {
        check_key(key)?;
        let object = match self.client.get_object().bucket(self.buckets.get(bucket)?).key(key).send().await {
            Ok(object) => object,
            Err(error) if error.as_service_error().is_some_and(GetObjectError::is_no_such_key) => return Ok(None),
            Err(error) => return Err(Fault::from(error).into()),
        };
        if size(object.content_length) > max_bytes {
            return Err(InvalidCall::TooLarge { max_bytes }.into());
        }
        let body = object.body.collect().await.map_err(|error| BlobError::Unavailable(error.into()))?.into_bytes();
        Ok(Some(Blob { body, content_type: object.content_type.unwrap_or_else(|| UNTYPED.to_owned()) }))
    }

    async fn head(&self, bucket: Bucket, key: &str) -> Result<Option<BlobInfo>, BlobError> {
        check_key(key)?;
        match self.client.head_object().bucket(self.buckets.get(bucket)?).key(key).send().await {
            Ok(head) => Ok(Some(BlobInfo {
                bytes: size(head.content_length),
                content_type: head.content_type.unwrap_or_else(|| UNTYPED.to_owned()),
            })),
            Err(error) if error.as_service_error().is_some_and(HeadObjectError::is_not_found) => Ok(None),
            Err(error) => Err(Fault::from(error).into()),
        }
    }

    async fn delete(&self, bucket: Bucket, keys: &[String]) -> Result<(), BlobError> {
        check_keys(keys)?;
        if keys.is_empty() {
            return Ok(());
        }
        let objects = keys.iter().map(|key| ObjectIdentifier::builder().key(key).build());
        let objects = objects.collect::<Result<_, _>>().map_err(|error| BlobError::Refused(error.into()))?;
        let delete = Delete::builder().set_objects(Some(objects)).quiet(true).build();
        let delete = delete.map_err(|error| BlobError::Refused(error.into()))?;
        let call = self.client.delete_objects().bucket(self.buckets.get(bucket)?).delete(delete);
        let answer = call.send().await.map_err(Fault::from)?;
        answer.errors().first().map_or(Ok(()), |failure| Err(delete_failure(failure)))
    }

    async fn copy(&self, bucket: Bucket, from: &str, to: &str) -> Result<bool, BlobError> {
        check_key(from)?;
        check_key(to)?;
        let name = self.buckets.get(bucket)?;
        // Keys have only characters that are unchanged in URLs.
        let copy = self.client.copy_object().copy_source(format!("{name}/{from}")).bucket(name).key(to);
        match copy.send().await {
            Ok(_) => Ok(true),
            Err(error) if is_missing(&error) => Ok(false),
            Err(error) => Err(Fault::from(error).into()),
        }
    }

    async fn presign_upload(&self, permitted: Permitted<'_>, now: Timestamp) -> Result<PresignedUpload, BlobError> {
        check_key(permitted.key)?;
        let refused = |error: Box<dyn std::error::Error + Send + Sync>| BlobError::Refused(error);
        let bytes = i64::try_from(permitted.bytes).map_err(|error| refused(error.into()))?;
        let start = Duration::from_secs(now.as_secs());
        let terms = PresigningConfig::builder()
            .start_time(SystemTime::UNIX_EPOCH + start)
            .expires_in(permitted.lasts)
            .build()
            .map_err(|error| refused(error.into()))?;
        let put = self.client.put_object().bucket(self.buckets.get(Bucket::Uploads)?).key(permitted.key);
        let put = put.content_type(permitted.content_type).content_length(bytes).if_none_match("*");
        let request = put.presigned(terms).await.map_err(Fault::from)?;
        Ok(PresignedUpload {
            url: request.uri().to_owned(),
            headers: request.headers().map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect(),
            expires_at: Timestamp::from_millis(1_000 * now.as_secs()).plus(permitted.lasts),
        })
    }
}

/// A length as the SDK reports it; it is never negative.
fn size(content_length: Option<i64>) -> u64 {
    content_length.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0)
}

/// Whether the original of a copy does not exist. The operation's model does not name this error.
fn is_missing<R>(error: &SdkError<CopyObjectError, R>) -> bool {
    error.as_service_error().and_then(|error| error.code()) == Some("NoSuchKey")
}

/// The failure of one key of a delete: S3 has removed the others.
fn delete_failure(failure: &DeleteFailure) -> BlobError {
    let code = failure.code().unwrap_or_default();
    let cause = || WrongCall(format!("{code}: {}", failure.message().unwrap_or_default())).into();
    match code {
        _ if is_throttling(code) => BlobError::Throttled,
        "AccessDenied" => BlobError::Refused(cause()),
        _ => BlobError::Unavailable(cause()),
    }
}

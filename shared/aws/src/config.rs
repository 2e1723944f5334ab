//! Clients and names from the environment.
//!
//! The SDK reads region, credentials and endpoints itself (`AWS_REGION`, `AWS_ENDPOINT_URL_DYNAMODB`,
//! `AWS_ENDPOINT_URL_SQS`, `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL_SECRETS_MANAGER`, ...). The variables for tables,
//! queues and buckets are ours: each binary asks for those that it needs, and an error names the missing variable.

use aws_config::{BehaviorVersion, SdkConfig, retry::RetryConfig};
use aws_sdk_s3::config::{RequestChecksumCalculation, ResponseChecksumValidation};

use super::{BucketNames, QueueUrls, SIGNING_SECRET_ARN, SigningSecret, TableNames, timeouts::timeouts};
use domain::limits;
use ports::{blobs::Bucket, queue::QueueName, store::Table};

/// Attempts to fetch the signing secret. Unlike for tables and queues, no caller of the SDK retries.
const SECRET_ATTEMPTS: u32 = 2;

/// The variable with the URL under which pictures are served.
const MEDIA_URL: &str = "TWEETER_MEDIA_URL";

/// An environment variable is unset or empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the environment variable {variable} is not set")]
pub struct MissingVariable {
    /// The variable's name.
    pub variable: &'static str,
}

/// The SDK configuration of all clients: region, credentials and endpoints as the SDK finds them. Once per process.
pub async fn load_sdk_config() -> SdkConfig {
    // Callers retry, see the crate's documentation.
    aws_config::defaults(BehaviorVersion::latest()).retry_config(RetryConfig::disabled()).load().await
}

/// A DynamoDB client whose calls time out after [`limits::CALL_TIMEOUT`].
pub fn dynamodb_client(config: &SdkConfig) -> aws_sdk_dynamodb::Client {
    let config = aws_sdk_dynamodb::config::Builder::from(config).timeout_config(timeouts(limits::CALL_TIMEOUT)).build();
    aws_sdk_dynamodb::Client::from_conf(config)
}

/// An SQS client whose calls time out after [`limits::CALL_TIMEOUT`], long polls that much after their wait.
pub fn sqs_client(config: &SdkConfig) -> aws_sdk_sqs::Client {
    let config = aws_sdk_sqs::config::Builder::from(config).timeout_config(timeouts(limits::CALL_TIMEOUT)).build();
    aws_sdk_sqs::Client::from_conf(config)
}

/// An S3 client whose calls time out after [`limits::BLOB_CALL_TIMEOUT`] and carry checksums only where S3 requires them:
/// a presigned upload would otherwise demand one of its client.
pub fn s3_client(config: &SdkConfig) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::config::Builder::from(config)
        .timeout_config(timeouts(limits::BLOB_CALL_TIMEOUT))
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .build();
    aws_sdk_s3::Client::from_conf(config)
}

/// The signing secret of this name or ARN. A fetch times out after [`limits::RETRY_BUDGET`].
pub fn signing_secret(config: &SdkConfig, id: &str) -> SigningSecret {
    let timeouts = timeouts(limits::CALL_TIMEOUT).to_builder().operation_timeout(limits::RETRY_BUDGET).build();
    let config = aws_sdk_secretsmanager::config::Builder::from(config)
        .retry_config(RetryConfig::standard().with_max_attempts(SECRET_ATTEMPTS))
        .timeout_config(timeouts)
        .build();
    SigningSecret::new(aws_sdk_secretsmanager::Client::from_conf(config), id)
}

/// The names of the required tables, from their variables.
pub fn table_names_from(
    needed: &[Table],
    find: impl Fn(&'static str) -> Option<String>,
) -> Result<TableNames, MissingVariable> {
    needed.iter().try_fold(TableNames::default(), |names, table| {
        Ok(names.with(*table, required(table_variable(*table), &find)?))
    })
}

/// The URLs of the required queues, from their variables.
pub fn queue_urls_from(
    needed: &[QueueName],
    find: impl Fn(&'static str) -> Option<String>,
) -> Result<QueueUrls, MissingVariable> {
    needed
        .iter()
        .try_fold(QueueUrls::default(), |urls, queue| Ok(urls.with(*queue, required(queue_variable(*queue), &find)?)))
}

/// The names of the required buckets, from their variables.
pub fn bucket_names_from(
    needed: &[Bucket],
    find: impl Fn(&'static str) -> Option<String>,
) -> Result<BucketNames, MissingVariable> {
    needed.iter().try_fold(BucketNames::default(), |names, bucket| {
        Ok(names.with(*bucket, required(bucket_variable(*bucket), &find)?))
    })
}

/// The ARN of the signing secret.
pub fn signing_secret_arn_from(find: impl Fn(&'static str) -> Option<String>) -> Result<String, MissingVariable> {
    required(SIGNING_SECRET_ARN, &find)
}

/// The URL under which pictures are served.
pub fn media_url_from(find: impl Fn(&'static str) -> Option<String>) -> Result<String, MissingVariable> {
    required(MEDIA_URL, &find)
}

fn required(variable: &'static str, find: &impl Fn(&'static str) -> Option<String>) -> Result<String, MissingVariable> {
    find(variable).filter(|value| !value.is_empty()).ok_or(MissingVariable { variable })
}

/// The variable with a table's name.
pub const fn table_variable(table: Table) -> &'static str {
    match table {
        Table::Auth => "TWEETER_AUTH_TABLE",
        Table::Social => "TWEETER_SOCIAL_TABLE",
        Table::Feed => "TWEETER_FEED_TABLE",
    }
}

/// The variable with a queue's URL.
pub const fn queue_variable(queue: QueueName) -> &'static str {
    match queue {
        QueueName::PostQ => "TWEETER_POSTQ_URL",
        QueueName::JobQ => "TWEETER_JOBQ_URL",
        QueueName::ChangeQ => "TWEETER_CHANGEQ_URL",
        QueueName::PostDlq => "TWEETER_POSTDLQ_URL",
        QueueName::JobDlq => "TWEETER_JOBDLQ_URL",
        QueueName::ChangeDlq => "TWEETER_CHANGEDLQ_URL",
        QueueName::MediaQ => "TWEETER_MEDIAQ_URL",
        QueueName::MediaDlq => "TWEETER_MEDIADLQ_URL",
    }
}

/// The variable with a bucket's name.
pub const fn bucket_variable(bucket: Bucket) -> &'static str {
    match bucket {
        Bucket::Uploads => "TWEETER_UPLOADS_BUCKET",
        Bucket::Media => "TWEETER_MEDIA_BUCKET",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_required_variables_must_be_set() {
        let set = |variable: &'static str| (variable == "TWEETER_FEED_TABLE").then(|| "feed-prod".to_owned());
        let names = table_names_from(&[Table::Feed], set).unwrap();
        assert_eq!(names.get(Table::Feed), Some("feed-prod"));
        assert_eq!(names.get(Table::Auth), None);
        assert!(queue_urls_from(&[], set).is_ok());
    }

    #[test]
    fn an_error_names_the_missing_or_empty_variable() {
        let missing = table_names_from(&[Table::Auth], |_| None).unwrap_err();
        assert_eq!(missing.to_string(), "the environment variable TWEETER_AUTH_TABLE is not set");
        let empty = queue_urls_from(&[QueueName::JobQ], |_| Some(String::new())).unwrap_err();
        assert_eq!(empty.variable, "TWEETER_JOBQ_URL");
        let missing = bucket_names_from(&Bucket::ALL, |_| None).unwrap_err();
        assert_eq!(missing.variable, "TWEETER_UPLOADS_BUCKET");
        assert_eq!(signing_secret_arn_from(|_| None).unwrap_err().variable, "TWEETER_SIGNING_SECRET_ARN");
    }
}

//! DynamoDB, SQS and S3 at an external endpoint, over HTTP.

use aws::{BucketNames, TableNames, setup};
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use ports::{
    blobs::Bucket,
    queue::{QueueName, QueueSettings},
    store::Table,
};

use super::{DynamoEngine, REGION, S3Engine, SqsEngine, s3, sqs::make_queues};

/// The environment variable with the endpoint of all, such as `http://127.0.0.1:4566`.
pub const ENDPOINT_VARIABLE: &str = "TWEETER_TEST_AWS_ENDPOINT";
/// The credentials that emulators accept as an account's root.
const CREDENTIALS: &str = "test";

/// The DynamoDB at [`ENDPOINT_VARIABLE`], with three new tables. They are not removed: this is for emulators.
///
/// # Panics
/// When the variable is not set or the tables cannot be created.
pub async fn dynamo_at_endpoint() -> DynamoEngine {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static(REGION))
        .credentials_provider(credentials())
        .endpoint_url(endpoint())
        .build();
    let client = aws_sdk_dynamodb::Client::from_conf(config);
    let prefix = own_prefix();
    let tables = Table::ALL
        .into_iter()
        .fold(TableNames::default(), |names, table| names.with(table, format!("{prefix}{}", table.name())));
    setup::create_tables(&client, &tables).await.expect("the endpoint makes tables");
    DynamoEngine { client, tables, calls: std::sync::Arc::default() }
}

/// The SQS at [`ENDPOINT_VARIABLE`], with four new queues that have these settings. They are not removed: this is for
/// emulators.
///
/// # Panics
/// When the variable is not set or the queues cannot be created.
pub async fn sqs_at_endpoint(settings_of: impl Fn(QueueName) -> QueueSettings) -> SqsEngine {
    let config = aws_sdk_sqs::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static(REGION))
        .credentials_provider(credentials())
        .endpoint_url(endpoint())
        .build();
    let client = aws_sdk_sqs::Client::from_conf(config);
    let urls = make_queues(&client, &own_prefix(), settings_of).await;
    SqsEngine { client, urls }
}

/// The S3 at [`ENDPOINT_VARIABLE`], with two new buckets. They are not removed: this is for emulators.
///
/// # Panics
/// When the variable is not set or the buckets cannot be created.
pub async fn s3_at_endpoint() -> S3Engine {
    let client = s3::client(&endpoint(), credentials());
    let (prefix, mut buckets) = (own_prefix(), BucketNames::default());
    for bucket in Bucket::ALL {
        let name = format!("{prefix}{}", bucket.name());
        client.create_bucket().bucket(&name).send().await.expect("the endpoint makes buckets");
        buckets = buckets.with(bucket, name);
    }
    S3Engine::at_endpoint(client, buckets)
}

fn endpoint() -> String {
    std::env::var(ENDPOINT_VARIABLE).unwrap_or_else(|_| panic!("{ENDPOINT_VARIABLE} names no endpoint"))
}

fn credentials() -> Credentials {
    Credentials::new(CREDENTIALS, CREDENTIALS, None, None, "testkit")
}

/// A unique prefix, so that no two checks share a table or a queue.
fn own_prefix() -> String {
    format!("contract-{}-", domain::random::uuid().simple())
}

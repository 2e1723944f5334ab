//! An HTTP client with prepared responses and a record of requests, for cases that the engines never produce
//! (throttling, unprocessed items, conflicts, a lost response).

use std::{collections::VecDeque, sync::Arc};

use aws::{BucketNames, DynamoStore, QueueUrls, S3Blobs, SigningSecret, SqsOptions, SqsQueue, TableNames};
use aws_sdk_secretsmanager::config::{BehaviorVersion, Credentials, Region, retry::RetryConfig};
use aws_smithy_runtime_api::client::result::ConnectorError;
use parking_lot::Mutex;
use ports::{blobs::Bucket, queue::QueueName, store::Table};
use serde_json::Value;

use crate::engines::{Answer, FunctionClient, REGION, dynamo_client, sqs_client};

/// A prepared response.
#[derive(Debug, Clone)]
pub enum Canned {
    /// A status and a JSON body.
    Answer(u16, Value),
    /// A status and an XML body.
    Xml(u16, &'static str),
    /// No response: the connection broke.
    Lost,
    /// No response in time.
    TimedOut,
}

impl Canned {
    /// A successful response.
    pub const fn ok(body: Value) -> Self {
        Self::Answer(200, body)
    }

    /// A failure with this error code.
    pub fn error(status: u16, code: &str) -> Self {
        Self::Answer(status, serde_json::json!({ "__type": code, "message": "prepared" }))
    }
}

/// Returns prepared responses in order, one per call, and records the requests.
#[derive(Debug, Clone, Default)]
pub struct CannedService {
    answers: Arc<Mutex<VecDeque<Canned>>>,
    calls: Arc<Mutex<Vec<(String, Value)>>>,
    traces: Arc<Mutex<Vec<Option<String>>>>,
}

impl CannedService {
    /// A service with these responses.
    pub fn new(answers: impl IntoIterator<Item = Canned>) -> Self {
        Self { answers: Arc::new(Mutex::new(answers.into_iter().collect())), ..Self::default() }
    }

    /// The requests so far: operations and their documents.
    pub fn calls(&self) -> Vec<(String, Value)> {
        self.calls.lock().clone()
    }

    /// The trace of each call, if any.
    pub fn traces(&self) -> Vec<Option<String>> {
        self.traces.lock().clone()
    }

    /// A store that uses this service as DynamoDB. Tables keep their own names.
    pub fn store(&self) -> DynamoStore {
        let tables = Table::ALL.into_iter().fold(TableNames::default(), |names, table| names.with(table, table.name()));
        DynamoStore::new(&dynamo_client(self.http()), tables)
    }

    /// Fair queues that use this service as SQS. Only `PostQ` and `JobQ` have URLs.
    pub fn queue(&self) -> SqsQueue {
        let urls = [QueueName::PostQ, QueueName::JobQ].into_iter().fold(QueueUrls::default(), |urls, queue| {
            urls.with(queue, format!("http://sqs.invalid/000000000000/{}", queue.name()))
        });
        SqsQueue::new(&sqs_client(self.http()), urls, SqsOptions::default())
    }

    /// Object storage that uses this service as S3. Buckets keep their own names.
    pub fn blobs(&self) -> S3Blobs {
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static(REGION))
            .credentials_provider(Credentials::new("test", "test", None, None, "testkit"))
            .endpoint_url("http://s3.invalid")
            .force_path_style(true)
            .http_client(self.http())
            .build();
        let buckets = Bucket::ALL.into_iter().fold(BucketNames::default(), |names, it| names.with(it, it.name()));
        S3Blobs::new(&aws_sdk_s3::Client::from_conf(config), buckets)
    }

    /// The signing secret `secret`, read from this service as Secrets Manager. It is requested once.
    pub fn signing_secret(&self) -> SigningSecret {
        let config = aws_sdk_secretsmanager::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static(REGION))
            .credentials_provider(Credentials::new("test", "test", None, None, "testkit"))
            .endpoint_url("http://secretsmanager.invalid")
            .retry_config(RetryConfig::disabled())
            .http_client(self.http())
            .build();
        SigningSecret::new(aws_sdk_secretsmanager::Client::from_conf(config), "secret")
    }

    fn http(&self) -> FunctionClient {
        let service = self.clone();
        FunctionClient::new(move |call| {
            let asked = serde_json::from_slice(&call.body).unwrap_or(Value::Null);
            service.calls.lock().push((call.operation, asked));
            service.traces.lock().push(call.trace);
            let answer = service.answers.lock().pop_front();
            async move {
                match answer {
                    Some(Canned::Answer(status, body)) => Ok(Answer { status, body: body.to_string().into() }),
                    Some(Canned::Xml(status, body)) => Ok(Answer { status, body: body.into() }),
                    Some(Canned::Lost) => Err(ConnectorError::io("the connection broke".into())),
                    Some(Canned::TimedOut) => Err(ConnectorError::timeout("no response in time".into())),
                    None => Err(ConnectorError::user("no response is prepared for this call".into())),
                }
            }
        })
    }
}

//! rustack as the engine of an SQS client.

use std::sync::Arc;

use aws::{QueueUrls, SqsOptions, SqsQueue, setup};
use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};
use aws_smithy_runtime_api::client::result::ConnectorError;
use http_body_util::BodyExt;
use ports::queue::{QueueName, QueueSettings};
use rustack_sqs_core::{config::SqsConfig, handler::RustackSqsHandler, provider::RustackSqs};
use rustack_sqs_http::{dispatch::SqsHandler, response::error_to_response};
use rustack_sqs_model::operations::SqsOperation;

use super::{
    REGION,
    connector::{Answer, Call, FunctionClient},
};

/// A separate, empty SQS with the four queues. It ends with the runtime in which it was started.
#[derive(Debug, Clone)]
pub struct SqsEngine {
    /// A client of the engine.
    pub client: aws_sdk_sqs::Client,
    /// The engine's queues.
    pub urls: QueueUrls,
}

impl SqsEngine {
    /// Queues on the engine. Groups are sent as attributes, because the engine does not support fair queues.
    pub fn queue(&self) -> SqsQueue {
        SqsQueue::new(&self.client, self.urls.clone(), SqsOptions { fair_queues: false })
    }
}

/// Starts an engine whose queues have these settings.
///
/// # Panics
/// When it does not start.
pub async fn sqs(settings_of: impl Fn(QueueName) -> QueueSettings) -> SqsEngine {
    let handler = Arc::new(RustackSqsHandler::new(Arc::new(RustackSqs::new(SqsConfig::default()))));
    let client = sqs_client(FunctionClient::new(move |call| perform(Arc::clone(&handler), call)));
    let urls = make_queues(&client, "", settings_of).await;
    SqsEngine { client, urls }
}

/// Creates every queue, named `prefix` followed by the queue's name.
pub(super) async fn make_queues(
    client: &aws_sdk_sqs::Client,
    prefix: &str,
    settings_of: impl Fn(QueueName) -> QueueSettings,
) -> QueueUrls {
    let queues = setup::set_up_queues(client, prefix, settings_of).await.expect("the engine makes queues");
    queues.into_iter().fold(QueueUrls::default(), |urls, queue| urls.with(queue.queue, queue.url))
}

pub(crate) fn sqs_client(http: FunctionClient) -> aws_sdk_sqs::Client {
    let config = aws_sdk_sqs::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static(REGION))
        .credentials_provider(Credentials::new("test", "test", None, None, "testkit"))
        .endpoint_url("http://sqs.invalid")
        .http_client(http)
        .build();
    aws_sdk_sqs::Client::from_conf(config)
}

async fn perform(handler: Arc<RustackSqsHandler>, call: Call) -> Result<Answer, ConnectorError> {
    let unknown = || ConnectorError::user(format!("no operation {} here", call.operation).into());
    let operation = SqsOperation::from_name(&call.operation).ok_or_else(unknown)?;
    let response = match handler.handle_operation(operation, call.body).await {
        Ok(response) => response,
        Err(error) => error_to_response(&error, "testkit"),
    };
    let (head, body) = response.into_parts();
    let body = body.collect().await.map_err(|error| ConnectorError::io(error.into()))?.to_bytes();
    Ok(Answer { status: head.status.as_u16(), body })
}

//! The Lambda function behind JobQ: telemetry, configuration, clients, run.

use std::sync::Arc;

use job_handler::JobHandler;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use shared::{
    aws::{DynamoStore, SqsOptions, SqsQueue, config},
    batch::RetryPauses,
    domain::Clock,
    queue::QueueName,
    service::delivery::DeliveryService,
    store::Table,
    telemetry::{self, LogFormat},
};

#[tokio::main]
async fn main() -> Result<(), Error> {
    telemetry::init(LogFormat::Json);
    let tables = config::table_names(&[Table::Feed])?;
    let queues = config::queue_urls(&[QueueName::JobQ])?;
    let sdk = config::load_sdk_config().await;
    let store = Arc::new(DynamoStore::new(&config::dynamodb_client(&sdk), tables));
    let queue = Arc::new(SqsQueue::new(&config::sqs_client(&sdk), queues, SqsOptions::default()));

    let handler = &JobHandler::new(DeliveryService::new(store, Clock::System), queue, RetryPauses::default());
    let handle = |event: LambdaEvent<_>| async move { Ok::<_, Error>(handler.handle(event.payload).await) };
    lambda_runtime::run(service_fn(handle)).await
}

//! The Lambda function behind the sweeper's schedule: telemetry, configuration, clients, run.

use std::sync::Arc;

use aws_lambda_events::eventbridge::EventBridgeEvent;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use outbox_sweeper::OutboxSweeper;
use shared::{
    aws::{DynamoStore, SqsOptions, SqsQueue, config},
    domain::Clock,
    queue::QueueName,
    service::sweep::SweepService,
    store::Table,
    telemetry::{self, LogFormat},
};

#[tokio::main]
async fn main() -> Result<(), Error> {
    telemetry::init(LogFormat::Json);
    let tables = config::table_names(&[Table::Social])?;
    let queues = config::queue_urls(&[QueueName::PostQ])?;
    let sdk = config::load_sdk_config().await;
    let store = Arc::new(DynamoStore::new(&config::dynamodb_client(&sdk), tables));
    let queue = Arc::new(SqsQueue::new(&config::sqs_client(&sdk), queues, SqsOptions::default()));

    let handler = &OutboxSweeper::new(SweepService::new(store, queue));
    let handle = |_: LambdaEvent<EventBridgeEvent>| async move {
        handler.handle(Clock::System.now()).await.map_err(Error::from)
    };
    lambda_runtime::run(service_fn(handle)).await
}

//! The Lambda function behind JobQ: telemetry, configuration, clients, run.

use std::sync::Arc;

use job_handler::{JobHandler, config::Config};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use shared::{
    aws::{DynamoStore, SqsOptions, SqsQueue, config as aws, emf::FunctionMetrics},
    batch::RetryPauses,
    domain::Clock,
    service::delivery::DeliveryService,
    telemetry::{self, LogFormat},
};

#[tokio::main]
async fn main() -> Result<(), Error> {
    telemetry::init(LogFormat::Json);
    let metrics = FunctionMetrics::install();
    let config = Config::from_lookup(aws::environment)?;
    let sdk = aws::load_sdk_config().await;
    let store = Arc::new(DynamoStore::new(&aws::dynamodb_client(&sdk), config.tables));
    let queue = Arc::new(SqsQueue::new(&aws::sqs_client(&sdk), config.queues, SqsOptions::default()));

    let handler = &JobHandler::new(DeliveryService::new(store, Clock::System), queue, RetryPauses::default());
    let handle = |event: LambdaEvent<_>| async move { Ok::<_, Error>(handler.handle(event.payload).await) };
    lambda_runtime::run(metrics.flushed_after(service_fn(handle))).await
}

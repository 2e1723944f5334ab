//! The Lambda function behind JobQ: telemetry, configuration, clients, run.

use std::{process::ExitCode, sync::Arc};

use aws::{DynamoStore, SqsOptions, SqsQueue, config};
use domain::Clock;
use job_handler::{JobHandler, config::Config};
use lambda::{config::environment, emf::FunctionMetrics, function};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use service::delivery::DeliveryService;
use worker::RetryPauses;

#[tokio::main]
async fn main() -> ExitCode {
    function::run(serve).await
}

async fn serve() -> Result<(), Error> {
    let metrics = FunctionMetrics::install();
    let config = Config::from_lookup(environment)?;
    let sdk = config::load_sdk_config().await;
    let store = Arc::new(DynamoStore::new(&config::dynamodb_client(&sdk), config.tables));
    let queue = SqsQueue::new(&config::sqs_client(&sdk), config.queues, SqsOptions::default());
    // The driver sends copies of throttled jobs, for as long as it takes.
    let queue = Arc::new(queue.beginning_traces());
    function::warm_up(&store, Some(&queue)).await;

    let handler = &JobHandler::new(DeliveryService::new(store, Clock::System), queue, RetryPauses::default());
    let handle = |event: LambdaEvent<_>| async move { Ok::<_, Error>(handler.handle(event.payload).await) };
    lambda_runtime::run(metrics.flushed_after(service_fn(handle))).await
}

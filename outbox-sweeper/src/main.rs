//! The Lambda function behind the sweeper's schedule: telemetry, configuration, clients, run.

use std::{process::ExitCode, sync::Arc};

use aws::{DynamoStore, SqsOptions, SqsQueue, config};
use aws_lambda_events::eventbridge::EventBridgeEvent;
use domain::Clock;
use lambda::{config::environment, emf::FunctionMetrics, function};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use outbox_sweeper::{OutboxSweeper, config::Config};
use service::sweep::SweepService;

#[tokio::main]
async fn main() -> ExitCode {
    function::run(serve).await
}

async fn serve() -> Result<(), Error> {
    let metrics = FunctionMetrics::install();
    let config = Config::from_lookup(environment)?;
    let sdk = config::load_sdk_config().await;
    let store = Arc::new(DynamoStore::new(&config::dynamodb_client(&sdk), config.tables));
    let queue = Arc::new(SqsQueue::new(&config::sqs_client(&sdk), config.queues, SqsOptions::default()));
    function::warm_up(&store, Some(&queue)).await;

    let handler = &OutboxSweeper::new(SweepService::new(store, queue));
    let handle = |_: LambdaEvent<EventBridgeEvent>| async move {
        handler.handle(Clock::System.now()).await.map(drop).map_err(Error::from)
    };
    lambda_runtime::run(metrics.flushed_after(service_fn(handle))).await
}

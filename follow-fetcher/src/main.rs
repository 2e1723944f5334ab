//! The Lambda function behind PostQ: telemetry, configuration, clients, run.

use std::{process::ExitCode, sync::Arc};

use aws::{DynamoStore, SqsOptions, SqsQueue, config};
use domain::Clock;
use follow_fetcher::{FollowFetcher, config::Config};
use lambda::{config::environment, emf::FunctionMetrics, function};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use service::fan_out::FanOutService;
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
    let queue = Arc::new(SqsQueue::new(&config::sqs_client(&sdk), config.queues, SqsOptions::default()));
    function::warm_up(&store, Some(&queue)).await;

    let fan_out = FanOutService::new(store, queue.clone(), Clock::System, config.fan_out);
    let handler = &FollowFetcher::new(fan_out, queue, RetryPauses::default());
    let handle = |event: LambdaEvent<_>| async move {
        let deadline = function::deadline_of(&event.context).into_std();
        Ok::<_, Error>(handler.handle(event.payload, Some(deadline)).await)
    };
    lambda_runtime::run(metrics.flushed_after(service_fn(handle))).await
}

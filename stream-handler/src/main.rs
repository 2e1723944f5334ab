//! The Lambda function behind Social's change stream and ChangeQ: telemetry, configuration, clients, run.

use std::{process::ExitCode, sync::Arc};

use aws::{DynamoStore, SqsOptions, SqsQueue, config};
use domain::{Clock, IdGenerator};
use lambda::{config::environment, emf::FunctionMetrics, function};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;
use service::{changes::ChangeService, erasure::ErasureService};
use stream_handler::{Eraser, StreamHandler, config::Config, event::Event};
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
    let queue =
        Arc::new(SqsQueue::new(&config::sqs_client(&sdk), config.queues, SqsOptions::default()).beginning_traces());
    function::warm_up(&store, Some(&queue)).await;

    let changes = ChangeService::new(store.clone(), Arc::new(IdGenerator::new()));
    let eraser = Eraser::Handler(Box::new(ErasureService::new(store)));
    let handler = &StreamHandler::new(Arc::new(changes), queue, RetryPauses::default()).with_eraser(eraser);
    let handle = |event: LambdaEvent<Value>| async move {
        let now = Clock::System.now();
        Ok::<Value, Error>(match Event::of(event.payload)? {
            Event::Stream(event) => serde_json::to_value(handler.handle_stream(event, now).await)?,
            Event::Queue(event) => serde_json::to_value(handler.handle_queue(event, now).await)?,
        })
    };
    lambda_runtime::run(metrics.flushed_after(service_fn(handle))).await
}

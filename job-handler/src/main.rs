//! The Lambda function that consumes JobQ: builds its parts and services, then runs.

use std::{process::ExitCode, sync::Arc};

use domain::Clock;
use job_handler::{JobHandler, NEEDS};
use lambda::{Parts, function, sqs};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use service::delivery::DeliveryService;
use worker::RetryPauses;

#[tokio::main]
async fn main() -> ExitCode {
    function::run(serve).await
}

async fn serve() -> Result<(), Error> {
    let parts = Parts::load(&NEEDS).await?;
    // The driver sends copies of throttled jobs until they pass.
    let queue = Arc::new(parts.connected_queue().await.beginning_traces());
    let delivery = DeliveryService::new(parts.store, Clock::System);
    let handler = &JobHandler::new(delivery, queue, RetryPauses::default());
    let handle = |event: LambdaEvent<_>| async move {
        Ok::<_, Error>(sqs::response_of(handler.handle(sqs::messages_of(event.payload)).await))
    };
    lambda_runtime::run(parts.metrics.flushed_after(service_fn(handle))).await
}

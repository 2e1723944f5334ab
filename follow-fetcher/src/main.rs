//! The Lambda function that consumes PostQ: builds its parts and services, then runs.

use std::{process::ExitCode, sync::Arc};

use domain::Clock;
use follow_fetcher::{FollowFetcher, NEEDS};
use lambda::{Parts, function, sqs};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use service::fan_out::FanOutService;
use worker::RetryPauses;

#[tokio::main]
async fn main() -> ExitCode {
    function::run(serve).await
}

async fn serve() -> Result<(), Error> {
    let parts = Parts::load(&NEEDS).await?;
    let queue = Arc::new(parts.connected_queue().await);
    let fan_out = FanOutService::new(parts.store, queue.clone(), Clock::System, parts.options);
    let handler = &FollowFetcher::new(fan_out, queue, RetryPauses::default());
    let handle = |event: LambdaEvent<_>| async move {
        let deadline = function::deadline_of(&event.context);
        Ok::<_, Error>(sqs::response_of(handler.handle(sqs::messages_of(event.payload), Some(deadline)).await))
    };
    lambda_runtime::run(parts.metrics.flushed_after(service_fn(handle))).await
}

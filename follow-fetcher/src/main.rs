//! The Lambda function behind PostQ: telemetry, configuration, clients, run.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use follow_fetcher::FollowFetcher;
use lambda_runtime::{Context, Error, LambdaEvent, service_fn};
use shared::{
    aws::{DynamoStore, SqsOptions, SqsQueue, config},
    batch::RetryPauses,
    domain::{Clock, Timestamp},
    queue::QueueName,
    service::fan_out::{FanOutOptions, FanOutService},
    store::Table,
    telemetry::{self, LogFormat},
};

#[tokio::main]
async fn main() -> Result<(), Error> {
    telemetry::init(LogFormat::Json);
    let tables = config::table_names(&[Table::Social])?;
    let queues = config::queue_urls(&[QueueName::PostQ, QueueName::JobQ])?;
    let sdk = config::load_sdk_config().await;
    let store = Arc::new(DynamoStore::new(&config::dynamodb_client(&sdk), tables));
    let queue = Arc::new(SqsQueue::new(&config::sqs_client(&sdk), queues, SqsOptions::default()));

    let fan_out = FanOutService::new(store, queue.clone(), Clock::System, FanOutOptions::default());
    let handler = &FollowFetcher::new(fan_out, queue, RetryPauses::default());
    let handle = |event: LambdaEvent<_>| async move {
        Ok::<_, Error>(handler.handle(event.payload, Some(deadline_of(&event.context))).await)
    };
    lambda_runtime::run(service_fn(handle)).await
}

/// When this invocation is stopped. Lambda says it in milliseconds since the epoch.
fn deadline_of(context: &Context) -> Instant {
    let left: Duration = Timestamp::from_millis(context.deadline).since(Clock::System.now());
    Instant::now() + left
}

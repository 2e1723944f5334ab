//! The Lambda function that the sweeper's schedule invokes: builds its parts and services, then runs.

use std::{process::ExitCode, sync::Arc};

use aws_lambda_events::eventbridge::EventBridgeEvent;
use domain::Clock;
use lambda::{Parts, function};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use outbox_sweeper::{NEEDS, OutboxSweeper};
use service::{media::files::PictureFiles, sweep::SweepService};

#[tokio::main]
async fn main() -> ExitCode {
    function::run(serve).await
}

async fn serve() -> Result<(), Error> {
    let parts = Parts::load(&NEEDS).await?;
    let queue = Arc::new(parts.connected_queue().await);
    let files = PictureFiles::new(Some(Arc::new(parts.blobs())));
    let handler = &OutboxSweeper::new(SweepService::new(parts.store, queue).with_files(files));
    let handle = |_: LambdaEvent<EventBridgeEvent>| async move {
        handler.handle(Clock::System.now()).await.map(drop).map_err(Error::from)
    };
    lambda_runtime::run(parts.metrics.flushed_after(service_fn(handle))).await
}

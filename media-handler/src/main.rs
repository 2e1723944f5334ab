//! The Lambda function that consumes MediaQ: builds its parts and services, then runs.

use std::{process::ExitCode, sync::Arc};

use lambda::{Parts, function, sqs};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use media_handler::{MediaHandler, NEEDS};
use service::media::{files::PictureFiles, processing::ProcessingService};
use worker::RetryPauses;

#[tokio::main]
async fn main() -> ExitCode {
    function::run(serve).await
}

async fn serve() -> Result<(), Error> {
    let parts = Parts::load(&NEEDS).await?;
    // The driver sends copies of throttled messages until they pass.
    let queue = Arc::new(parts.connected_queue().await.beginning_traces());
    let files = PictureFiles::new(Some(Arc::new(parts.blobs())));
    let processing = ProcessingService::new(parts.store, files);
    let handler = &MediaHandler::new(processing, queue, RetryPauses::default())?;
    let handle = |event: LambdaEvent<_>| async move {
        Ok::<_, Error>(sqs::response_of(handler.handle(sqs::messages_of(event.payload)).await))
    };
    lambda_runtime::run(parts.metrics.flushed_after(service_fn(handle))).await
}

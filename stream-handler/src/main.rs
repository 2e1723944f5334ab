//! The Lambda function that consumes Social's change stream and ChangeQ: builds its parts and services, then runs.

use std::{process::ExitCode, sync::Arc};

use domain::{Clock, IdGenerator};
use lambda::{Parts, function, sqs};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;
use service::{changes::ChangeService, erasure::ErasureService, media::files::PictureFiles};
use stream_handler::{Eraser, NEEDS, StreamHandler, event::Event};
use worker::RetryPauses;

#[tokio::main]
async fn main() -> ExitCode {
    function::run(serve).await
}

async fn serve() -> Result<(), Error> {
    let parts = Parts::load(&NEEDS).await?;
    let queue = Arc::new(parts.connected_queue().await.beginning_traces());
    let files = PictureFiles::new(Some(Arc::new(parts.blobs())));
    let changes = ChangeService::new(parts.store.clone(), Arc::new(IdGenerator::new())).with_files(files.clone());
    let erasure = ErasureService::new(parts.store).with_files(files, queue.clone());
    let eraser = Eraser::Handler(Box::new(erasure));
    let handler = &StreamHandler::new(Arc::new(changes), queue, RetryPauses::default()).with_eraser(eraser);
    let handle = |event: LambdaEvent<Value>| async move {
        let now = Clock::System.now();
        Ok::<Value, Error>(match Event::of(event.payload)? {
            Event::Stream(event) => serde_json::to_value(handler.handle_stream(event, now).await)?,
            Event::Queue(batch) => serde_json::to_value(sqs::response_of(handler.handle_queue(batch, now).await))?,
        })
    };
    lambda_runtime::run(parts.metrics.flushed_after(service_fn(handle))).await
}

//! The Lambda function that serves `POST /v1/posts`: builds its parts and services, then runs.

use std::{process::ExitCode, sync::Arc};

use axum::{extract::Request, middleware::map_request};
use lambda::{Parts, function};
use lambda_http::Error;
use post_handler::{NEEDS, PublishApi, router};
use service::Foundation;

#[tokio::main]
async fn main() -> ExitCode {
    function::run(serve).await
}

async fn serve() -> Result<(), Error> {
    let parts = Parts::load(&NEEDS).await?;
    let queue = Arc::new(parts.queue());
    let foundation = parts.foundation(Some(&queue)).await?;
    let foundation = Foundation { pull_threshold: parts.options.pull_threshold, ..foundation };
    let router = router(PublishApi::new(&foundation, queue), foundation.store, &parts.options.api.http)
        .layer(map_request(async |request: Request| function::with_deadline(request)));
    lambda_http::run(parts.metrics.flushed_after(router)).await
}

//! The Lambda function that serves the HTTP API: builds its parts and services, then runs.

use std::process::ExitCode;

use axum::middleware::map_request;
use lambda::{Parts, function};
use lambda_http::Error;
use service::{ServiceOptions, Services};
use status_api::{NEEDS, gateway, router};

/// Each password hash takes 19 MiB for a moment. The system's allocator retains them in the arenas of the threads that
/// hashed: 94 MB after ten logins, where this one stays below 50 MB.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    function::run(serve).await
}

async fn serve() -> Result<(), Error> {
    let parts = Parts::load(&NEEDS).await?;
    let services = Services::new(&parts.foundation(None).await?, None, &ServiceOptions::default());
    let router = router(services, None, &parts.options.http)
        .layer(map_request(async |request| gateway::with_peer(function::with_deadline(request))));
    lambda_http::run(parts.metrics.flushed_after(router)).await
}

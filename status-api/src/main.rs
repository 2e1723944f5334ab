//! The Lambda function that serves the HTTP API: builds its parts and services, then runs.

use std::{process::ExitCode, sync::Arc};

use axum::middleware::map_request;
use lambda::{Parts, function};
use lambda_http::Error;
use ports::blobs::Blobs;
use service::{Foundation, ServiceOptions, Services};
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
    // Only signs uploads, which needs no connection.
    let blobs = Some(Arc::new(parts.blobs()) as Arc<dyn Blobs>);
    let foundation = Foundation { blobs, ..parts.foundation(None).await? };
    let services = Services::new(&foundation, None, &ServiceOptions::default());
    let router = router(services, None, &parts.options.http)
        .layer(map_request(async |request| gateway::with_peer(function::with_deadline(request))));
    lambda_http::run(parts.metrics.flushed_after(router)).await
}

//! The start of a Lambda function, which every `main.rs` shares.

use std::{error::Error, process::ExitCode};

use futures::{FutureExt as _, future::join_all};
use lambda_runtime::Context;
use tokio::time::Instant;
use tokio::time::timeout;
use tracing::{error, info};

use aws::{DynamoStore, SqsQueue};
use domain::limits;
use domain::{Clock, Timestamp};
use telemetry::{LogFormat, chain};

/// Runs a function, from its configuration to its last event. The error that ends it is logged as one line: Lambda
/// itself reports only that the process ended, and an error returned from `main` is printed in its debug form, past the
/// log.
pub async fn run<F, E>(function: impl FnOnce() -> F) -> ExitCode
where
    F: Future<Output = Result<(), E>>,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    telemetry::init(LogFormat::Json);
    match Box::pin(function()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!("Could not run the function: {}", chain(&*error.into()));
            ExitCode::FAILURE
        }
    }
}

/// When Lambda will stop the invocation. Lambda derives it from the function's timeout, in milliseconds since the
/// epoch.
pub fn deadline_of(context: &Context) -> Instant {
    let left = Timestamp::from_millis(context.deadline).since(Clock::System.now());
    Instant::now() + left
}

/// Notes in a request when its invocation will be stopped, so that it is answered in time.
pub fn with_deadline<B>(mut request: http::Request<B>) -> http::Request<B> {
    if let Some(deadline) = request.extensions().get().map(deadline_of) {
        request.extensions_mut().insert(http_api::Deadline(deadline));
    }
    request
}

/// Opens connections before the first event needs them, with one cheap call each to DynamoDB and, if the function sends
/// messages, SQS; both concurrently, and within [`limits::WARM_UP_LIMIT`] in total. Never fails: the first event
/// retries a service that cannot be reached now.
///
/// Any answer will do, and most functions are refused: the calls are a `GetItem` of a key that never exists and a
/// `GetQueueAttributes`, and no policy is widened for them. Only status-api may make the first; of the functions that
/// send, only follow-fetcher and job-handler may make the second. A refusal arrives over the connection that the first
/// event will use.
pub async fn warm_up(store: &DynamoStore, queue: Option<&SqsQueue>) {
    let calls = [Some(store.warm_connection().boxed()), queue.map(|queue| queue.warm_connection().boxed())];
    if timeout(limits::WARM_UP_LIMIT, join_all(calls.into_iter().flatten())).await.is_err() {
        info!("Could not open connections within {:?}; the first event will open them", limits::WARM_UP_LIMIT);
    }
}

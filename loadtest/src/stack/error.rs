//! Errors that abort a run against a deployed stack.

use crate::client::ClientError;

use super::bulk::Undone;

/// Why a run against a deployed stack was aborted.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    /// This program was built without the AWS SDK.
    #[error(
        "this load test was built without AWS; build it with `cargo run --release -p loadtest --features aws -- fanout ...`"
    )]
    WithoutAws,
    /// The API's health check failed.
    #[error("the API at {url} is not healthy")]
    Api {
        /// The API's address.
        url: String,
        /// The cause.
        #[source]
        error: ClientError,
    },
    /// No region is set.
    #[error("no AWS region is set: set AWS_REGION, or a region in the profile")]
    NoRegion,
    /// The stack was not created from our template.
    #[error("the stack {stack} has no output {output}: it is not a stack of Tweeter's template.yaml")]
    NoOutput {
        /// The stack.
        stack: String,
        /// The missing output.
        output: &'static str,
    },
    /// An AWS service failed.
    #[error("{service}: {reason}")]
    Service {
        /// The service.
        service: &'static str,
        /// The reason.
        reason: String,
    },
    /// The stack's signing secret is malformed.
    #[error("the stack's signing secret is malformed")]
    Secret(#[from] ports::signing::InvalidSecret),
    /// The tables could not be seeded.
    #[error("could not seed the stack")]
    Seed(#[source] Undone),
    /// A request failed permanently.
    #[error("a request failed")]
    Request(#[from] ClientError),
    /// The run was interrupted by Ctrl-C.
    #[error("interrupted")]
    Interrupted,
}

#[cfg(feature = "aws")]
impl StackError {
    /// Formats an SDK error in one line: most of its information is in its causes, the innermost being the most useful.
    pub(super) fn of_sdk<E, R>(service: &'static str, error: &aws_sdk_cloudformation::error::SdkError<E, R>) -> Self
    where
        E: aws_sdk_cloudformation::error::ProvideErrorMetadata + std::error::Error + 'static,
        R: std::fmt::Debug + 'static,
    {
        let answered = error.as_service_error().and_then(|answer| answer.meta().message().map(str::to_owned));
        let reason = answered.unwrap_or_else(|| {
            let outer: &dyn std::error::Error = error;
            let inner = std::iter::successors(Some(outer), |error| error.source()).last().unwrap_or(outer);
            let lines = inner.to_string();
            format!("no answer: {}", lines.lines().map(str::trim).collect::<Vec<_>>().join(" "))
        });
        Self::Service { service, reason }
    }
}

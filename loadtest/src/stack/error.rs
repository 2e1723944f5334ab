//! Why a run against a deployed stack did not come to an end.

use crate::client::ClientError;

use super::bulk::Undone;

/// Why a run against a deployed stack did not come to an end.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    /// This program was built without the AWS SDK.
    #[error(
        "this load test was built without AWS; build it with `cargo run --release -p loadtest --features aws -- fanout ...`"
    )]
    WithoutAws,
    /// The API did not say that it is well.
    #[error("the API at {url} cannot be used")]
    Api {
        /// Where it was looked for.
        url: String,
        /// What happened.
        #[source]
        error: ClientError,
    },
    /// No region is set.
    #[error("no AWS region is set: set AWS_REGION, or a region in the profile")]
    NoRegion,
    /// The stack is none of ours.
    #[error("the stack {stack} has no output {output}: it is not a stack of Tweeter's template.yaml")]
    NoOutput {
        /// The stack.
        stack: String,
        /// What it lacks.
        output: &'static str,
    },
    /// A service of AWS did not do what was asked.
    #[error("{service}: {reason}")]
    Service {
        /// Which one.
        service: &'static str,
        /// What it said, or why nothing could be asked.
        reason: String,
    },
    /// What the stack signs tokens with is nothing of ours.
    #[error("the stack's secret cannot be used")]
    Secret(#[from] ports::signing::InvalidSecret),
    /// The tables could not be seeded.
    #[error("the stack cannot be seeded")]
    Seed(#[source] Undone),
    /// A request failed for good.
    #[error("a request failed")]
    Request(#[from] ClientError),
    /// Somebody pressed Ctrl-C.
    #[error("interrupted")]
    Interrupted,
}

#[cfg(feature = "aws")]
impl StackError {
    /// What a service answered, or why it was not asked, in one line: an SDK's error says most of it in its causes, the
    /// innermost of which is what helps.
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

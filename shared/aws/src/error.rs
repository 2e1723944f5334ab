//! The classification of SDK errors, shared by all services.

use std::error::Error;

use aws_sdk_dynamodb::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
};

use ports::{blobs::BlobError, queue::QueueError, store::StoreError};

type Cause = Box<dyn Error + Send + Sync>;

/// How to handle a failed call.
#[derive(Debug)]
pub(super) enum Fault {
    /// Nothing was done; a later retry may succeed.
    Throttled,
    /// The call may or may not have been applied; a later retry may succeed.
    Unavailable(Cause),
    /// The call never succeeds.
    Rejected(Cause),
}

/// Codes for throttling from DynamoDB, SQS and their backend KMS. The last is SQS's for too many messages in flight.
const THROTTLING: [&str; 13] = [
    "ProvisionedThroughputExceeded",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingError",
    "ThrottlingException",
    "TooManyRequestsException",
    "KmsThrottled",
    "OverLimit",
];

/// Codes of internal failures, whatever their HTTP status. `TransactionInProgress`: an earlier attempt with the same
/// token is still running.
const UNAVAILABLE: [&str; 8] = [
    "InternalError",
    "InternalFailure",
    "InternalServerError",
    "RequestTimeout",
    "RequestTimeoutException",
    "ServiceUnavailable",
    "TransactionInProgressException",
    "ReplicatedWriteConflictException",
];

/// Strips a code's namespace (`com.amazonaws.sqs#`, `AWS.SimpleQueueService.`).
pub(super) fn bare(code: &str) -> &str {
    code.rsplit(['#', '.']).next().unwrap_or(code)
}

/// Whether a code, of a call or of one entry of a batch or transaction, means throttling.
pub(super) fn is_throttling(code: &str) -> bool {
    THROTTLING.contains(&bare(code))
}

/// An invalid call without a further cause; usually it was not made.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct WrongCall(pub String);

impl Fault {
    /// A call that never succeeds, with the reason in one line.
    pub fn wrong_call(why: impl Into<String>) -> Self {
        Self::Rejected(Box::new(WrongCall(why.into())))
    }

    /// The fault of an operation that the service answered with `code` and a status.
    fn of_code(code: &str, status: u16, cause: Cause) -> Self {
        if is_throttling(code) || status == 429 {
            Self::Throttled
        } else if status >= 500 || UNAVAILABLE.contains(&bare(code)) {
            Self::Unavailable(cause)
        } else {
            Self::Rejected(cause)
        }
    }
}

impl<E> From<SdkError<E, HttpResponse>> for Fault
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    fn from(error: SdkError<E, HttpResponse>) -> Self {
        match &error {
            SdkError::ServiceError(answered) => {
                let code = answered.err().code().unwrap_or_default().to_owned();
                let status = answered.raw().status().as_u16();
                Self::of_code(&code, status, Box::new(error))
            }
            SdkError::ConstructionFailure(_) => Self::Rejected(Box::new(error)),
            SdkError::DispatchFailure(failure) if failure.is_user() => Self::Rejected(Box::new(error)),
            // No answer, or an unreadable one.
            _ => Self::Unavailable(Box::new(error)),
        }
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Throttled => Self::Throttled,
            Fault::Unavailable(cause) => Self::Unavailable(cause),
            Fault::Rejected(cause) => Self::Rejected(cause),
        }
    }
}

impl From<Fault> for QueueError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Throttled => Self::Throttled,
            Fault::Unavailable(cause) => Self::Unavailable(cause),
            Fault::Rejected(cause) => Self::Rejected(cause),
        }
    }
}

impl From<Fault> for BlobError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Throttled => Self::Throttled,
            Fault::Unavailable(cause) => Self::Unavailable(cause),
            Fault::Rejected(cause) => Self::Refused(cause),
        }
    }
}

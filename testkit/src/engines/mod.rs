//! Independent engines under the AWS SDK, in process, without opening a port but for S3; or a service at an endpoint named
//! by the environment.
//!
//! Their known faults:
//! - dynoxide: every read is consistent, there is never a `TransactionConflict`, and no item is ever unprocessed or
//!   throttled. Items expire only on request.
//! - rustack: messages are limited to 256 KiB, the total of a batch is not checked, `MessageGroupId` on a standard
//!   queue is refused (AWS accepts it), and an expired visibility timeout can reach a waiting long poll up to 1 s late.
//! - s3s-fs: the test of `If-None-Match` and the write are two steps, as are those of content and type, so the engine takes
//!   one request at a time. Access is not checked beyond the signature.
//! - ministack 1.5.33, at an endpoint: standard queues are not fair, and a delete with an outdated receipt is refused
//!   as `ReceiptHandleIsInvalid` (AWS accepts it).

mod connector;
mod dynamo;
mod endpoint;
mod s3;
mod sqs;

pub(crate) use connector::{Answer, FunctionClient};
pub(crate) use dynamo::dynamo_client;
pub use dynamo::{DynamoEngine, dynamo};
pub use endpoint::{ENDPOINT_VARIABLE, dynamo_at_endpoint, s3_at_endpoint, sqs_at_endpoint};
pub use s3::{S3Engine, s3_in_process};
pub(crate) use sqs::sqs_client;
pub use sqs::{SqsEngine, sqs};

/// The region of the engines' clients.
pub(crate) const REGION: &str = "us-east-1";

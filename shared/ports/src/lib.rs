//! The ports: what the layers above may ask of storage, queues, object storage, the change stream and the source of
//! signing keys.
//!
//! Each port offers only what its service on AWS offers (DynamoDB, SQS, S3, DynamoDB Streams, Secrets Manager), so that no
//! layer above can rely on features that the cloud lacks. The adapters are separate crates: `embedded` and `aws`.
//!
//! - [`store`]: items by key, conditions, transactions; [`store::Retrying`] retries transient failures.
//! - [`queue`]: messages with visibility timeouts and dead-letter queues.
//! - [`blobs`]: pictures and uploads under keys.
//! - [`changes`]: the change stream.
//! - [`signing`]: the keys of access tokens.

pub mod blobs;
pub mod changes;
pub mod queue;
pub mod signing;
pub mod store;

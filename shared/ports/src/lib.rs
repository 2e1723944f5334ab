//! The ports: what the layers above may ask of storage, queues, the change stream and the place of the signing keys.
//!
//! Each offers only what its service on AWS offers (DynamoDB, SQS, DynamoDB Streams, Secrets Manager), so that nothing above
//! can rely on what the cloud lacks. The adapters are crates of their own: `embedded` and `aws`.
//!
//! - [`store`]: items by key, conditions, transactions; [`store::with_retries`] repeats what failed for a passing reason.
//! - [`queue`]: messages with visibility timeouts and dead-letter queues.
//! - [`changes`]: the change stream.
//! - [`signing`]: the keys of access tokens.

pub mod changes;
pub mod queue;
pub mod signing;
pub mod store;

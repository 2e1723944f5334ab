//! The ports on DynamoDB, SQS, S3 and Secrets Manager.
//!
//! In reading order:
//! - [`config`]: SDK clients and the names of tables, queues and buckets, from the environment.
//! - `error`: the only place where an SDK error becomes a decision (throttled, unavailable, rejected).
//! - [`DynamoStore`]: [`ports::store::Store`] on DynamoDB.
//! - [`SqsQueue`]: [`ports::queue::Queue`] on SQS.
//! - [`S3Blobs`]: [`ports::blobs::Blobs`] on S3.
//! - [`SigningSecret`]: [`ports::signing::KeySource`] on Secrets Manager.
//! - [`setup`]: creates missing tables and queues.
//!
//! # Retries
//! Callers of the ports retry, with [`ports::store::Retrying`], [`ports::queue::send_all`] and the like, because
//! only they know how long their request or message may take. The adapters therefore disable the SDK's retries,
//! whatever the given client is configured for, so that retries never multiply. The one exception is the lost answer of
//! a transaction, see [`DynamoStore`].

mod blobs;
pub mod config;
mod error;
mod queue;
mod secret;
pub mod setup;
mod store;
mod timeouts;

pub use blobs::{BucketNames, S3Blobs};
pub use queue::{QueueUrls, SqsOptions, SqsQueue};
pub use secret::{SIGNING_SECRET_ARN, SigningSecret};
pub use store::{DynamoStore, TableNames};

#[cfg(test)]
#[path = "../tests/it/main.rs"]
mod it;

//! The ports on DynamoDB, SQS and Secrets Manager.
//!
//! In reading order:
//! - [`config`]: SDK clients and the names of tables and queues, from the environment.
//! - `error`: the only place where an SDK error becomes a decision (throttled, unavailable, rejected).
//! - [`DynamoStore`]: [`ports::store::Store`] on DynamoDB.
//! - [`SqsQueue`]: [`ports::queue::Queue`] on SQS.
//! - [`SigningSecret`]: [`ports::signing::KeySource`] on Secrets Manager.
//! - [`setup`]: creates missing tables and queues.
//!
//! # Retries
//! Callers of the ports retry, with [`ports::store::Retrying`], [`ports::queue::send_all`] and the like, because
//! only they know how long their request or message may take. Both adapters therefore disable the SDK's retries,
//! whatever the given client is configured for, so that retries never multiply. The one exception is the lost answer of
//! a transaction, see [`DynamoStore`].

pub mod config;
mod error;
mod queue;
mod secret;
pub mod setup;
mod store;
mod timeouts;

pub use queue::{QueueUrls, SqsOptions, SqsQueue};
pub use secret::{SIGNING_SECRET_ARN, SigningSecret};
pub use store::{DynamoStore, TableNames};

#[cfg(test)]
#[path = "../tests/it/main.rs"]
mod it;

//! DynamoDB, SQS and Secrets Manager under the ports.
//!
//! In reading order:
//! - [`config`]: SDK clients and the names of tables and queues, from the environment.
//! - `error`: the one place where an SDK's error becomes a decision (throttled, unavailable, rejected).
//! - [`DynamoStore`]: [`ports::store::Store`] on DynamoDB.
//! - [`SqsQueue`]: [`ports::queue::Queue`] on SQS.
//! - [`SigningSecret`]: [`ports::signing::KeySource`] on Secrets Manager.
//! - [`setup`]: makes tables and queues where they are missing.
//!
//! # Who tries again
//! The callers of the ports do, by [`ports::store::with_retries`], [`ports::queue::send_all`] and their kin, because
//! only they know how long their request or message may take. Both adapters therefore switch the SDK's own retries off
//! (whatever the client they are given says), so that retries never multiply. The one exception is the lost answer of
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

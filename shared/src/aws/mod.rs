//! DynamoDB, SQS and Secrets Manager under the ports.
//!
//! In reading order:
//! - [`config`]: SDK clients and the names of tables and queues, from the environment.
//! - `error`: the one place where an SDK's error becomes a decision (throttled, unavailable, rejected).
//! - [`DynamoStore`]: [`crate::store::Store`] on DynamoDB.
//! - [`SqsQueue`]: [`crate::queue::Queue`] on SQS.
//! - [`SigningSecret`]: [`crate::service::tokens::KeySource`] on Secrets Manager.
//! - [`function`]: how a Lambda function starts.
//! - [`setup`]: makes tables and queues where they are missing.
//! - `emf` (feature `aws-lambda`): the functions' metrics for `CloudWatch`.
//!
//! # Who tries again
//! The callers of the ports do, by [`crate::store::with_retries`], [`crate::queue::send_all`] and their kin, because
//! only they know how long their request or message may take. Both adapters therefore switch the SDK's own retries off
//! (whatever the client they are given says), so that retries never multiply. The one exception is the lost answer of
//! a transaction, see [`DynamoStore`].

pub mod config;
#[cfg(feature = "aws-lambda")]
pub mod emf;
mod error;
pub mod function;
mod queue;
mod secret;
pub mod setup;
mod store;

pub use queue::{QueueUrls, SqsOptions, SqsQueue};
pub use secret::{SIGNING_SECRET_ARN, SigningSecret};
pub use store::{DynamoStore, TableNames};

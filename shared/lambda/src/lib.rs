//! The parts that every Lambda function has in common: its start, its configuration, its metrics and its queue events.
//!
//! - [`function`]: the life of a function, from its start to its last event.
//! - [`parts`]: the metrics, store, queues and options of a function.
//! - [`config`]: the environment variables that a function needs, and configuration errors.
//! - [`emf`]: the metrics of a function, published to `CloudWatch`.
//! - [`sqs`]: a queue's events as messages of the port, and the batch's outcome as Lambda reads it.

pub mod config;
pub mod emf;
pub mod function;
pub mod parts;
pub mod sqs;

pub use config::{ApiOptions, Needs, PublishOptions};
pub use parts::Parts;

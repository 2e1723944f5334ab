//! The parts that every Lambda function has in common: its start, its configuration, its metrics and its queue events.
//!
//! - [`function`]: from the start to the last event.
//! - [`parts`]: what a function works with, made of what it needs.
//! - [`config`]: what a function needs of its environment, and the errors of a configuration.
//! - [`emf`]: the metrics of a function, written for `CloudWatch`.
//! - [`sqs`]: a queue's events as messages of the port, and the batch's outcome as Lambda reads it.

pub mod config;
pub mod emf;
pub mod function;
pub mod parts;
pub mod sqs;

pub use config::{ApiOptions, Needs};
pub use parts::Parts;

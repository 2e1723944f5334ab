//! The parts that every Lambda function has in common: its start, its configuration and its metrics.
//!
//! - [`function`]: from the start to the last event.
//! - [`config`]: the environment, and the errors of a configuration.
//! - [`emf`]: the metrics of a function, written for `CloudWatch`.

pub mod config;
pub mod emf;
pub mod function;

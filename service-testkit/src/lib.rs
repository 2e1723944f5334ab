//! The service-level test harness: services and queue handlers on the real embedded stores, turned by hand.
//!
//! It sits above the services, where `testkit` sits above the ports: the tests of `service` use it, and those of
//! `tweeter` for what an operator does with the same stores. Tests over HTTP have harnesses of their own.
//!
//! - [`embedded`]: the embedded stores in a temporary directory, with a clock that tests move.
//! - [`pipeline`]: every service and queue handler on one pair of ports.
//! - [`town`]: people who follow, post, like and comment, held against `testkit`'s social model, and a change stream
//!   that redelivers as streams do.

#![expect(clippy::missing_panics_doc, reason = "a harness panics when a test fails")]

pub mod embedded;
pub mod pipeline;
pub mod town;

pub use self::embedded::Embedded;

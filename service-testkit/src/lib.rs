//! The service-level test harness: services and queue handlers on the real embedded stores, driven step by step.
//!
//! It builds on the services, as `testkit` builds on the ports. The tests of `service` use it, and those of `tweeter`
//! for operator commands on the same stores. Tests over HTTP have separate harnesses.
//!
//! - [`embedded`]: the embedded stores in a temporary directory, with a clock that tests advance.
//! - [`gallery`]: users who upload pictures, with the files that object storage holds.
//! - [`pipeline`]: every service and queue handler on one pair of ports.
//! - [`social_harness`]: users who follow, post, like and comment, compared with `testkit`'s social model, and a change stream
//!   that redelivers as real streams do.

#![expect(clippy::missing_panics_doc, reason = "a harness panics when a test fails")]

pub mod embedded;
pub mod gallery;
pub mod pipeline;
pub mod social_harness;

pub use self::embedded::Embedded;

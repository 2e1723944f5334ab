//! The test support that all crates share; no deployed binary links it.
//!
//! - [`engines`]: third-party engines compatible with DynamoDB, SQS and S3, in process, under the AWS SDK.
//! - [`endpoints`]: the same engines over HTTP, for processes; `aws-endpoints` serves them.
//! - [`canned`]: an HTTP client with prepared responses, for cases that the engines never produce.
//! - [`contract`]: the contract of every adapter of the ports, one check per fact.
//! - [`faults`]: port wrappers that throttle, fail, leave work undone, return stale reads, or count.
//! - [`crash`]: port wrappers under which a process dies at any call.
//! - [`recording`]: port wrappers that record the permissions each call needs.
//! - [`social`]: a model of users' actions and the resulting views: the oracle of all social tests.
//! - [`changing`]: a store that records its changes.
//! - [`units`]: what DynamoDB bills for reads.
//!
//! It depends only on the ports and their adapters; `service-testkit` is the harness of the services above them.

#![expect(clippy::missing_panics_doc, reason = "a check panics when it fails, as a test should")]

pub mod canned;
pub mod changing;
pub mod contract;
pub mod crash;
pub mod endpoints;
pub mod engines;
pub mod faults;
pub mod recording;
pub mod social;
pub mod units;

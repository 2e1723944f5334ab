//! What tests of every crate share; nothing that is deployed links it.
//!
//! - [`engines`]: DynamoDB- and SQS-compatible engines that we did not write, in process, under the AWS SDK.
//! - [`endpoints`]: the same engines over HTTP, for processes; `aws-endpoints` serves them.
//! - [`canned`]: an HTTP client with prepared answers, for what the engines never say.
//! - [`contract`]: what every adapter of the ports must do, one check per fact.
//! - [`faults`]: port wrappers that throttle, fail, leave work undone, answer from the past, or count.
//! - [`crash`]: port wrappers under which a process dies at any call.
//! - [`recording`]: port wrappers that note which permissions each call needs.
//! - [`social`]: what people did, and the views that must follow from it: the oracle of all social tests.
//! - [`changing`]: a store that notes its changes.
//!
//! It knows the ports and their adapters; `service-testkit` is the harness of the services above them.

#![expect(clippy::missing_panics_doc, reason = "a check panics when it fails; that is what it is for")]

pub mod canned;
pub mod changing;
pub mod contract;
pub mod crash;
pub mod endpoints;
pub mod engines;
pub mod faults;
pub mod recording;
pub mod social;

//! What tests of every crate share; nothing that is deployed links it.
//!
//! - [`engines`]: DynamoDB- and SQS-compatible engines that we did not write, in process, under the AWS SDK.
//! - [`canned`]: an HTTP client with prepared answers, for what the engines never say.
//! - [`contract`]: what every adapter of the ports must do, one check per fact.
//! - [`faults`]: port wrappers that throttle, fail, leave work undone, answer from the past, or count.

pub mod canned;
pub mod contract;
pub mod engines;
pub mod faults;

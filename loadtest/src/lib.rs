//! Measures the whole service: starts it in this process, talks to it over real HTTP and watches its ports.
//!
//! ```text
//! client ── HTTP ─▶ the service ─▶ ObservedStore, ObservedQueue ─▶ the embedded engine, or DynamoDB and SQS
//! ```
//!
//! In reading order:
//! - [`options`]: the command line.
//! - [`fanout`], [`mixed`] and [`hotpost`]: the scenarios, each from its start to its report.
//! - [`service`]: the service under test; [`ground`]: the stores that it is on.
//! - [`observe`]: what is seen at its ports.
//! - [`seed`]: users and edges in bulk; [`graph`]: whom the users of a mixed run follow.
//! - [`arrivals`]: the schedule of a mixed run; [`driver`]: who keeps it; [`client`]: the HTTP client.
//! - [`highest`]: the search for the highest rate of a mixed run that holds.
//! - [`yardstick`]: what the machine can do today; [`floor`] and `floor_aws`: what the store alone can do; [`memory`]: what the process takes.
//! - [`verify`]: whether the feeds hold what they are to hold; [`reactions`]: likes, comments and counts.
//! - [`report`]: the figures, as a table and as JSON; [`progress`]: what is shown meanwhile.
//! - [`stack`]: the fan-out against a deployed stack; [`cost`]: what requests cost on AWS.
//! - [`error`]: why a run did not come to an end.

#![expect(clippy::disallowed_methods, reason = "a load test measures real time")]

pub mod arrivals;
pub mod client;
pub mod cost;
pub mod driver;
pub mod error;
pub mod fanout;
pub mod floor;
#[cfg(feature = "aws")]
mod floor_aws;
pub mod graph;
pub mod ground;
pub mod highest;
pub mod hotpost;
pub mod memory;
pub mod mixed;
pub mod observe;
pub mod options;
#[cfg(feature = "aws")]
pub mod prepared;
pub mod progress;
pub mod reactions;
pub mod report;
pub mod seed;
pub mod service;
pub mod stack;
pub mod verify;
pub mod yardstick;

//! Measures the whole service: starts it in this process, sends real HTTP requests and observes its ports.
//!
//! ```text
//! client ── HTTP ─▶ the service ─▶ ObservedStore, ObservedQueue ─▶ the embedded engine, or DynamoDB and SQS
//! ```
//!
//! In reading order:
//! - [`options`]: the command line.
//! - [`fanout`], [`mixed`] and [`hotpost`]: the scenarios, each from setup to report.
//! - [`service`]: the service under test; [`target`]: the stores it runs on.
//! - [`observe`]: observations at its ports.
//! - [`seed`]: users and edges in bulk; [`graph`]: the follow graph of a mixed run.
//! - [`arrivals`]: the schedule of a mixed run; [`driver`]: sends it; [`client`]: the HTTP client.
//! - [`highest`]: the search for the highest sustainable rate of a mixed run.
//! - [`yardstick`]: baselines of the machine; [`baseline`] and `baseline_aws`: the baseline of the store alone; [`memory`]:
//!   the peak memory of the process.
//! - [`verify`]: checks the feeds; [`reactions`]: checks likes, comments and counts.
//! - [`report`]: the figures, as a table and as JSON; [`progress`]: progress bars.
//! - [`stack`]: the fan-out against a deployed stack; [`cost`]: the cost of requests on AWS.
//! - [`error`]: errors that abort a run.

#![expect(clippy::disallowed_methods, reason = "a load test measures real time")]

pub mod arrivals;
pub mod baseline;
#[cfg(feature = "aws")]
mod baseline_aws;
pub mod cli;
pub mod client;
pub mod cost;
pub mod driver;
pub mod error;
pub mod fanout;
pub mod graph;
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
pub mod target;
pub mod verify;
pub mod yardstick;

#[cfg(test)]
#[path = "../tests/it/main.rs"]
mod it;

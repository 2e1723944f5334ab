//! Measures the whole service: starts it in this process, sends real HTTP requests and observes its ports.
//!
//! ```text
//! client ── HTTP ─▶ the service ─▶ ObservedStore, ObservedQueue ─▶ the embedded engine, or DynamoDB and SQS
//! ```
//!
//! In reading order:
//! - [`options`]: the command line.
//! - [`fanout`], [`mixed`], [`hotpost`], [`read`], [`fairness`], [`dsb`], [`soak`] and [`pages`]: the scenarios, each
//!   from setup to report.
//! - [`service`]: the service under test; [`target`]: the stores it runs on.
//! - [`observe`]: observations at its ports.
//! - [`seed`]: users and edges in bulk; [`plant`]: posts and feed entries; [`graph`]: the follow graph of a mixed run.
//! - [`arrivals`]: the schedule of a mixed run; [`driver`]: sends it; [`client`]: the HTTP client.
//! - [`highest`]: the search for the highest sustainable rate of a mixed run.
//! - [`yardstick`]: baselines of the machine; [`baseline`] and `baseline_aws`: the baseline of the store alone; [`memory`]:
//!   the peak memory of the process.
//! - [`verify`]: checks the feeds; [`reactions`]: checks likes, comments and counts.
//! - [`client_process`]: a client in a process of its own.
//! - [`timeline`]: throughput and queue depth over time; [`disk`]: bytes on disk.
//! - [`report`]: the figures, as a table and as JSON; [`table`]: tables; [`page`]: the same with charts, as HTML;
//!   [`chart`]: these charts; [`progress`]: progress bars.
//! - [`stack`]: the fan-out against a deployed stack; [`cost`]: the cost of requests on AWS; [`plan`]: load, cost and
//!   delivery time of a large service.
//! - [`error`]: errors that abort a run.

#![expect(clippy::disallowed_methods, reason = "a load test measures real time")]

pub mod arrivals;
pub mod baseline;
#[cfg(feature = "aws")]
mod baseline_aws;
pub mod chart;
pub mod cli;
pub mod client;
pub mod client_process;
pub mod cost;
pub mod disk;
pub mod driver;
pub mod dsb;
pub mod error;
pub mod fairness;
pub mod fanout;
pub mod graph;
pub mod highest;
pub mod hotpost;
pub mod memory;
pub mod mixed;
pub mod observe;
pub mod options;
pub mod page;
pub mod pages;
pub mod plan;
pub mod plant;
#[cfg(feature = "aws")]
pub mod prepared;
pub mod progress;
pub mod reactions;
pub mod read;
pub mod report;
pub mod seed;
pub mod service;
pub mod soak;
pub mod stack;
pub mod table;
pub mod target;
pub mod timeline;
pub mod verify;
pub mod yardstick;

#[cfg(test)]
#[path = "../tests/it/main.rs"]
mod it;

//! The functions' metrics for `CloudWatch`, in its embedded metric format: lines of JSON on standard output, which
//! Lambda hands to `CloudWatch` Logs and which become metrics there. No call is made and nobody waits.
//!
//! In reading order:
//! - [`PUBLISHED`]: which of our metrics, each with its unit and dimensions. `template.yaml` alarms on these.
//! - [`FunctionMetrics`]: collects what is recorded, and writes it out.
//! - `lines`: measurements into lines, within the limits of the format.
//! - [`Flushing`]: writes after each invocation, before its answer goes out.
//!
//! Why not a crate: `metrics_cloudwatch_embedded` 0.10 makes a dimension of every label, publishes every metric, and
//! drops the values of a histogram from the 101st on.
//!
//! # Lambda's logging
//! A function whose `LogFormat` is `JSON` passes on what is JSON on standard output as it is. A line without a `level`
//! counts as `INFO`: an `ApplicationLogLevel` above it would drop the metrics, which is why the template sets none.
//!
//! # What is lost
//! What an invocation recorded that ran into its timeout: Lambda ends the process.

mod flushing;
mod lines;
mod published;
mod recorder;

pub use flushing::{Flushing, Invocation};
pub use published::{FUNCTION_NAME, NAMESPACE, PUBLISHED, Published, Unit};
pub use recorder::FunctionMetrics;

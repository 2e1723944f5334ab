//! The functions' metrics for `CloudWatch`, in its embedded metric format: lines of JSON on standard output, which
//! Lambda passes to `CloudWatch` Logs and which become metrics there. No call is made, so no request waits for one.
//!
//! In reading order:
//! - [`PUBLISHED`]: the published metrics, each with its unit and dimensions. `template.yaml` alarms on these.
//! - [`FunctionMetrics`]: collects measurements and writes them.
//! - `lines`: encodes measurements as lines, within the limits of the format.
//! - [`Flushing`]: writes after each invocation, before its response is sent.
//!
//! This is custom code because `metrics_cloudwatch_embedded` 0.10 turns every label into a dimension, publishes every
//! metric, and drops a histogram's values from the 101st on.
//!
//! # Lambda's logging
//! With the `LogFormat` `JSON`, Lambda passes on JSON lines of standard output unchanged. A line without a `level`
//! counts as `INFO`: an `ApplicationLogLevel` above it would drop the metrics, which is why the template sets none.
//!
//! # Lost measurements
//! Those of an invocation that timed out: Lambda ends the process.

mod flushing;
mod lines;
mod published;
mod recorder;

pub use flushing::{Flushing, Invocation};
pub use published::{FUNCTION_NAME, NAMESPACE, PUBLISHED, Published, Unit};
pub use recorder::FunctionMetrics;

//! The metrics that are published to `CloudWatch`.

use telemetry::{names, outcomes};

/// The namespace of all published metrics.
pub const NAMESPACE: &str = "Tweeter";

/// The dimension of all published metrics: the function's name, as in Lambda's own metrics.
pub const FUNCTION_NAME: &str = "FunctionName";

/// A unit of `CloudWatch`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// `Count`.
    Count,
    /// `Seconds`.
    Seconds,
}

impl Unit {
    /// The unit's name in `CloudWatch`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Count => "Count",
            Self::Seconds => "Seconds",
        }
    }
}

/// A published metric. Values that differ only in labels that are not dimensions here are added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// The metric's name, one of [`names`].
    pub name: &'static str,
    /// The metric's unit.
    pub unit: Unit,
    /// The label that is a dimension beside [`FUNCTION_NAME`], with all its values.
    pub label: Option<(&'static str, &'static [&'static str])>,
}

impl Published {
    /// The published metric with a name, if any.
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        PUBLISHED.iter().find(|metric| metric.name == name)
    }
}

/// All published metrics. Each costs $0.30 a month for each function and outcome it occurs with (custom metrics of
/// `CloudWatch`, us-east-1); hence no dimension for the table or the queue (a function has one), and no metric that API
/// Gateway or SQS publishes itself.
pub const PUBLISHED: &[Published] = &[
    Published { name: names::CHANGES, unit: Unit::Count, label: Some(("outcome", &outcomes::ALL)) },
    Published { name: names::DEMOTIONS, unit: Unit::Count, label: None },
    Published { name: names::ENTRIES_WRITTEN, unit: Unit::Count, label: None },
    Published { name: names::FOLLOWERS_SKIPPED, unit: Unit::Count, label: None },
    Published { name: names::FAN_OUT_SECONDS, unit: Unit::Seconds, label: None },
    Published { name: names::JOBS_SENT, unit: Unit::Count, label: None },
    Published { name: names::PROMOTIONS, unit: Unit::Count, label: None },
    Published { name: names::RECORDS, unit: Unit::Count, label: Some(("outcome", &outcomes::ALL)) },
    Published { name: names::STORE_UNPROCESSED, unit: Unit::Count, label: None },
    Published { name: names::SWEPT, unit: Unit::Count, label: None },
];

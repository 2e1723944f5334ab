//! Which metrics `CloudWatch` gets.

use telemetry::{names, outcomes};

/// The namespace of all of them.
pub const NAMESPACE: &str = "Tweeter";

/// The dimension that all of them have: the function's name, as in Lambda's own metrics.
pub const FUNCTION_NAME: &str = "FunctionName";

/// What is counted in, as `CloudWatch` calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// `Count`.
    Count,
    /// `Seconds`.
    Seconds,
}

impl Unit {
    /// Its name in `CloudWatch`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Count => "Count",
            Self::Seconds => "Seconds",
        }
    }
}

/// A metric that `CloudWatch` gets. Labels that are no dimension here are added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// Its name, one of [`names`].
    pub name: &'static str,
    /// What it is counted in.
    pub unit: Unit,
    /// The label that is a dimension beside [`FUNCTION_NAME`], with all the values that it has.
    pub label: Option<(&'static str, &'static [&'static str])>,
}

impl Published {
    /// The metric of that name.
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        PUBLISHED.iter().find(|metric| metric.name == name)
    }
}

/// All of them. Each, for each function and outcome that it occurs with, costs $0.30 a month (custom metrics of
/// `CloudWatch`, us-east-1); hence no table, no queue (a function has one), and nothing that API Gateway or SQS count
/// themselves.
pub const PUBLISHED: &[Published] = &[
    Published { name: names::CHANGES, unit: Unit::Count, label: Some(("outcome", &outcomes::ALL)) },
    Published { name: names::ENTRIES_WRITTEN, unit: Unit::Count, label: None },
    Published { name: names::FAN_OUT_SECONDS, unit: Unit::Seconds, label: None },
    Published { name: names::JOBS_SENT, unit: Unit::Count, label: None },
    Published { name: names::RECORDS, unit: Unit::Count, label: Some(("outcome", &outcomes::ALL)) },
    Published { name: names::STORE_UNPROCESSED, unit: Unit::Count, label: None },
    Published { name: names::SWEPT, unit: Unit::Count, label: None },
];

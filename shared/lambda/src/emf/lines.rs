//! Encodes measurements as lines of the embedded metric format, within its limits.
//!
//! The
//! [specification](https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html):
//! a line names a metric once and has one value of a dimension, at most 100 metrics per directive, 30 dimensions per
//! metric and 100 values per metric. [`PUBLISHED`](super::PUBLISHED) is far below the limits of metrics and dimensions.

use metrics::SharedString;
use serde_json::{Map, Value, json};

use super::{FUNCTION_NAME, NAMESPACE, Published};
use domain::Timestamp;

/// Maximum number of values of one metric in a line.
pub(super) const MAX_VALUES: usize = 100;

/// The origin of measurements.
pub(super) struct Origin<'a> {
    pub(super) function: &'a str,
    pub(super) request_id: &'a str,
    pub(super) now: Timestamp,
}

/// A metric's part of a line.
pub(super) struct Measurement {
    pub(super) metric: &'static Published,
    /// The value of the metric's own dimension, if it has one.
    pub(super) dimension: Option<SharedString>,
    /// A number or a list of numbers.
    pub(super) value: Value,
}

impl Measurement {
    /// Splits a histogram's values into as few measurements as the limit of a line allows.
    pub(super) fn chunks(values: &[f64]) -> impl Iterator<Item = Value> {
        values.chunks(MAX_VALUES).map(|values| json!(values))
    }

    /// The label that is the metric's dimension, and its value.
    fn own_dimension(&self) -> Option<(&'static str, &str)> {
        Some((self.metric.label?.0, self.dimension.as_deref()?))
    }

    /// Whether both measurements fit into one line.
    fn fits_beside(&self, other: &Self) -> bool {
        let (own, others) = (self.own_dimension(), other.own_dimension());
        let same_or_apart = own.zip(others).is_none_or(|(own, other)| own.0 != other.0 || own.1 == other.1);
        self.metric.name != other.metric.name && same_or_apart
    }
}

/// Encodes the measurements in as few lines as possible.
pub(super) fn lines(measurements: Vec<Measurement>, origin: &Origin<'_>) -> Vec<Value> {
    let mut lines: Vec<Vec<Measurement>> = Vec::new();
    for measurement in measurements {
        let fitting = lines.iter_mut().find(|line| line.iter().all(|other| measurement.fits_beside(other)));
        match fitting {
            Some(line) => line.push(measurement),
            None => lines.push(vec![measurement]),
        }
    }
    lines.into_iter().map(|line| document(&line, origin)).collect()
}

fn document(line: &[Measurement], origin: &Origin<'_>) -> Value {
    let mut document = Map::new();
    document
        .insert("_aws".to_owned(), json!({"Timestamp": origin.now.as_millis(), "CloudWatchMetrics": directives(line)}));
    document.insert(FUNCTION_NAME.to_owned(), json!(origin.function));
    document.insert("requestId".to_owned(), json!(origin.request_id));
    for measurement in line {
        document.extend(measurement.own_dimension().map(|(label, value)| (label.to_owned(), json!(value))));
        document.insert(measurement.metric.name.to_owned(), measurement.value.clone());
    }
    Value::Object(document)
}

/// One directive for each set of dimensions.
fn directives(line: &[Measurement]) -> Vec<Value> {
    let label = |measurement: &Measurement| measurement.own_dimension().map(|(label, _)| label);
    let mut labels: Vec<_> = line.iter().map(label).collect();
    labels.sort_unstable();
    labels.dedup();
    let directive = |own: Option<&str>| {
        let dimensions: Vec<&str> = std::iter::once(FUNCTION_NAME).chain(own).collect();
        let of_these =
            line.iter().filter(|measurement| label(measurement) == own).map(|measurement| measurement.metric);
        let metrics: Vec<Value> =
            of_these.map(|metric| json!({"Name": metric.name, "Unit": metric.unit.name()})).collect();
        json!({"Namespace": NAMESPACE, "Dimensions": [dimensions], "Metrics": metrics})
    };
    labels.into_iter().map(directive).collect()
}

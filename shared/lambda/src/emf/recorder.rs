//! Collects measurements between two flushes.

use std::{
    collections::BTreeMap,
    fmt,
    io::Write,
    mem::take,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use metrics::{Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString};
use parking_lot::Mutex;
use serde_json::json;
use tracing::warn;

use super::{
    Published,
    lines::{Measurement, Origin, lines},
};
use crate::config::environment;
use domain::Timestamp;

/// The environment variable that holds the function's name.
const FUNCTION_NAME_VARIABLE: &str = "AWS_LAMBDA_FUNCTION_NAME";

/// The metrics of this function since the last flush. Clones share them.
#[derive(Clone)]
pub struct FunctionMetrics {
    function: Arc<str>,
    series: Arc<Mutex<BTreeMap<SeriesKey, Series>>>,
    output: Arc<Mutex<dyn Write + Send>>,
}

/// A metric's name, and the value of its dimension if it has one.
type SeriesKey = (&'static str, Option<SharedString>);

/// The measurements of a metric with one value of its dimension.
#[derive(Default)]
struct Series {
    count: Arc<AtomicU64>,
    values: Arc<Values>,
}

/// The individual values of a histogram, so that `CloudWatch` can compute percentiles.
#[derive(Default)]
struct Values(Mutex<Vec<f64>>);

impl HistogramFn for Values {
    fn record(&self, value: f64) {
        // JSON cannot represent infinities and NaN.
        if value.is_finite() {
            self.0.lock().push(value);
        }
    }
}

impl FunctionMetrics {
    /// Metrics of the function `function`, written to `output`.
    pub fn new(function: &str, output: impl Write + Send + 'static) -> Self {
        Self { function: function.into(), series: Arc::default(), output: Arc::new(Mutex::new(output)) }
    }

    /// Installs metrics of this process's Lambda function, written to standard output, as the process's recorder. Call
    /// once per process; an earlier recorder stays, and these metrics stay empty.
    pub fn install() -> Self {
        let metrics = Self::new(&environment(FUNCTION_NAME_VARIABLE).unwrap_or_default(), std::io::stdout());
        if metrics::set_global_recorder(metrics.clone()).is_err() {
            warn!(
                "Could not install the metrics recorder: the process already has one; CloudWatch will get no metrics"
            );
        }
        metrics
    }

    /// Writes the measurements since the last call; writes nothing if there are none. On failure they are lost, and a
    /// warning is logged.
    pub fn flush(&self, request_id: &str, now: Timestamp) {
        let origin = Origin { function: &self.function, request_id, now };
        let lines = lines(self.take(), &origin);
        if lines.is_empty() {
            return;
        }
        let mut output = self.output.lock();
        let written = lines.iter().try_for_each(|line| output.write_all(format!("{line}\n").as_bytes()));
        if let Err(error) = written.and_then(|()| output.flush()) {
            warn!(error = telemetry::chain(&error), "Could not write the metrics of an invocation; they are lost");
        }
    }

    /// Takes the measurements; counting starts from zero again.
    fn take(&self) -> Vec<Measurement> {
        let mut taken = Vec::new();
        for ((name, dimension), series) in self.series.lock().iter() {
            let Some(metric) = Published::named(name) else { continue };
            let measured = |value| Measurement { metric, dimension: dimension.clone(), value };
            let count = series.count.swap(0, Ordering::AcqRel);
            if count > 0 {
                taken.push(measured(json!(count)));
            }
            let values = take(&mut *series.values.0.lock());
            taken.extend(Measurement::chunks(&values).map(measured));
        }
        taken
    }

    /// The collector of a metric; `None` if the metric is not published.
    fn collect<T>(&self, key: &Key, collector: impl FnOnce(&Series) -> T) -> Option<T> {
        let metric = Published::named(key.name())?;
        let dimension = match metric.label {
            Some((label, _)) => Some(key.labels().find(|found| found.key() == label)?.value().to_owned().into()),
            None => None,
        };
        Some(collector(self.series.lock().entry((metric.name, dimension)).or_default()))
    }
}

impl fmt::Debug for FunctionMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FunctionMetrics").field("function", &self.function).finish_non_exhaustive()
    }
}

impl Recorder for FunctionMetrics {
    // The units come from `PUBLISHED`.
    fn describe_counter(&self, _: KeyName, _: Option<metrics::Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<metrics::Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<metrics::Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let counter = self.collect(key, |series| Counter::from_arc(Arc::clone(&series.count)));
        counter.unwrap_or_else(Counter::noop)
    }

    /// No gauge is published: an instance of a function knows only its own state.
    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        let histogram = self.collect(key, |series| Histogram::from_arc(Arc::clone(&series.values)));
        histogram.unwrap_or_else(Histogram::noop)
    }
}

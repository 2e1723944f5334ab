//! The metrics that functions write conform to the embedded metric format, and are those that `template.yaml` reads.

use std::{
    collections::BTreeSet,
    convert::Infallible,
    io::{self, Write},
    sync::Arc,
};

use lambda_runtime::{Context, LambdaEvent, Service as _, service_fn};
use metrics::{counter, gauge, histogram, with_local_recorder};
use parking_lot::Mutex;
use serde_json::{Value, json};

use domain::Timestamp;
use lambda::emf::{FunctionMetrics, Invocation as _, PUBLISHED};
use telemetry::{names, outcomes};

const NOW: Timestamp = Timestamp::from_millis(1_732_700_000_000);

/// Captured output.
#[derive(Debug, Clone, Default)]
struct Output(Arc<Mutex<Vec<u8>>>);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Output {
    /// The lines, each checked against the specification.
    fn lines(&self) -> Vec<Value> {
        let text = String::from_utf8(self.0.lock().clone()).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        lines.iter().for_each(assert_is_embedded_metric_format);
        lines
    }
}

/// Checks the rules of the specification, which `lines.rs` links to.
fn assert_is_embedded_metric_format(line: &Value) {
    assert!(line["_aws"]["Timestamp"].is_u64(), "milliseconds since the epoch: {line}");
    let mut metrics_of_line = BTreeSet::new();
    for directive in line["_aws"]["CloudWatchMetrics"].as_array().unwrap() {
        let namespace = directive["Namespace"].as_str().unwrap();
        assert!(!namespace.is_empty() && namespace.len() <= 1_024);
        for set in directive["Dimensions"].as_array().unwrap() {
            let dimensions = set.as_array().unwrap();
            assert!(dimensions.len() <= 30);
            for name in dimensions {
                let value =
                    line[name.as_str().unwrap()].as_str().unwrap_or_else(|| panic!("{name} has a text: {line}"));
                assert!(!value.is_empty() && value.len() <= 1_024);
            }
        }
        let metrics = directive["Metrics"].as_array().unwrap();
        assert!(!metrics.is_empty() && metrics.len() <= 100);
        for metric in metrics {
            assert!(["Count", "Seconds"].contains(&metric["Unit"].as_str().unwrap()));
            let name = metric["Name"].as_str().unwrap();
            assert!(metrics_of_line.insert(name), "{name} is named once");
            let values = line[name].as_array().map_or_else(|| std::slice::from_ref(&line[name]), Vec::as_slice);
            assert!(!values.is_empty() && values.len() <= 100 && values.iter().all(Value::is_number), "{line}");
        }
    }
}

/// The lines written after `record`, as function `job-handler` and invocation `request-1`.
fn written(record: impl FnOnce()) -> Vec<Value> {
    let output = Output::default();
    let metrics = FunctionMetrics::new("job-handler", output.clone());
    with_local_recorder(&metrics, record);
    metrics.flush("request-1", NOW);
    output.lines()
}

fn count_record(outcome: &'static str) {
    counter!(names::RECORDS, "queue" => "JobQ", "outcome" => outcome).increment(1);
}

#[test]
fn a_successful_invocation_writes_one_line() {
    let lines = written(|| {
        for _ in 0..2 {
            counter!(names::ENTRIES_WRITTEN).increment(25);
            histogram!(names::FAN_OUT_SECONDS).record(0.25);
            count_record(outcomes::DONE);
        }
    });
    let expected = json!({
        "_aws": {
            "Timestamp": 1_732_700_000_000_u64,
            "CloudWatchMetrics": [
                {"Namespace": "Tweeter", "Dimensions": [["FunctionName"]], "Metrics": [
                    {"Name": "tweeter_fan_out_latency_seconds", "Unit": "Seconds"},
                    {"Name": "tweeter_feed_entries_written_total", "Unit": "Count"},
                ]},
                {"Namespace": "Tweeter", "Dimensions": [["FunctionName", "outcome"]], "Metrics": [
                    {"Name": "tweeter_queue_records_total", "Unit": "Count"},
                ]},
            ],
        },
        "FunctionName": "job-handler",
        "requestId": "request-1",
        "outcome": "done",
        "tweeter_fan_out_latency_seconds": [0.25, 0.25],
        "tweeter_feed_entries_written_total": 50,
        "tweeter_queue_records_total": 2,
    });
    assert_eq!(lines, [expected]);
}

#[test]
fn each_outcome_has_a_separate_line() {
    let lines = written(|| outcomes::ALL.into_iter().for_each(count_record));
    let found: BTreeSet<&str> = lines.iter().map(|line| line["outcome"].as_str().unwrap()).collect();
    assert_eq!(found, BTreeSet::from(outcomes::ALL));
    assert!(lines.iter().all(|line| line[names::RECORDS] == 1));
}

#[test]
fn long_histograms_are_split_across_lines() {
    let recorded: Vec<f64> = (0..250).map(f64::from).collect();
    let lines = written(|| recorded.iter().for_each(|value| histogram!(names::FAN_OUT_SECONDS).record(*value)));
    let values = |line: &Value| line[names::FAN_OUT_SECONDS].as_array().unwrap().clone();
    assert_eq!(lines.iter().map(|line| values(line).len()).collect::<Vec<_>>(), [100, 100, 50]);
    assert_eq!(lines.iter().flat_map(values).collect::<Vec<_>>(), recorded);
}

#[test]
fn values_without_a_dimension_are_added_up() {
    let lines = written(|| {
        for table in ["Feed", "Social"] {
            counter!(names::STORE_UNPROCESSED, "table" => table).increment(2);
        }
    });
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0][names::STORE_UNPROCESSED], 4);
    assert_eq!(lines[0]["table"], Value::Null);
}

#[test]
fn unpublished_metrics_write_nothing() {
    let lines = written(|| {
        counter!(names::SWEPT).increment(0);
        counter!(names::HTTP_REQUESTS, "route" => "/v1/feed", "method" => "GET", "status" => "200").increment(1);
        gauge!(names::FAN_OUTS_RUNNING).increment(1);
        histogram!(names::HTTP_SECONDS).record(0.1);
        histogram!(names::FAN_OUT_SECONDS).record(f64::NAN);
    });
    assert_eq!(lines, Vec::<Value>::new());
}

#[tokio::test]
async fn each_invocation_writes_its_metrics_before_its_response() {
    let output = Output::default();
    let metrics = FunctionMetrics::new("outbox-sweeper", output.clone());
    let sweep = |event: LambdaEvent<u64>| {
        let metrics = metrics.clone();
        async move {
            with_local_recorder(&metrics, || counter!(names::SWEPT).increment(event.payload));
            Ok::<_, Infallible>(())
        }
    };
    let mut service = metrics.flushed_after(service_fn(sweep));
    for (request_id, swept) in [("first", 3), ("second", 0), ("third", 4)] {
        let mut context = Context::default();
        context.request_id = request_id.to_owned();
        service.call(LambdaEvent::new(swept, context)).await.unwrap();
    }
    let sums = output.lines().into_iter().map(|line| (line["requestId"].clone(), line[names::SWEPT].clone()));
    assert_eq!(sums.collect::<Vec<_>>(), [(json!("first"), json!(3)), (json!("third"), json!(4))]);
}

#[test]
fn a_requests_invocation_id_is_read() {
    let mut context = Context::default();
    context.request_id = "request-1".to_owned();
    let mut request = http::Request::new(());
    assert_eq!(request.request_id(), "");
    request.extensions_mut().insert(context);
    assert_eq!(request.request_id(), "request-1");
}

#[test]
fn published_metrics_fit_into_a_line() {
    assert!(PUBLISHED.len() <= 100, "metrics a directive");
    let names: BTreeSet<&str> = PUBLISHED.iter().map(|metric| metric.name).collect();
    assert_eq!(names.len(), PUBLISHED.len(), "each metric is listed once");
}

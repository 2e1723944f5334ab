//! Both scenarios on the APIs of DynamoDB and SQS over HTTP, as small runs of the binary.

use std::fs;

use serde_json::Value;
use testkit::endpoints::Endpoints;

use super::process::loadtest;

/// Runs the binary against separate engines and returns the figures.
fn figures(args: &[&str]) -> Value {
    let (endpoints, dir) = (Endpoints::start(0, 0).unwrap(), tempfile::tempdir().unwrap());
    let json = dir.path().join("figures.json");
    let arguments = [args, &["--store", "aws", "--json", json.to_str().unwrap()]].concat();
    let output = loadtest(&arguments, &[], false).envs(endpoints.environment()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    serde_json::from_str(&fs::read_to_string(json).unwrap()).unwrap()
}

#[test]
fn a_fanout_on_aws_is_complete_and_compared() {
    let figures = figures(&["fanout", "--followers", "60", "--posts", "2"]);
    assert_eq!(figures["entries_found"], 120, "{figures}");
    assert_eq!(figures["duplicates"], 0, "{figures}");
    for count in ["jobs_sent", "jobs_received", "jobs_deleted"] {
        assert_eq!(figures[count], 6, "{figures}");
    }
    assert!(figures["floor_entries_per_second"].as_f64().unwrap() > 0.0, "{figures}");
}

#[test]
fn a_mixed_run_on_aws_is_complete() {
    let figures = figures(&["mixed", "--users", "40", "--rate", "30", "--seconds", "1", "--read-share", "0.5"]);
    for count in ["errors", "lost", "duplicates"] {
        assert_eq!(figures[count], 0, "{figures}");
    }
}

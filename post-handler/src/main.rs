//! The Lambda function behind `POST /v1/posts`: telemetry, configuration, clients, run.
fn main() {}

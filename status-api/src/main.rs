//! The Lambda function behind the HTTP API: telemetry, configuration, clients, run.
fn main() {}

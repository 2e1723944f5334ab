//! Serves an in-memory, empty DynamoDB and SQS on the loopback interface until it receives a signal to stop.
//!
//! Prints the environment that a process needs to use them, one assignment a line:
//! `aws-endpoints >endpoints.env &`, then, once the file is written, `set -a; . ./endpoints.env`.

use std::{io::Write as _, process::ExitCode};

use clap::Parser;
use testkit::endpoints::Endpoints;

/// In-memory DynamoDB and SQS over HTTP, for experiments and measurements.
#[derive(Debug, Parser)]
struct Cli {
    /// Port of DynamoDB; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    dynamodb_port: u16,
    /// Port of SQS; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    sqs_port: u16,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let endpoints = match Endpoints::start(cli.dynamodb_port, cli.sqs_port) {
        Ok(endpoints) => endpoints,
        Err(error) => return fail(&error),
    };
    let assignments: Vec<_> =
        endpoints.environment().into_iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    if let Err(error) = std::io::stdout().write_all(assignments.concat().as_bytes()) {
        return fail(&error);
    }
    match wait_for_stop() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn wait_for_stop() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        Ok(())
    })
}

fn fail(error: &std::io::Error) -> ExitCode {
    telemetry::write_stderr(format_args!("error: {error}"));
    ExitCode::FAILURE
}

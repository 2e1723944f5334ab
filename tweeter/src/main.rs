//! `tweeter`: the whole service in one process, and the operator's commands.

use std::{io::Write, net::SocketAddr, process::ExitCode};

use clap::Parser;
use telemetry::LogFormat;
use tweeter::{
    application::Application,
    cli::{Cli, Command, DemoArgs, ServeArgs},
    commands::{self, CommandError},
    demo::{self, Demo},
    error::RunError,
    setup,
    test_hooks::TestHooks,
};

use tokio::signal::unix::{SignalKind, signal};
use tracing::error;

/// For many small allocations on several threads: the system's allocator took a fifth of a fan-out's time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let command = Cli::parse().command();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(2, format_args!("cannot start the runtime: {error}")),
    };
    runtime.block_on(async {
        match command {
            Command::Serve(args) => serve(args).await,
            Command::Demo(args) => demo(args).await,
            Command::Queues(args) => print(commands::queues(args.output).await),
            Command::Dlq(args) => print(commands::dlq(args.command).await),
            Command::Recount(args) => print_verdict(commands::recount(args).await),
            Command::Verify(args) => print_verdict(commands::verify(args).await),
            Command::RestorePost(args) => print(commands::restore_post(args).await),
            Command::Backup(args) => print(commands::backup(args).await),
            Command::Restore(args) => print(commands::restore(args).await),
            Command::Setup(args) => print(setup::setup(args).await),
        }
    })
}

async fn serve(args: ServeArgs) -> ExitCode {
    // Flushed when the process ends.
    let _log = telemetry::init_detached(args.log_format());
    // Installed before the start, so that a signal during it is not lost.
    let shutdown = match stop_signal() {
        Ok(shutdown) => shutdown,
        Err(error) => return fail(2, format_args!("cannot listen for signals: {error}")),
    };
    let config = match args.config() {
        Ok(config) => config,
        Err(error) => return fail(2, error),
    };
    let application = match Application::build(config, TestHooks::default()).await {
        Ok(application) => application,
        Err(error) => return fail(2, error),
    };
    // Boxed: the future of the whole process is large.
    exit_code(Box::pin(application.run(shutdown)).await)
}

async fn demo(args: DemoArgs) -> ExitCode {
    // The acts of the cast would hide what is printed.
    telemetry::init_at(LogFormat::Pretty, "warn");
    let shutdown = match stop_signal() {
        Ok(shutdown) => shutdown,
        Err(error) => return fail(2, format_args!("cannot listen for signals: {error}")),
    };
    let demo = match Box::pin(Demo::prepare(args.listen, args.web.unwrap_or_default())).await {
        Ok(demo) => demo,
        Err(error) => return fail(2, error),
    };
    let _unread = print(Ok(invitation(demo.address())));
    exit_code(Box::pin(demo.run(shutdown)).await)
}

/// Tells where the demo is and how to log in.
fn invitation(address: SocketAddr) -> String {
    let logins = demo::LOGINS.map(|handle| format!("  handle {handle:<6} password {}\n", demo::PASSWORD)).concat();
    format!(
        "Tweeter is at http://{address}\n\nLog in as one of these, or register:\n{logins}\nCtrl-C stops it and removes its data.\n"
    )
}

/// Completes at the first SIGTERM or SIGINT.
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

fn exit_code(outcome: Result<(), RunError>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!(error = telemetry::chain(&error), "Stopped by an error");
            fail(1, error)
        }
    }
}

/// Prints a report; the exit code tells whether everything is right.
fn print_verdict(outcome: Result<(String, bool), CommandError>) -> ExitCode {
    match outcome {
        Ok((text, is_right)) => {
            let printed = print(Ok(text));
            if is_right { printed } else { ExitCode::FAILURE }
        }
        Err(error) => print(Err(error)),
    }
}

fn print(outcome: Result<String, CommandError>) -> ExitCode {
    match outcome {
        Ok(text) => match std::io::stdout().write_all(text.as_bytes()) {
            Ok(()) => ExitCode::SUCCESS,
            // The reader closed the pipe early, as `head` does.
            Err(_) => ExitCode::FAILURE,
        },
        Err(error) => fail(error.exit_code(), error),
    }
}

/// Writes one line to standard error.
fn fail(code: u8, why: impl std::fmt::Display) -> ExitCode {
    telemetry::write_stderr(format_args!("error: {why}"));
    ExitCode::from(code)
}

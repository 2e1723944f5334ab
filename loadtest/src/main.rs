//! The load test's binary.

<<<<<<< HEAD
use std::{
    fmt::Display,
    fs::File,
    io::{self, Write as _},
    path::Path,
    process::ExitCode,
};

use clap::Parser as _;
use loadtest::{
    cost,
    error::LoadtestError,
    fanout, highest, hotpost, mixed,
    options::{Cli, Scenario},
    stack,
};
use serde::Serialize;
use telemetry::LogFormat;
use telemetry::chain;

/// Exit code for invalid arguments.
const USAGE: u8 = 2;
=======
use std::process::ExitCode;
>>>>>>> 003675b (Make one test binary of each crate, and twelve in all)

/// Many small allocations on several threads: the system's allocator took a fifth of a fan-out's time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    loadtest::cli::run_with(std::env::args_os()).into()
}

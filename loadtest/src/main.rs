//! The load test's binary.

use std::process::ExitCode;

/// Many small allocations on several threads: the system's allocator took a fifth of a fan-out's time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    loadtest::cli::run_with(std::env::args_os()).into()
}

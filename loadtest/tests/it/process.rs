//! loadtest as a separate process: runs this test binary again.

use std::{env, process::Command};

/// Environment variable with the child's arguments, one per line.
const ARGUMENTS: &str = "LOADTEST_TEST_ARGUMENTS";

/// `loadtest` with these arguments, in this environment only or in addition to the test's.
pub fn loadtest(arguments: &[&str], environment: &[(&str, &str)], alone: bool) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    if alone {
        command.env_clear();
    }
    command.args(["--exact", "it::process::child_is_loadtest", "--ignored", "--nocapture"]);
    command.envs(environment.iter().copied()).env(ARGUMENTS, arguments.join("\n"));
    command
}

#[test]
#[ignore = "not a test: others run it as the binary"]
fn child_is_loadtest() {
    let Ok(arguments) = env::var(ARGUMENTS) else { return };
    let arguments = std::iter::once("loadtest").chain(arguments.lines()).map(Into::into);
    std::process::exit(loadtest::cli::run_with(arguments).into());
}

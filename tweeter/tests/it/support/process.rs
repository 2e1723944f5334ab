//! The binary as a separate process, to be stopped or killed.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    path::Path,
    process::{Child, Command, Stdio},
    thread::JoinHandle,
};

use serde_json::Value;

/// The options of every server, except its directory.
const SERVE: [&str; 9] = [
    "--listen",
    "127.0.0.1:0",
    "--metrics-listen",
    "off",
    "--rate-limits",
    "off",
    "--log-format",
    "json",
    "--data-dir",
];

/// The binary, isolated from the environment of the test.
pub fn tweeter(args: &[&str]) -> Command {
    let mut command = untouched(env!("CARGO_BIN_EXE_tweeter"));
    command.args(args);
    command
}

fn untouched(program: &str) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TWEETER_")) {
        command.env_remove(name);
    }
    command
}

/// A serving process; killed if the test ends early.
pub struct Server {
    child: Child,
    /// Drains the log, as a process that logs much would block otherwise.
    log: Option<JoinHandle<String>>,
    /// The API's address, as `host:port`.
    pub address: String,
}

impl Server {
    /// Starts on a free port and returns when the process is ready.
    pub fn start(data_dir: &Path, more: &[&str]) -> Self {
        Self::of(tweeter(&SERVE).arg(data_dir).args(more))
    }

    /// The same with these environment variables.
    pub fn start_with_environment(
        data_dir: &Path,
        more: &[&str],
        environment: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Self {
        Self::of(tweeter(&SERVE).arg(data_dir).args(more).envs(environment))
    }

    /// The same under a soft limit of open files.
    pub fn start_with_open_files(data_dir: &Path, soft_limit: u32) -> Self {
        let limited = format!("ulimit -Sn {soft_limit} && exec \"$@\"");
        let shell_words = ["-c", &limited, "sh", env!("CARGO_BIN_EXE_tweeter")];
        Self::of(untouched("sh").args(shell_words).args(SERVE).arg(data_dir))
    }

    fn of(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        let address = loop {
            let mut line = String::new();
            assert!(log.read_line(&mut line).unwrap() > 0, "ended before it was ready");
            let entry: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
            said.push_str(&line);
            if let Some(address) = entry["fields"]["http.address"].as_str() {
                break address.to_owned();
            }
        };
        let log = std::thread::spawn(move || {
            log.read_to_string(&mut said).unwrap();
            said
        });
        Self { child, log: Some(log), address }
    }

    /// The process's id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    fn signal(&self, signal: &str) {
        let kill = format!("kill -{signal} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Stops the process with a signal; returns its exit code and its log.
    pub fn stop(mut self, signal: &str) -> (Option<i32>, String) {
        self.signal(signal);
        let rest = self.log.take().expect("stopped once").join().unwrap();
        (self.child.wait().unwrap().code(), rest)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The process has already ended if the test succeeded.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A serving process that cannot grow a file beyond a limit and whose standard error accepts nothing; killed if the
/// test ends early.
pub struct FileSizeLimited(Child);

impl FileSizeLimited {
    /// Starts the process; the caller finds out when it is ready.
    pub fn start(data_dir: &Path, listen: &str, blocks: u32, stderr: Stdio, log: &str) -> Self {
        // With the signal ignored, the write fails with an error.
        let limited = format!("trap '' XFSZ && ulimit -f {blocks} && exec \"$@\"");
        let mut command = untouched("sh");
        command.args(["-c", &limited, "sh", env!("CARGO_BIN_EXE_tweeter")]);
        command.args(["--listen", listen, "--metrics-listen", "off", "--rate-limits", "off", "--data-dir"]);
        Self(command.arg(data_dir).env("TWEETER_LOG", log).stderr(stderr).spawn().unwrap())
    }

    /// The exit code, if the process has ended.
    pub fn exit_code(&mut self) -> Option<i32> {
        self.0.try_wait().unwrap().map(|status| status.code().unwrap_or(-1))
    }
}

impl Drop for FileSizeLimited {
    fn drop(&mut self) {
        // The process has already ended if the test succeeded.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

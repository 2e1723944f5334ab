//! The binary as a process of its own, to be stopped or killed.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::Value;

/// The binary, untouched by the environment of the test.
pub fn tweeter(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tweeter"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TWEETER_")) {
        command.env_remove(name);
    }
    command.args(args);
    command
}

/// A serving process; killed when the test ends early.
pub struct Server {
    child: Child,
    log: BufReader<std::process::ChildStderr>,
    /// Where it listens, as `host:port`.
    pub address: String,
}

impl Server {
    /// Starts on a free port and returns when it is ready.
    pub fn start(data_dir: &Path, more: &[&str]) -> Self {
        let args = ["--listen", "127.0.0.1:0", "--metrics-listen", "off", "--log-format", "json", "--data-dir"];
        let mut child = tweeter(&args).arg(data_dir).args(more).stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let address = loop {
            let mut line = String::new();
            assert!(log.read_line(&mut line).unwrap() > 0, "ended before it was ready");
            let entry: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
            if let Some(address) = entry["fields"]["http.address"].as_str() {
                break address.to_owned();
            }
        };
        Self { child, log, address }
    }

    fn signal(&self, signal: &str) {
        let kill = format!("kill -{signal} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Stops it by a signal; its exit code and what it logged meanwhile.
    pub fn stop(mut self, signal: &str) -> (Option<i32>, String) {
        self.signal(signal);
        let mut rest = String::new();
        self.log.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().code(), rest)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended already where the test went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

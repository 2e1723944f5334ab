//! The command line: reads arguments, runs a scenario, prints the table.

use std::{
    ffi::OsString,
    fmt::Display,
    fs::File,
    io::{self, Write as _},
    path::Path,
};

use clap::Parser as _;
use telemetry::{LogFormat, chain};

use crate::{
    client_process, cost, dsb,
    error::LoadtestError,
    fairness, fanout, highest, hotpost, mixed,
    options::{Cli, Files, Scenario},
    page, pages,
    plan::{self, options::PlanOptions, report::PlanReport},
    read,
    report::Report,
    soak, stack,
};

/// Exit code of a scenario that passed.
const SUCCESS: u8 = 0;
/// Exit code of a scenario that failed, or found missing or duplicate entries.
const FAILURE: u8 = 1;
/// Exit code for invalid arguments.
const USAGE: u8 = 2;

/// Runs the command given by the arguments, the first of which is the program's name. Returns the exit code.
pub fn run_with(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let command = command_line(&arguments);
    let cli = Cli::parse_from(arguments);
    // One line per request would drown the progress bars.
    telemetry::init_at(LogFormat::Pretty, "warn");
    let outcome = tokio::runtime::Runtime::new()
        .map_err(LoadtestError::Client)
        .and_then(|runtime| runtime.block_on(run(cli.scenario, command)));
    match outcome {
        Ok(true) => SUCCESS,
        Ok(false) => FAILURE,
        Err(error) => {
            telemetry::write_stderr(format_args!("error: {}", chain(&error)));
            if error.is_usage() { USAGE } else { FAILURE }
        }
    }
}

/// Runs a scenario and prints its report and faults. Returns whether it passed.
async fn run(scenario: Scenario, command: String) -> Result<bool, LoadtestError> {
    let Some(files) = scenario.files() else { return client_process::serve().await.map(|()| true) };
    let files = files.clone();
    let outputs = Outputs::create(&files, command)?;
    match scenario {
        Scenario::Fanout(options) if options.stack.url.is_some() => {
            let report = stack::run(&options).await?;
            let passed = outputs.conclude(&report)?;
            let missed = report.missed();
            for target in &missed {
                telemetry::write_stderr(format_args!("missed: {target}"));
            }
            Ok(passed && (options.stack.no_targets || missed.is_empty()))
        }
        Scenario::Cost(options) => {
            let report = cost::run(&options.followers, options.active).await?;
            if options.markdown {
                print(report.markdown())?;
            } else {
                print(&report)?;
            }
            outputs.write(&report).map(|()| true)
        }
        Scenario::Plan(options) => plan(&options, outputs).await,
        Scenario::Fanout(options) => outputs.conclude(&fanout::run(&options).await?),
        Scenario::Mixed(options) if options.find_rate => outputs.conclude(&highest::run(&options).await?),
        Scenario::Mixed(options) => outputs.conclude(&mixed::run(&options).await?),
        Scenario::Hotpost(options) => outputs.conclude(&hotpost::run(&options).await?),
        Scenario::Read(options) => outputs.conclude(&read::run(&options).await?),
        Scenario::Fairness(options) => outputs.conclude(&fairness::run(&options).await?),
        Scenario::Dsb(options) => outputs.conclude(&dsb::run(&options).await?),
        Scenario::Soak(options) => outputs.conclude(&soak::run(&options).await?),
        Scenario::Pages(options) => outputs.conclude(&pages::run(&options).await?),
        Scenario::Client => unreachable!("it has no files"),
    }
}

/// Plans services, or compares the plan with a measured run.
async fn plan(options: &PlanOptions, outputs: Outputs<'_>) -> Result<bool, LoadtestError> {
    if options.check {
        return outputs.conclude(&plan::check::run().await?);
    }
    let report = PlanReport::new(&options.services());
    if !options.markdown {
        return outputs.conclude(&report);
    }
    print(report.markdown())?;
    outputs.write(&report).map(|()| true)
}

/// Prints a report to standard output. Unlike `print!` it does not panic if the reader is gone, which would lose the
/// files.
fn print(report: impl Display) -> Result<(), LoadtestError> {
    match write!(io::stdout(), "{report}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(LoadtestError::Print(error)),
        _ => Ok(()),
    }
}

/// The requested files; created before the run, so that a wrong path does not waste it.
struct Outputs<'a> {
    json: Option<Output<'a>>,
    page: Option<Output<'a>>,
    command: String,
}

impl<'a> Outputs<'a> {
    fn create(files: &'a Files, command: String) -> Result<Self, LoadtestError> {
        let create = |path: Option<&'a Path>| path.map(Output::create).transpose();
        Ok(Self { json: create(files.json.as_deref())?, page: create(files.report.as_deref())?, command })
    }

    /// Prints the report, writes the files and prints the faults. Returns whether there are none.
    fn conclude(self, report: &impl Report) -> Result<bool, LoadtestError> {
        print(report)?;
        self.write(report)?;
        let faults = report.faults();
        for fault in &faults {
            telemetry::write_stderr(format_args!("error: {fault}"));
        }
        Ok(faults.is_empty())
    }

    fn write(self, report: &impl Report) -> Result<(), LoadtestError> {
        if let Some(json) = self.json {
            json.write(|| serde_json::to_string_pretty(report).map(|text| text + "\n").map_err(Into::into))?;
        }
        if let Some(page) = self.page {
            page.write(|| page::of(report, &self.command).map_err(io::Error::other))?;
        }
        Ok(())
    }
}

/// A file to write at the end.
struct Output<'a> {
    path: &'a Path,
    file: File,
}

impl<'a> Output<'a> {
    fn create(path: &'a Path) -> Result<Self, LoadtestError> {
        let file = File::create(path).map_err(|error| LoadtestError::File { path: path.to_owned(), error })?;
        Ok(Self { path, file })
    }

    fn write(mut self, text: impl FnOnce() -> io::Result<String>) -> Result<(), LoadtestError> {
        let written = text().and_then(|text| self.file.write_all(text.as_bytes()));
        written.map_err(|error| LoadtestError::File { path: self.path.to_owned(), error })
    }
}

/// The command line as typed into a shell.
fn command_line(arguments: &[OsString]) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=,+@%".contains(c);
    let quoted = arguments.iter().skip(1).map(|argument| {
        let text = argument.to_string_lossy();
        let plain = !text.is_empty() && text.chars().all(is_plain);
        if plain { text.into_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
    });
    std::iter::once("loadtest".to_owned()).chain(quoted).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_quoted_for_a_shell() {
        let arguments = ["/bin/loadtest", "fanout", "--json", "it's here", ""].map(OsString::from);
        assert_eq!(command_line(&arguments), r"loadtest fanout --json 'it'\''s here' ''");
    }
}

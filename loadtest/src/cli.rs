//! The command line: reads arguments, runs a scenario, prints the table.

use std::{
    ffi::OsString,
    fmt::Display,
    fs::File,
    io::{self, Write as _},
    path::Path,
};

use clap::Parser as _;
use serde::Serialize;
use telemetry::{LogFormat, chain};

use crate::{
    cost,
    error::LoadtestError,
    fanout, highest, hotpost, mixed,
    options::{Cli, Scenario},
    plan::{self, options::PlanOptions, report::PlanReport},
    stack,
};

/// Exit code of a scenario that passed.
const SUCCESS: u8 = 0;
/// Exit code of a scenario that failed, or found missing or duplicate entries.
const FAILURE: u8 = 1;
/// Exit code for invalid arguments.
const USAGE: u8 = 2;

/// Runs the command given by the arguments, the first of which is the program's name. Returns the exit code.
pub fn run_with(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let cli = Cli::parse_from(arguments);
    // One line per request would drown the progress bars.
    telemetry::init_at(LogFormat::Pretty, "warn");
    let outcome = tokio::runtime::Runtime::new()
        .map_err(LoadtestError::Client)
        .and_then(|runtime| runtime.block_on(run(cli.scenario)));
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
async fn run(scenario: Scenario) -> Result<bool, LoadtestError> {
    match scenario {
        Scenario::Fanout(options) if options.stack.url.is_some() => {
            let json = JsonFile::create(options.places.json.as_deref())?;
            let report = stack::run(&options).await?;
            print(&report)?;
            json.write(&report)?;
            let missed = report.missed();
            for target in &missed {
                telemetry::write_stderr(format_args!("missed: {target}"));
            }
            Ok(told(report.is_complete()) && (options.stack.no_targets || missed.is_empty()))
        }
        Scenario::Cost(options) => {
            let json = JsonFile::create(options.json.as_deref())?;
            let report = cost::run(&options.followers, options.active).await?;
            if options.markdown {
                print(report.markdown())?;
            } else {
                print(&report)?;
            }
            json.write(&report)?;
            Ok(true)
        }
        Scenario::Plan(options) => plan(&options).await,
        Scenario::Fanout(options) => {
            let json = JsonFile::create(options.places.json.as_deref())?;
            let report = fanout::run(&options).await?;
            print(&report)?;
            json.write(&report)?;
            Ok(told(report.is_complete()))
        }
        Scenario::Mixed(options) if options.find_rate => {
            let json = JsonFile::create(options.places.json.as_deref())?;
            let report = highest::run(&options).await?;
            print(&report)?;
            json.write(&report)?;
            Ok(told(report.is_complete()))
        }
        Scenario::Mixed(options) => {
            let json = JsonFile::create(options.places.json.as_deref())?;
            let report = mixed::run(&options).await?;
            print(&report)?;
            json.write(&report)?;
            let is_exact = report.social.is_none_or(|social| social.is_exact());
            if !is_exact {
                telemetry::write_stderr("error: likes or comments are missing or duplicated, or counts are wrong");
            }
            Ok(told(report.is_complete()) && is_exact)
        }
        Scenario::Hotpost(options) => {
            let json = JsonFile::create(options.places.json.as_deref())?;
            let report = hotpost::run(&options).await?;
            print(&report)?;
            json.write(&report)?;
            let faults = report.faults();
            for fault in &faults {
                telemetry::write_stderr(format_args!("error: {fault}"));
            }
            Ok(faults.is_empty())
        }
    }
}

/// Plans services, or compares the plan with a measured run.
async fn plan(options: &PlanOptions) -> Result<bool, LoadtestError> {
    let json = JsonFile::create(options.json.as_deref())?;
    if options.check {
        let report = plan::check::run().await?;
        print(&report)?;
        json.write(&report)?;
        return Ok(true);
    }
    let report = PlanReport::new(&options.services());
    if options.markdown {
        print(report.markdown())?;
    } else {
        print(&report)?;
    }
    json.write(&report)?;
    Ok(true)
}

/// Prints a report to standard output. Unlike `print!` it does not panic if the reader is gone, which would lose the
/// JSON file.
fn print(report: impl Display) -> Result<(), LoadtestError> {
    match write!(io::stdout(), "{report}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(LoadtestError::Print(error)),
        _ => Ok(()),
    }
}

/// Reports missing or duplicate entries.
fn told(is_complete: bool) -> bool {
    if !is_complete {
        telemetry::write_stderr("error: feed entries are missing or duplicated");
    }
    is_complete
}

/// The JSON file, if requested; created before the run, so that a wrong path does not waste it.
struct JsonFile<'a>(Option<(&'a Path, File)>);

impl<'a> JsonFile<'a> {
    fn create(path: Option<&'a Path>) -> Result<Self, LoadtestError> {
        let create = |path: &'a Path| match File::create(path) {
            Ok(file) => Ok((path, file)),
            Err(error) => Err(LoadtestError::Json { path: path.to_owned(), error }),
        };
        path.map(create).transpose().map(Self)
    }

    fn write(self, report: &impl Serialize) -> Result<(), LoadtestError> {
        let Some((path, mut file)) = self.0 else { return Ok(()) };
        let written =
            serde_json::to_string_pretty(report).map_err(Into::into).and_then(|json| writeln!(file, "{json}"));
        written.map_err(|error| LoadtestError::Json { path: path.to_owned(), error })
    }
}

//! Progress of a long command on standard error: a bar on a terminal, otherwise periodic lines.

use std::{
    io::{IsTerminal as _, stderr},
    time::Duration,
};

use embedded::copy::Progress;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::Instant;

/// Time between two lines if standard error is not a terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Shows progress until it is dropped.
pub(crate) struct Shown {
    what: &'static str,
    unit: &'static str,
    bar: Option<ProgressBar>,
    last: Instant,
}

impl Shown {
    /// Shows nothing until the first report. `unit` names the rows.
    pub(crate) fn new(what: &'static str, unit: &'static str) -> Self {
        Self { what, unit, bar: stderr().is_terminal().then(|| bar(what, unit)), last: Instant::now() }
    }

    /// Shows the progress so far.
    pub(crate) fn show(&mut self, Progress { rows, of_about }: Progress) {
        if let Some(bar) = &self.bar {
            bar.set_length(of_about.max(rows));
            bar.set_position(rows);
        } else if self.last.elapsed() >= LINE_EVERY {
            self.last = Instant::now();
            telemetry::write_stderr(format_args!("{}: {rows} {} of about {of_about}", self.what, self.unit));
        }
    }
}

fn bar(what: &'static str, unit: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg:<12} {wide_bar} {human_pos}/{human_len} {prefix} {per_sec} {eta}")
        .expect("the template is well-formed");
    ProgressBar::new(0).with_style(style).with_message(what).with_prefix(unit)
}

impl Drop for Shown {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

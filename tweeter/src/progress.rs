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
    bar: Option<ProgressBar>,
    last: Instant,
}

impl Shown {
    /// Shows nothing until the first report.
    pub(crate) fn new(what: &'static str) -> Self {
        Self { what, bar: stderr().is_terminal().then(|| bar(what)), last: Instant::now() }
    }

    /// Shows the progress so far.
    pub(crate) fn show(&mut self, Progress { rows, of_about }: Progress) {
        if let Some(bar) = &self.bar {
            bar.set_length(of_about.max(rows));
            bar.set_position(rows);
        } else if self.last.elapsed() >= LINE_EVERY {
            self.last = Instant::now();
            telemetry::write_stderr(format_args!("{}: {rows} rows of about {of_about}", self.what));
        }
    }
}

fn bar(what: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg:<12} {wide_bar} {human_pos}/{human_len} rows {per_sec} {eta}")
        .expect("the template is well-formed");
    ProgressBar::new(0).with_style(style).with_message(what)
}

impl Drop for Shown {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

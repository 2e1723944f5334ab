//! Progress bars, on stderr and only on a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar that counts to `length`; removed when dropped.
///
/// # Panics
/// Never: the template is a valid constant.
pub fn bar(what: &'static str, length: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg:<18} {wide_bar} {human_pos}/{human_len} {per_sec} {eta}")
        .expect("the template is well-formed");
    ProgressBar::new(length).with_style(style).with_message(what)
}

/// A spinner for work of unknown size.
pub fn spinner(what: &'static str) -> ProgressBar {
    let spinner = ProgressBar::new_spinner().with_message(what);
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner
}

//! The end of a process that cannot know any more what its disk holds.

use std::{io, sync::mpsc, thread, time::Duration};

/// The exit code after a failed sync: `EX_SOFTWARE` of sysexits, unlike 2 for a bad start.
const EXIT_CODE: i32 = 70;
/// How long the last line may wait for standard error.
const LAST_LINE: Duration = Duration::from_secs(1);

/// Says why on standard error and ends the process with code 70.
///
/// Nothing holds it up. The line is written by a thread of its own, as a pipe that is not read blocks its writers, and
/// whoever waits there holds the lock of standard error. And the exit is `_exit`: `std::process::exit` runs the exit
/// handlers of C libraries beside threads that still use them, and any of them may wait for such a thread. They have
/// nothing to save: what was answered is synced, and a restart reads it again.
pub(super) fn end_process(error: &io::Error) {
    let line =
        format!("error: the database cannot be written to disk ({error}); ending, as nothing can be promised any more");
    let (written, waiting) = mpsc::channel();
    let writer = thread::Builder::new().spawn(move || {
        telemetry::write_stderr(&line);
        // The process has ended meanwhile, or ends now.
        let _ = written.send(());
    });
    if writer.is_ok() {
        // It ends either way.
        let _ = waiting.recv_timeout(LAST_LINE);
    }
    signal_hook::low_level::exit(EXIT_CODE)
}

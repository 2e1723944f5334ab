//! Ends a process that no longer knows what its disk holds.

use std::{io, sync::mpsc, thread, time::Duration};

/// The exit code after a failed sync: `EX_SOFTWARE` of sysexits, unlike 2 for a failed start.
const EXIT_CODE: i32 = 70;
/// Time limit for writing the last line to standard error.
const LAST_LINE: Duration = Duration::from_secs(1);

/// Reports the reason on standard error and ends the process with code 70.
///
/// Nothing can block it. A separate thread writes the line, because an unread pipe blocks its writers, and a blocked
/// writer holds the lock of standard error. It exits with `_exit`, because `std::process::exit` runs the exit handlers
/// of C libraries next to threads that still use them, any of which may block. They have nothing to save: acknowledged
/// writes are synced, and a restart reads them.
pub(super) fn end_process(error: &io::Error) {
    let line = format!("error: could not write the database to disk ({error}); exiting, as writes are not durable");
    let (written, waiting) = mpsc::channel();
    let writer = thread::Builder::new().spawn(move || {
        telemetry::write_stderr(&line);
        // The process has ended or is about to.
        let _ = written.send(());
    });
    if writer.is_ok() {
        // The process ends in either case.
        let _ = waiting.recv_timeout(LAST_LINE);
    }
    signal_hook::low_level::exit(EXIT_CODE)
}

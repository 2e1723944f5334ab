//! The names of every metric, and logging set-up.
//!
//! Logs go to standard error in both formats and in both homes: standard output belongs to what a command was asked
//! for, and Lambda collects either. `TWEETER_LOG` filters them ([`DEFAULT_LOG_FILTER`] when it is not set; such as
//! `info,local=debug`, as `tracing_subscriber::filter::Targets` reads it).

use std::io::{IsTerminal, Write as _, stderr};

use tracing::{Level, error};
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{filter::Targets, fmt::MakeWriter, layer::SubscriberExt as _, util::SubscriberInitExt as _};

/// The environment variable that filters logs.
pub const LOG_FILTER_VARIABLE: &str = "TWEETER_LOG";

/// What is logged by default: our own news, and of the database engine only what is wrong.
pub const DEFAULT_LOG_FILTER: &str = "info,fjall=warn,lsm_tree=warn";

/// How a log line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// A line for people; in colour on a terminal, unless `NO_COLOR` is set.
    #[default]
    Pretty,
    /// One JSON object a line.
    Json,
}

/// Sends logs to standard error and writes each panic as one log line. Again is the same as once: the first format
/// stays. A filter that cannot be read is named in the log, and the default taken instead.
pub fn init(format: LogFormat) {
    init_at(format, DEFAULT_LOG_FILTER);
}

/// The same with another filter where the variable names none.
pub fn init_at(format: LogFormat, default_filter: &str) {
    install(format, default_filter, stderr);
}

/// Sends logs to standard error through a thread of its own: where nothing reads them, lines are dropped beyond
/// [`tracing_appender::non_blocking::DEFAULT_BUFFERED_LINES_LIMIT`], and whatever logs goes on. For a service, whose
/// requests must not wait for the reader of its log. What is buffered is written when the guard is dropped.
pub fn init_detached(format: LogFormat) -> WorkerGuard {
    let (lines, guard) = NonBlockingBuilder::default().lossy(true).thread_name("log").finish(stderr());
    install(format, DEFAULT_LOG_FILTER, lines);
    guard
}

fn install<W>(format: LogFormat, default_filter: &str, writer: W)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let chosen = std::env::var_os(LOG_FILTER_VARIABLE).filter(|text| !text.is_empty());
    let readable = chosen.as_ref().and_then(|text| text.to_str()?.parse::<Targets>().ok());
    let unreadable = chosen.is_some() && readable.is_none();
    let filter =
        readable.or_else(|| default_filter.parse().ok()).unwrap_or_else(|| Targets::new().with_default(Level::INFO));
    // A line that cannot be written is lost. By default the layer reports that by `eprintln!`, which panics as standard
    // error is what cannot be written: the log line would end whatever logs it.
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).log_internal_errors(false);
    let registry = tracing_subscriber::registry().with(filter);
    let installed = match format {
        LogFormat::Json => registry.with(lines.json().with_current_span(false)).try_init(),
        LogFormat::Pretty => {
            let colour = stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
            registry.with(lines.with_ansi(colour).with_target(false)).try_init()
        }
    };
    if installed.is_err() {
        return;
    }
    std::panic::set_hook(Box::new(log_panic));
    if unreadable {
        tracing::warn!("{LOG_FILTER_VARIABLE} cannot be read as a filter; {default_filter} is taken");
    }
}

/// Writes one line to standard error, for people. Where that is closed or full the line is lost: unlike `eprintln!` this
/// never panics.
pub fn write_stderr(line: impl std::fmt::Display) {
    let _ = writeln!(stderr(), "{line}");
}

/// A panic as one log line: where and what. Who catches it says what became of the work.
fn log_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string).unwrap_or_default();
    let message = panic.payload_as_str().unwrap_or("a value that is no text");
    error!(panic.location = %location, "Panicked: {message}");
}

/// An error with its causes, on one line: what a log says of it. A cause that the text before it ends with, as the
/// SDK's often does, is not said twice.
pub fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source()).map(ToString::to_string);
    causes.fold(error.to_string(), |line, cause| if line.ends_with(&cause) { line } else { format!("{line}: {cause}") })
}

/// Values of the label `outcome` of [`names::RECORDS`] and [`names::CHANGES`].
pub mod outcomes {
    /// Handled.
    pub const DONE: &str = "done";
    /// Failed for a passing reason; it comes again.
    pub const RETRIED: &str = "retried";
    /// Cannot be processed.
    pub const POISON: &str = "poison";
    /// All of them.
    pub const ALL: [&str; 3] = [DONE, RETRIED, POISON];
}

/// Metric names, the same in Prometheus and in CloudWatch.
pub mod names {
    /// Counter, by `route`, `method`, `status`: requests answered.
    pub const HTTP_REQUESTS: &str = "tweeter_http_requests_total";
    /// Histogram, seconds, by `route`, `method`: time from a request's head to its answer.
    pub const HTTP_SECONDS: &str = "tweeter_http_request_duration_seconds";
    /// Counter: connections closed because their network had as many as it may have.
    pub const CONNECTIONS_REFUSED: &str = "tweeter_http_connections_refused_total";
    /// Counter: passwords hashed, for a new account or to verify one.
    pub const PASSWORDS_HASHED: &str = "tweeter_passwords_hashed_total";
    /// Counter, by `limit`: requests refused because a rate limit was used up.
    pub const RATE_LIMITED: &str = "tweeter_rate_limited_total";
    /// Gauge, by `queue`: messages that can be received.
    pub const QUEUE_VISIBLE: &str = "tweeter_queue_messages_visible";
    /// Gauge, by `queue`: messages received and not yet deleted.
    pub const QUEUE_IN_FLIGHT: &str = "tweeter_queue_messages_in_flight";
    /// Gauge, by `queue`: messages whose delay is not over.
    pub const QUEUE_DELAYED: &str = "tweeter_queue_messages_delayed";
    /// Gauge, seconds, by `queue`: age of the oldest message that can be received.
    pub const QUEUE_OLDEST_SECONDS: &str = "tweeter_queue_oldest_message_age_seconds";
    /// Counter, by `queue`, `outcome` (one of [`super::outcomes`]): records handled.
    pub const RECORDS: &str = "tweeter_queue_records_total";
    /// Gauge: fan-outs whose follower pages are being read.
    pub const FAN_OUTS_RUNNING: &str = "tweeter_fan_outs_running";
    /// Counter: feed jobs put on JobQ.
    pub const JOBS_SENT: &str = "tweeter_feed_jobs_sent_total";
    /// Counter: feed entries written by jobs.
    pub const ENTRIES_WRITTEN: &str = "tweeter_feed_entries_written_total";
    /// Histogram, seconds: from a post's creation to a job's entries being written.
    pub const FAN_OUT_SECONDS: &str = "tweeter_fan_out_latency_seconds";
    /// Counter, by `outcome` (`done`, `retried`, `poison`): changes handled. Those behind one that is retried count when
    /// they come again.
    pub const CHANGES: &str = "tweeter_changes_total";
    /// Gauge: changes in the log of one process that are not passed.
    pub const CHANGES_WAITING: &str = "tweeter_changes_waiting";
    /// Gauge, seconds: age of the oldest change that waits in the log, or in a batch that a Lambda was handed.
    pub const CHANGES_OLDEST_SECONDS: &str = "tweeter_changes_oldest_age_seconds";
    /// Gauge, seconds: how far the time by which things are removed for good is kept behind a wall clock that went
    /// forward.
    pub const CLOCK_HELD_BACK_SECONDS: &str = "tweeter_clock_held_back_seconds";
    /// Gauge: streams of live events that are open.
    pub const EVENT_STREAMS: &str = "tweeter_event_streams";
    /// Counter, by `event` (`feed`, `notification`, or `reload` where a client was told to read the first page): live
    /// events sent.
    pub const EVENTS_SENT: &str = "tweeter_events_sent_total";
    /// Counter: fan-outs that the sweeper put back on PostQ.
    pub const SWEPT: &str = "tweeter_outbox_swept_total";
    /// Counter, by `table`: writes that a batch left unprocessed.
    pub const STORE_UNPROCESSED: &str = "tweeter_store_unprocessed_writes_total";
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot write")]
    struct CannotWrite(#[source] io::Error);

    #[test]
    fn an_error_is_told_with_its_causes_and_nothing_twice() {
        let repeating = io::Error::other(io::Error::other("disk full"));
        assert_eq!(chain(&CannotWrite(repeating)), "cannot write: disk full");
    }
}

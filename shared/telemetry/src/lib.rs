//! Metric names and the setup of logging.
//!
//! Logs go to standard error in both formats and both deployments: standard output is reserved for a command's result,
//! and Lambda collects either. `TWEETER_LOG` filters them in the syntax of `tracing_subscriber::filter::Targets`, such
//! as `info,tweeter=debug`; the default is [`DEFAULT_LOG_FILTER`].

use std::io::{IsTerminal, Write as _, stderr};

use tracing::{Level, error};
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{filter::Targets, fmt::MakeWriter, layer::SubscriberExt as _, util::SubscriberInitExt as _};

/// The environment variable that filters logs.
pub const LOG_FILTER_VARIABLE: &str = "TWEETER_LOG";

/// The default log filter: our own messages, and only warnings and errors of the database engine.
pub const DEFAULT_LOG_FILTER: &str = "info,fjall=warn,lsm_tree=warn";

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// Human-readable lines; in colour on a terminal, unless `NO_COLOR` is set.
    #[default]
    Pretty,
    /// One JSON object per line.
    Json,
}

/// Sends logs to standard error and writes each panic as one log line. Idempotent: the first format stays. If the
/// filter cannot be parsed, logs a warning and uses the default.
pub fn init(format: LogFormat) {
    init_at(format, DEFAULT_LOG_FILTER);
}

/// As [`init`], with another default filter.
pub fn init_at(format: LogFormat, default_filter: &str) {
    install(format, default_filter, stderr);
}

/// As [`init`], but writes through a separate thread, for a service whose requests must not wait for the reader of its
/// log. If nothing reads the lines, those beyond [`tracing_appender::non_blocking::DEFAULT_BUFFERED_LINES_LIMIT`] are
/// dropped and logging does not block. Dropping the guard flushes buffered lines.
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
    // A line that cannot be written is lost. By default the layer would report that with `eprintln!`, which panics when
    // standard error is what cannot be written: logging would end the caller.
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
        tracing::warn!("Could not parse {LOG_FILTER_VARIABLE} as a filter; using {default_filter}");
    }
}

/// Writes one line to standard error, for people. If that is closed or full the line is lost: unlike `eprintln!` this
/// never panics.
pub fn write_stderr(line: impl std::fmt::Display) {
    let _ = writeln!(stderr(), "{line}");
}

/// Logs a panic in one line: location and message. The code that catches it logs the consequences.
fn log_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string).unwrap_or_default();
    let message = panic.payload_as_str().unwrap_or("a payload that is not text");
    error!(panic.location = %location, "Panicked: {message}");
}

/// Formats an error with its causes on one line, for logs. A cause that its parent's text already ends with, as is
/// common in the SDK, is not repeated.
///
/// ```
/// use std::io;
///
/// #[derive(Debug, thiserror::Error)]
/// #[error("cannot write")]
/// struct CannotWrite(#[source] io::Error);
///
/// let repeating = io::Error::other(io::Error::other("disk full"));
/// assert_eq!(telemetry::chain(&CannotWrite(repeating)), "cannot write: disk full");
/// ```
pub fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source()).map(ToString::to_string);
    causes.fold(error.to_string(), |line, cause| if line.ends_with(&cause) { line } else { format!("{line}: {cause}") })
}

/// Values of the label `outcome` of [`names::RECORDS`] and [`names::CHANGES`].
pub mod outcomes {
    /// The record was handled.
    pub const DONE: &str = "done";
    /// Handling failed for a transient reason; the record is redelivered.
    pub const RETRIED: &str = "retried";
    /// The record cannot be processed.
    pub const POISON: &str = "poison";
    /// All values.
    pub const ALL: [&str; 3] = [DONE, RETRIED, POISON];
}

/// Metric names, the same in Prometheus and in CloudWatch.
pub mod names {
    /// Counter, by `route`, `method`, `status`: requests answered.
    pub const HTTP_REQUESTS: &str = "tweeter_http_requests_total";
    /// Histogram, seconds, by `route`, `method`: time from a request's head to its answer.
    pub const HTTP_SECONDS: &str = "tweeter_http_request_duration_seconds";
    /// Counter: connections closed because their network reached its limit.
    pub const CONNECTIONS_REFUSED: &str = "tweeter_http_connections_refused_total";
    /// Counter: passwords hashed, for a new account or for verification.
    pub const PASSWORDS_HASHED: &str = "tweeter_passwords_hashed_total";
    /// Counter, by `limit`: requests rejected by a rate limit.
    pub const RATE_LIMITED: &str = "tweeter_rate_limited_total";
    /// Gauge, by `queue`: messages that can be received.
    pub const QUEUE_VISIBLE: &str = "tweeter_queue_messages_visible";
    /// Gauge, by `queue`: messages received and not yet deleted.
    pub const QUEUE_IN_FLIGHT: &str = "tweeter_queue_messages_in_flight";
    /// Gauge, by `queue`: messages whose delay has not elapsed.
    pub const QUEUE_DELAYED: &str = "tweeter_queue_messages_delayed";
    /// Gauge, seconds, by `queue`: age of the oldest message that can be received.
    pub const QUEUE_OLDEST_SECONDS: &str = "tweeter_queue_oldest_message_age_seconds";
    /// Counter, by `queue`, `outcome` (one of [`super::outcomes`]): records handled.
    pub const RECORDS: &str = "tweeter_queue_records_total";
    /// Gauge: fan-outs whose follower pages are being read.
    pub const FAN_OUTS_RUNNING: &str = "tweeter_fan_outs_running";
    /// Counter: authors promoted, whose posts are now merged into feeds when these are read.
    pub const PROMOTIONS: &str = "tweeter_authors_promoted_total";
    /// Counter: promoted authors whose posts are fanned out again.
    pub const DEMOTIONS: &str = "tweeter_authors_demoted_total";
    /// Counter: feed jobs put on JobQ.
    pub const JOBS_SENT: &str = "tweeter_feed_jobs_sent_total";
    /// Counter: followers for whom a fan-out sent no job, because they are dormant.
    pub const FOLLOWERS_SKIPPED: &str = "tweeter_fan_out_followers_skipped_total";
    /// Counter: feed entries written by jobs.
    pub const ENTRIES_WRITTEN: &str = "tweeter_feed_entries_written_total";
    /// Histogram, seconds: time from a post's creation until a job's entries are written.
    pub const FAN_OUT_SECONDS: &str = "tweeter_fan_out_latency_seconds";
    /// Counter, by `outcome` (`done`, `retried`, `poison`): changes handled. Changes after a retried one count when
    /// they are redelivered.
    pub const CHANGES: &str = "tweeter_changes_total";
    /// Gauge: changes waiting in the log of one process.
    pub const CHANGES_WAITING: &str = "tweeter_changes_waiting";
    /// Gauge, seconds: age of the oldest waiting change, in the log or in a batch passed to a Lambda function.
    pub const CHANGES_OLDEST_SECONDS: &str = "tweeter_changes_oldest_age_seconds";
    /// Gauge, seconds: how far the clock of permanent removal is held back from a wall clock that jumped forward.
    pub const CLOCK_HELD_BACK_SECONDS: &str = "tweeter_clock_held_back_seconds";
    /// Gauge: open streams of live events.
    pub const EVENT_STREAMS: &str = "tweeter_event_streams";
    /// Counter, by `event` (`feed`, `notification`, or `reload`, which asks the client to read the first page): live
    /// events sent.
    pub const EVENTS_SENT: &str = "tweeter_events_sent_total";
    /// Counter: fan-outs that the sweeper put back on PostQ.
    pub const SWEPT: &str = "tweeter_outbox_swept_total";
    /// Counter, by `table`: writes that a batch call returned as unprocessed.
    pub const STORE_UNPROCESSED: &str = "tweeter_store_unprocessed_writes_total";
}

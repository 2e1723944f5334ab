//! Prometheus metrics, on a separate listener: `GET /metrics`. They contain no secrets and need no authentication,
//! hence the loopback address by default.

use std::sync::{Arc, OnceLock};

use axum::{Router, extract::State, http::header, response::IntoResponse, routing::get};
use domain::Clock;
use embedded::EmbeddedChanges;
use metrics::{Unit, describe_counter, describe_gauge, describe_histogram, gauge};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use ports::{
    changes::ChangeLog as _,
    queue::{Queue, QueueDepth, QueueName},
    store::StoreError,
};
use telemetry::names;
use tracing::warn;

/// Upper bounds of request durations in seconds: from a page read from a warm cache to the longest a request may take.
const HTTP_SECONDS: [f64; 14] = [0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 10.0, 30.0];
/// Upper bounds of fan-out latencies in seconds: from a post with one follower to a queue stalled for an hour.
const FAN_OUT_SECONDS: [f64; 15] =
    [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 600.0, 3_600.0];

/// The process's recorder, of which there can be only one even when several applications share a process. Without a
/// metrics listener none is installed, and recording costs nothing.
pub fn recorder() -> PrometheusHandle {
    static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
    RECORDER.get_or_init(install).clone()
}

fn install() -> PrometheusHandle {
    let builder = || {
        PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Full(names::HTTP_SECONDS.to_owned()), &HTTP_SECONDS)
            .and_then(|b| b.set_buckets_for_metric(Matcher::Full(names::FAN_OUT_SECONDS.to_owned()), &FAN_OUT_SECONDS))
            .expect("the bounds are not empty")
    };
    let recorder = builder().build_recorder();
    let handle = recorder.handle();
    if metrics::set_global_recorder(recorder).is_err() {
        warn!("Another metrics recorder is installed in this process: /metrics shows only queues");
    }
    describe();
    handle
}

fn describe() {
    describe_counter!(names::HTTP_REQUESTS, Unit::Count, "Requests answered, by route, method and status");
    describe_histogram!(names::HTTP_SECONDS, Unit::Seconds, "Time from a request's head to its response");
    describe_counter!(names::CONNECTIONS_REFUSED, Unit::Count, "Connections closed because their network had too many");
    describe_counter!(names::PASSWORDS_HASHED, Unit::Count, "Passwords hashed, for a new account or to verify one");
    describe_gauge!(names::QUEUE_VISIBLE, Unit::Count, "Messages ready to be received");
    describe_gauge!(names::QUEUE_IN_FLIGHT, Unit::Count, "Messages received but not deleted yet");
    describe_gauge!(names::QUEUE_DELAYED, Unit::Count, "Messages whose delay has not expired");
    describe_gauge!(names::QUEUE_OLDEST_SECONDS, Unit::Seconds, "Age of the oldest visible message");
    describe_counter!(names::RECORDS, Unit::Count, "Records handled, by queue and outcome");
    describe_gauge!(names::FAN_OUTS_RUNNING, Unit::Count, "Fan-outs that are reading follower pages");
    describe_counter!(names::PROMOTIONS, Unit::Count, "Authors whose posts are now merged into feeds on read");
    describe_counter!(names::DEMOTIONS, Unit::Count, "Promoted authors whose posts are fanned out again");
    describe_counter!(names::JOBS_SENT, Unit::Count, "Feed jobs sent to JobQ");
    describe_counter!(names::ENTRIES_WRITTEN, Unit::Count, "Feed entries written by jobs");
    describe_histogram!(
        names::FAN_OUT_SECONDS,
        Unit::Seconds,
        "Time from a post's creation to the write of a job's feed entries"
    );
    describe_counter!(names::CHANGES, Unit::Count, "Changes handled, by outcome");
    describe_gauge!(names::CHANGES_WAITING, Unit::Count, "Changes waiting in the log");
    describe_gauge!(names::CHANGES_OLDEST_SECONDS, Unit::Seconds, "Age of the oldest change waiting in the log");
    describe_gauge!(
        names::CLOCK_HELD_BACK_SECONDS,
        Unit::Seconds,
        "How far expiry and erasure trail a clock that jumped forward"
    );
    describe_gauge!(names::EVENT_STREAMS, Unit::Count, "Open event streams");
    describe_counter!(names::EVENTS_SENT, Unit::Count, "Live events sent, by event");
    describe_counter!(names::SWEPT, Unit::Count, "Fan-outs that the sweeper sent to PostQ again");
    describe_counter!(names::STORE_UNPROCESSED, Unit::Count, "Writes that a batch left unprocessed");
}

/// The sources of a scrape.
#[derive(Clone)]
struct Scrape {
    recorder: PrometheusHandle,
    queue: Arc<dyn Queue>,
    changes: Option<EmbeddedChanges>,
    clock: Clock,
}

/// `GET /metrics` for this recorder, these queues and this change log, if there is one. Queues and log are read on each
/// scrape.
pub fn router(
    recorder: PrometheusHandle,
    queue: Arc<dyn Queue>,
    changes: Option<EmbeddedChanges>,
    clock: Clock,
) -> Router {
    Router::new().route("/metrics", get(scrape)).with_state(Scrape { recorder, queue, changes, clock })
}

async fn scrape(State(scrape): State<Scrape>) -> impl IntoResponse {
    for name in QueueName::ALL {
        if let Err(error) = refresh(scrape.queue.as_ref(), name).await {
            warn!(
                queue = name.name(),
                error = telemetry::chain(&error),
                "Could not read the depth of {}; its gauges show NaN",
                name.name()
            );
        }
    }
    if let Some(changes) = &scrape.changes
        && let Err(error) = refresh_changes(changes, &scrape.clock).await
    {
        warn!(error = telemetry::chain(&error), "Could not read the backlog of changes; its gauges show NaN");
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], scrape.recorder.render())
}

async fn refresh(queue: &dyn Queue, name: QueueName) -> Result<(), ports::queue::QueueError> {
    let depth = queue.depth(name).await?;
    let label = name.name();
    gauge!(names::QUEUE_VISIBLE, "queue" => label).set(count(depth.visible));
    gauge!(names::QUEUE_IN_FLIGHT, "queue" => label).set(count(depth.in_flight));
    gauge!(names::QUEUE_DELAYED, "queue" => label).set(count(depth.delayed));
    gauge!(names::QUEUE_OLDEST_SECONDS, "queue" => label).set(oldest_seconds(depth));
    Ok(())
}

async fn refresh_changes(changes: &EmbeddedChanges, clock: &Clock) -> Result<(), StoreError> {
    let backlog = changes.backlog().await?;
    gauge!(names::CHANGES_WAITING).set(count(backlog.changes));
    gauge!(names::CHANGES_OLDEST_SECONDS).set(backlog.age(clock.now()).as_secs_f64());
    Ok(())
}

/// Unknown values are NaN in Prometheus.
fn oldest_seconds(depth: QueueDepth) -> f64 {
    match depth.oldest_age {
        Some(age) => age.as_secs_f64(),
        None if depth.visible == 0 => 0.0,
        None => f64::NAN,
    }
}

#[expect(clippy::cast_precision_loss, reason = "exact to 9e15 messages")]
fn count(messages: u64) -> f64 {
    messages as f64
}

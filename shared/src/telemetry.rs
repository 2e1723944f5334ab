//! The names of every metric, and logging set-up.

/// Metric names, the same in Prometheus and in CloudWatch.
pub mod names {
    /// Counter, by `route`, `method`, `status`: requests answered.
    pub const HTTP_REQUESTS: &str = "tweeter_http_requests_total";
    /// Histogram, seconds, by `route`, `method`: time from a request's head to its answer.
    pub const HTTP_SECONDS: &str = "tweeter_http_request_duration_seconds";
    /// Gauge, by `queue`: messages that can be received.
    pub const QUEUE_VISIBLE: &str = "tweeter_queue_messages_visible";
    /// Gauge, by `queue`: messages received and not yet deleted.
    pub const QUEUE_IN_FLIGHT: &str = "tweeter_queue_messages_in_flight";
    /// Gauge, by `queue`: messages whose delay is not over.
    pub const QUEUE_DELAYED: &str = "tweeter_queue_messages_delayed";
    /// Gauge, seconds, by `queue`: age of the oldest message that can be received.
    pub const QUEUE_OLDEST_SECONDS: &str = "tweeter_queue_oldest_message_age_seconds";
    /// Counter, by `queue`, `outcome` (`done`, `retried`, `poison`): records handled.
    pub const RECORDS: &str = "tweeter_queue_records_total";
    /// Gauge: fan-outs whose follower pages are being read.
    pub const FAN_OUTS_RUNNING: &str = "tweeter_fan_outs_running";
    /// Counter: feed jobs put on JobQ.
    pub const JOBS_SENT: &str = "tweeter_feed_jobs_sent_total";
    /// Counter: feed entries written by jobs.
    pub const ENTRIES_WRITTEN: &str = "tweeter_feed_entries_written_total";
    /// Histogram, seconds: from a post's creation to a job's entries being written.
    pub const FAN_OUT_SECONDS: &str = "tweeter_fan_out_latency_seconds";
    /// Counter: fan-outs that the sweeper put back on PostQ.
    pub const SWEPT: &str = "tweeter_outbox_swept_total";
    /// Counter, by `table`: writes that a batch left unprocessed.
    pub const STORE_UNPROCESSED: &str = "tweeter_store_unprocessed_writes_total";
}

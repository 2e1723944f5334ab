//! Hooks for tests and load tests in one process.

use std::sync::Arc;

use domain::Clock;
use embedded::blobs::BeforeWrite;
use ports::{changes::ChangeLog, queue::Queue, store::Store};
use service::{fan_out::FanOutOptions, live::HubOptions, passwords::HashingOptions};
use worker::RetryPauses;

/// Wraps a port.
pub type Wrap<P> = Box<dyn Fn(Arc<P>) -> Arc<P> + Send>;

/// Hooks for tests and load tests. The default changes nothing.
pub struct TestHooks {
    /// Wraps the store: faults, counters.
    pub wrap_store: Option<Wrap<dyn Store>>,
    /// Wraps the queues: faults, counters, duplicates.
    pub wrap_queue: Option<Wrap<dyn Queue>>,
    /// Wraps the change log as its reader sees it: faults, duplicates.
    pub wrap_changes: Option<Wrap<dyn ChangeLog>>,
    /// Called before bytes are written to the embedded object storage: a full disk.
    pub before_blob_write: Option<BeforeWrite>,
    /// AWS clients, instead of those from the environment.
    #[cfg(feature = "aws")]
    pub aws_clients: Option<crate::aws::AwsClients>,
    /// The source of the time.
    pub clock: Clock,
    /// Whether messages and changes are consumed.
    pub workers: bool,
    /// Whether changes are logged and read. Without them there are no counts and no notifications: for load tests of
    /// the bare fan-out.
    pub changes: bool,
    /// Whether the outbox is swept and expired items are removed.
    pub sweep: bool,
    /// The cost of password hashing.
    pub hashing: HashingOptions,
    /// The retry delays of failed messages.
    pub retry_pauses: RetryPauses,
    /// The settings of event streams.
    pub live: HubOptions,
    /// Additional routes without the API's middleware: for load tests that measure the bare server.
    pub more_routes: Option<axum::Router>,
    /// The fan-out options, instead of production's. On SQS the backlog is not polled.
    pub fan_out: Option<FanOutOptions>,
}

impl Default for TestHooks {
    fn default() -> Self {
        Self {
            wrap_store: None,
            wrap_queue: None,
            wrap_changes: None,
            before_blob_write: None,
            #[cfg(feature = "aws")]
            aws_clients: None,
            clock: Clock::System,
            workers: true,
            changes: true,
            sweep: true,
            hashing: HashingOptions::default(),
            retry_pauses: RetryPauses::default(),
            live: HubOptions::default(),
            more_routes: None,
            fan_out: None,
        }
    }
}

impl std::fmt::Debug for TestHooks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestHooks").field("workers", &self.workers).field("sweep", &self.sweep).finish_non_exhaustive()
    }
}

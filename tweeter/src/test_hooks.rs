//! Hooks of tests and load tests in one process.

use std::sync::Arc;

use domain::Clock;
use ports::{changes::ChangeLog, queue::Queue, store::Store};
use service::{fan_out::FanOutOptions, live::HubOptions, passwords::HashingOptions};
use worker::RetryPauses;

/// Puts something around a port.
pub type Wrap<P> = Box<dyn Fn(Arc<P>) -> Arc<P> + Send>;

/// Hooks of tests and load tests. The default changes nothing.
pub struct TestHooks {
    /// Around the store: faults, counters.
    pub wrap_store: Option<Wrap<dyn Store>>,
    /// Around the queues: faults, counters, duplicates.
    pub wrap_queue: Option<Wrap<dyn Queue>>,
    /// Around the log of changes, as its reader sees it: faults, duplicates.
    pub wrap_changes: Option<Wrap<dyn ChangeLog>>,
    /// Clients of AWS in place of those that the environment describes.
    #[cfg(feature = "aws")]
    pub aws_clients: Option<crate::aws::AwsClients>,
    /// Where the time comes from.
    pub clock: Clock,
    /// Whether messages are taken from the queues, and changes from their log.
    pub workers: bool,
    /// Whether changes are logged and read. Without them there are no counts and no notifications: for load tests of
    /// the bare fan-out.
    pub changes: bool,
    /// Whether the outbox is swept and expired items are removed.
    pub sweep: bool,
    /// How passwords are hashed.
    pub hashing: HashingOptions,
    /// How soon a failed message is tried again.
    pub retry_pauses: RetryPauses,
    /// How streams of live events are kept.
    pub live: HubOptions,
    /// Routes beside the API's, without what stands around those: for load tests, which measure the bare server.
    pub more_routes: Option<axum::Router>,
    /// How a fan-out is cut, in place of production's way. On SQS the backlog is not looked at.
    pub fan_out: Option<FanOutOptions>,
}

impl Default for TestHooks {
    fn default() -> Self {
        Self {
            wrap_store: None,
            wrap_queue: None,
            wrap_changes: None,
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

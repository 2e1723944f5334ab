//! `PostQ -> [follow-fetcher] -> JobQ`: reads a post's followers page by page and sends jobs for 25 followers each.

use std::sync::Arc;

use data::messages::FanOutMessage;
use ports::queue::{Queue, QueueName, ReceivedMessage};
use service::fan_out::FanOutService;
use tokio::time::Instant;
use worker::{BatchDriver, BatchOutcome, RetryPauses};

/// The environment that the Lambda function needs. `template.yaml` sets exactly this.
#[cfg(feature = "lambda")]
pub const NEEDS: lambda::Needs<service::fan_out::FanOutOptions> =
    lambda::Needs::of(&[ports::store::Table::Social], &[QueueName::PostQ, QueueName::JobQ])
        .with(|find| Ok(service::fan_out::FanOutOptions::from_lookup(find)?));

/// Handles batches of PostQ.
#[derive(Debug, Clone)]
pub struct FollowFetcher {
    driver: BatchDriver,
    fan_out: FanOutService,
}

impl FollowFetcher {
    /// A handler that fans out with `fan_out` and makes failed messages visible again on `queue`.
    pub fn new(fan_out: FanOutService, queue: Arc<dyn Queue>, pauses: RetryPauses) -> Self {
        // The event source mapping of PostQ has a batch size of 1.
        Self { driver: BatchDriver::new(queue, QueueName::PostQ, pauses, 1), fan_out }
    }

    /// Handles one batch; the outcome names the failed messages. `deadline` is when the function will be stopped.
    pub async fn handle(&self, batch: Vec<ReceivedMessage>, deadline: Option<Instant>) -> BatchOutcome {
        self.driver
            .drive(
                batch,
                FanOutMessage::decode,
                |message| async move { self.fan_out.fan_out(&message, deadline).await },
            )
            .await
    }
}

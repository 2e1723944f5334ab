//! `JobQ -> [job-handler] -> Feed`: writes each job's feed entries in one batch.

use std::sync::Arc;

use data::messages::FeedJob;
use domain::limits;
use ports::queue::{Queue, QueueName, ReceivedMessage};
use service::delivery::DeliveryService;
use worker::{BatchDriver, BatchOutcome, RetryPauses};

/// The environment that the Lambda function needs. `template.yaml` sets exactly this.
#[cfg(feature = "lambda")]
pub const NEEDS: lambda::Needs = lambda::Needs::of(&[ports::store::Table::Feed], &[QueueName::JobQ]);

/// Handles batches of JobQ.
#[derive(Debug, Clone)]
pub struct JobHandler {
    driver: BatchDriver,
    delivery: DeliveryService,
}

impl JobHandler {
    /// A handler that delivers with `delivery` and makes failed messages visible again on `queue`.
    pub fn new(delivery: DeliveryService, queue: Arc<dyn Queue>, pauses: RetryPauses) -> Self {
        Self { driver: BatchDriver::new(queue, QueueName::JobQ, pauses, limits::MAX_QUEUE_BATCH), delivery }
    }

    /// Handles one batch; the outcome names the failed messages.
    pub async fn handle(&self, batch: Vec<ReceivedMessage>) -> BatchOutcome {
        self.driver.drive(batch, FeedJob::decode, |job| async move { self.delivery.deliver(&job).await }).await
    }
}

//! `JobQ -> [job-handler] -> Feed`: writes each job's feed entries in one batch.

#[cfg(feature = "lambda")]
pub mod config;

use std::sync::Arc;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use shared::{
    batch::{BatchDriver, RetryPauses},
    limits,
    messages::FeedJob,
    queue::{Queue, QueueName},
    service::delivery::DeliveryService,
};

/// Handles batches of JobQ.
#[derive(Debug, Clone)]
pub struct JobHandler {
    driver: BatchDriver,
    delivery: DeliveryService,
}

impl JobHandler {
    /// A handler that delivers by `delivery` and makes what failed visible again on `queue`.
    pub fn new(delivery: DeliveryService, queue: Arc<dyn Queue>, pauses: RetryPauses) -> Self {
        Self { driver: BatchDriver::new(queue, QueueName::JobQ, pauses, limits::MAX_QUEUE_BATCH), delivery }
    }

    /// Handles one batch; what failed is in the answer.
    pub async fn handle(&self, event: SqsEvent) -> SqsBatchResponse {
        self.driver.drive(event, FeedJob::decode, |job| async move { self.delivery.deliver(&job).await }).await
    }
}

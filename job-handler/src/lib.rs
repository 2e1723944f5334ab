//! `JobQ -> [job-handler] -> Feed`: writes each job's feed entries in one batch.

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use shared::service::delivery::DeliveryService;

/// What the handler needs.
#[derive(Debug, Clone)]
pub struct JobHandler {
    _delivery: DeliveryService,
}

impl JobHandler {
    /// Handles one batch; what failed is in the answer.
    pub async fn handle(&self, _event: SqsEvent) -> SqsBatchResponse {
        todo!()
    }
}

//! `PostQ -> [follow-fetcher] -> JobQ`: reads a post's followers page by page and puts jobs of 25 on JobQ.

use std::time::Instant;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use shared::service::fan_out::FanOutService;

/// What the handler needs.
#[derive(Debug, Clone)]
pub struct FollowFetcher {
    _fan_out: FanOutService,
}

impl FollowFetcher {
    /// Handles one batch; what failed is in the answer. `deadline` is when the function will be stopped.
    pub async fn handle(&self, _event: SqsEvent, _deadline: Option<Instant>) -> SqsBatchResponse {
        todo!()
    }
}

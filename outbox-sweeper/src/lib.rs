//! `schedule -> [outbox-sweeper] -> PostQ`, `Feed`: requeues fan-outs that a crash or a lost message left in the
//! outbox, and finishes follows that a crash interrupted.

use std::collections::HashSet;

use domain::{PostId, Timestamp};
use service::{
    ServiceError,
    sweep::{SweepService, Swept},
};

/// The environment that the Lambda function needs. `template.yaml` sets exactly this.
#[cfg(feature = "lambda")]
pub const NEEDS: lambda::Needs =
    lambda::Needs::of(&ports::store::Table::ALL, &[ports::queue::QueueName::PostQ, ports::queue::QueueName::MediaQ])
        .with_buckets(&ports::blobs::Bucket::ALL);

/// Runs sweeps.
#[derive(Debug, Clone)]
pub struct OutboxSweeper {
    sweep: SweepService,
}

impl OutboxSweeper {
    /// A sweeper that runs `sweep`.
    pub fn new(sweep: SweepService) -> Self {
        Self { sweep }
    }

    /// Runs one sweep.
    pub async fn handle(&self, now: Timestamp) -> Result<Swept, ServiceError> {
        self.sweep.sweep(now).await
    }

    /// Takes over all unfinished work except the fan-outs whose message is among `announced`. For a process that is
    /// alone on its store when it starts.
    pub async fn reclaim(&self, now: Timestamp, announced: &HashSet<PostId>) -> Result<Swept, ServiceError> {
        self.sweep.reclaim(now, announced).await
    }
}

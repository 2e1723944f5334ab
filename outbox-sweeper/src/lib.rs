//! `schedule -> [outbox-sweeper] -> PostQ`, `Feed`: puts back what a crash or a lost message left in the outbox, and
//! finishes what a crash left of a follow.

use std::collections::HashSet;

use domain::{PostId, Timestamp};
use service::{
    ServiceError,
    sweep::{SweepService, Swept},
};

/// What the Lambda function needs of its environment. `template.yaml` sets exactly this.
#[cfg(feature = "lambda")]
pub const NEEDS: lambda::Needs = lambda::Needs::of(&ports::store::Table::ALL, &[ports::queue::QueueName::PostQ]);

/// What the handler needs.
#[derive(Debug, Clone)]
pub struct OutboxSweeper {
    sweep: SweepService,
}

impl OutboxSweeper {
    /// A sweeper that decides by `sweep`.
    pub fn new(sweep: SweepService) -> Self {
        Self { sweep }
    }

    /// One sweep.
    pub async fn handle(&self, now: Timestamp) -> Result<Swept, ServiceError> {
        self.sweep.sweep(now).await
    }

    /// Takes over everything unfinished but the fan-outs whose message is among `announced`: for a process that starts
    /// alone on its store.
    pub async fn reclaim(&self, now: Timestamp, announced: &HashSet<PostId>) -> Result<Swept, ServiceError> {
        self.sweep.reclaim(now, announced).await
    }
}

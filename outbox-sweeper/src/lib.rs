//! `schedule -> [outbox-sweeper] -> PostQ`: puts back what a crash or a lost message left in the outbox.

#[cfg(feature = "lambda")]
pub mod config;

use std::collections::HashSet;

use shared::{
    domain::{PostId, Timestamp},
    service::{ServiceError, sweep::SweepService},
};

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

    /// One sweep. Returns how many fan-outs were put back.
    pub async fn handle(&self, now: Timestamp) -> Result<u64, ServiceError> {
        self.sweep.sweep(now).await
    }

    /// Puts back every unfinished fan-out whose message is not among `announced`: for a process that starts alone on
    /// its store.
    pub async fn reclaim(&self, now: Timestamp, announced: &HashSet<PostId>) -> Result<u64, ServiceError> {
        self.sweep.reclaim(now, announced).await
    }
}

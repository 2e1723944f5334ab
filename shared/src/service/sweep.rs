//! What a lost message or a crash left in the outbox.

use std::sync::Arc;

use super::ServiceError;
use crate::{domain::Timestamp, queue::Queue, store::Store};

/// Puts stalled fan-outs back on PostQ.
#[derive(Debug, Clone)]
pub struct SweepService {}

impl SweepService {
    /// Sweeps the outbox in `store`, announcing on `queue`.
    pub fn new(_store: Arc<dyn Store>, _queue: Arc<dyn Queue>) -> Self {
        todo!()
    }

    /// Takes every expired lease once. Returns how many fan-outs were put back.
    pub async fn sweep(&self, _now: Timestamp) -> Result<u64, ServiceError> {
        todo!()
    }
}

//! From JobQ into feeds.

use std::sync::Arc;

use super::ServiceError;
use crate::{domain::Clock, messages::FeedJob, store::Store};

/// Delivers posts into feeds.
#[derive(Debug, Clone)]
pub struct DeliveryService {}

impl DeliveryService {
    /// Deliveries into `store`.
    pub fn new(_store: Arc<dyn Store>, _clock: Clock) -> Self {
        todo!()
    }

    /// Writes the job's entries. Twice is the same as once.
    pub async fn deliver(&self, _job: &FeedJob) -> Result<(), ServiceError> {
        todo!()
    }
}

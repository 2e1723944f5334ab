//! From PostQ to JobQ, page by page of followers.

use std::{sync::Arc, time::Instant};

use super::ServiceError;
use crate::{domain::Clock, messages::FanOutMessage, queue::Queue, store::Store};

/// Fans posts out.
#[derive(Debug, Clone)]
pub struct FanOutService {}

impl FanOutService {
    /// Fan-outs from `store` to `queue`, reading `follower_page` edges a page (`None`: as many as the store gives).
    pub fn new(_store: Arc<dyn Store>, _queue: Arc<dyn Queue>, _clock: Clock, _follower_page: Option<u32>) -> Self {
        todo!()
    }

    /// Goes on with the fan-out until every page is on JobQ, or hands over by a message near `deadline`.
    pub async fn fan_out(&self, _message: &FanOutMessage, _deadline: Option<Instant>) -> Result<(), ServiceError> {
        todo!()
    }
}

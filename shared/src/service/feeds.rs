//! A reader's feed.

use std::sync::Arc;

use super::ServiceError;
use crate::{
    domain::{Page, PageLimit, PostId, PostView, UserId},
    store::Store,
};

/// Reads feeds.
#[derive(Debug, Clone)]
pub struct FeedService {}

impl FeedService {
    /// Feeds in `store`.
    pub fn new(_store: Arc<dyn Store>) -> Self {
        todo!()
    }

    /// The reader's own posts and those of whom they follow now, newest first.
    pub async fn page(
        &self,
        _reader: UserId,
        _after: Option<PostId>,
        _limit: PageLimit,
    ) -> Result<Page<PostView, PostId>, ServiceError> {
        todo!()
    }
}

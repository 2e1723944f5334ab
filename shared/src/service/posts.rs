//! Publishing, one post, a story.

use std::sync::Arc;

use super::ServiceError;
use crate::{
    domain::{IdGenerator, Page, PageLimit, PostId, PostText, PostView, Timestamp, UserId},
    queue::Queue,
    store::Store,
};

/// An `Idempotency-Key`: 1 to 255 visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// `None` when the text is not of that form.
    pub fn parse(text: &str) -> Option<Self> {
        let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        (crate::limits::IDEMPOTENCY_KEY_CHARS.contains(&text.len()) && visible).then(|| Self(text.to_owned()))
    }

    /// The key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Publishes posts: the write side, behind post-handler.
#[derive(Debug, Clone)]
pub struct PublishService {}

impl PublishService {
    /// Publishing to `store`, announced on `queue`.
    pub fn new(_store: Arc<dyn Store>, _queue: Arc<dyn Queue>, _ids: Arc<IdGenerator>) -> Self {
        todo!()
    }

    /// Publishes a post, once per key: the same key with another text is invalid (field `Idempotency-Key`).
    pub async fn publish(
        &self,
        _author: UserId,
        _text: PostText,
        _key: Option<&IdempotencyKey>,
        _now: Timestamp,
    ) -> Result<PostView, ServiceError> {
        todo!()
    }
}

/// Reads posts and stories, behind status-api.
#[derive(Debug, Clone)]
pub struct PostService {}

impl PostService {
    /// Posts in `store`.
    pub fn new(_store: Arc<dyn Store>) -> Self {
        todo!()
    }

    /// One post.
    pub async fn get(&self, _post: PostId) -> Result<PostView, ServiceError> {
        todo!()
    }

    /// An author's posts, newest first. The author is known to exist.
    pub async fn story(
        &self,
        _author: UserId,
        _after: Option<PostId>,
        _limit: PageLimit,
    ) -> Result<Page<PostView, PostId>, ServiceError> {
        todo!()
    }
}

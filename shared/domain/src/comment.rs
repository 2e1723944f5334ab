//! Comments as they are stored and shown.

use super::{CommentId, CommentText, PostId, Timestamp, User, UserId};

/// A comment as its author wrote it. Immutable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// The comment's id, which contains its creation time.
    pub comment_id: CommentId,
    /// The post it belongs to.
    pub post_id: PostId,
    /// The author.
    pub author_id: UserId,
    /// The text.
    pub text: CommentText,
}

impl Comment {
    /// The time of creation.
    pub fn created_at(&self) -> Timestamp {
        self.comment_id.created_at()
    }
}

/// A comment as a reader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommentView {
    /// The comment.
    pub comment: Comment,
    /// Its author, with their current profile.
    pub author: User,
}

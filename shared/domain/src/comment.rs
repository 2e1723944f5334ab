//! Comments as they are stored and shown.

use super::{CommentId, CommentText, PostId, Timestamp, User, UserId};

/// A comment as its author wrote it. Never changes once made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// The comment's id, which carries its creation time.
    pub comment_id: CommentId,
    /// The post it is on.
    pub post_id: PostId,
    /// Who wrote it.
    pub author_id: UserId,
    /// What it says.
    pub text: CommentText,
}

impl Comment {
    /// When the comment was made.
    pub fn created_at(&self) -> Timestamp {
        self.comment_id.created_at()
    }
}

/// A comment as a reader sees it: with its author.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommentView {
    /// The comment.
    pub comment: Comment,
    /// Its author as they call themselves now.
    pub author: User,
}

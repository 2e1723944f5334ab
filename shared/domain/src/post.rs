//! Posts as they are stored and shown.

use super::{PostCounts, PostId, PostText, Timestamp, User, UserId};

/// A post as its author wrote it. Never changes once made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// The post's id, which carries its creation time.
    pub post_id: PostId,
    /// Who wrote it.
    pub author_id: UserId,
    /// What it says.
    pub text: PostText,
}

impl Post {
    /// When the post was made.
    pub fn created_at(&self) -> Timestamp {
        self.post_id.created_at()
    }
}

/// A post as a reader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostView {
    /// The post.
    pub post: Post,
    /// Its author as they call themselves now.
    pub author: User,
    /// How many like it and have commented on it.
    pub counts: PostCounts,
    /// Whether the reader likes it.
    pub liked_by_me: bool,
}

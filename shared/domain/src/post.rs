//! Posts as they are stored and shown.

use super::{PostCounts, PostId, PostMedia, PostText, Timestamp, User, UserId};

/// A post as its author wrote it. Immutable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// The post's id, which contains its creation time.
    pub post_id: PostId,
    /// The author.
    pub author_id: UserId,
    /// The text; may be empty if there are pictures.
    pub text: PostText,
    /// The pictures, in the author's order.
    pub media: Vec<PostMedia>,
}

impl Post {
    /// The time of creation.
    pub fn created_at(&self) -> Timestamp {
        self.post_id.created_at()
    }
}

/// A post as a reader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostView {
    /// The post.
    pub post: Post,
    /// Its author, with their current profile.
    pub author: User,
    /// The numbers of likes and comments.
    pub counts: PostCounts,
    /// Whether the reader likes it.
    pub liked_by_me: bool,
}

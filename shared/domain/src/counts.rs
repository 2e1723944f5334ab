//! Counts of users and posts. They are derived from the change stream and so lag by moments.

/// A user's counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UserCounts {
    /// The number of followers.
    pub followers: u64,
    /// The number of followees.
    pub following: u64,
    /// The number of posts, without deleted ones.
    pub posts: u64,
}

/// A post's counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PostCounts {
    /// The number of likes.
    pub likes: u64,
    /// The number of comments, without deleted ones.
    pub comments: u64,
}

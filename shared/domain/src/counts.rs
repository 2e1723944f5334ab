//! How many of what a user or a post has. Derived from the change stream, so they lag by moments.

/// A user's counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UserCounts {
    /// How many follow the user.
    pub followers: u64,
    /// How many the user follows.
    pub following: u64,
    /// How many posts the user has that are not deleted.
    pub posts: u64,
}

/// A post's counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PostCounts {
    /// How many like the post.
    pub likes: u64,
    /// How many comments it has that are not deleted.
    pub comments: u64,
}

//! The plan of a run.

use std::time::Duration;

/// What a run does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Followers of the author.
    pub followers: u64,
    /// Posts, one after another.
    pub posts: u64,
    /// Rows a second that are seeded and removed.
    pub rows_per_second: u32,
    /// Feeds read at once.
    pub at_once: usize,
    /// How long nothing new may be seen before a post is given up.
    pub patience: Duration,
}

//! The plan of a run.

use std::time::Duration;

/// The parameters of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Followers of the author.
    pub followers: u64,
    /// Posts, published one after another.
    pub posts: u64,
    /// Rows seeded and removed per second.
    pub rows_per_second: u32,
    /// Feeds read concurrently.
    pub at_once: usize,
    /// How long a post may make no progress before it is given up.
    pub patience: Duration,
}

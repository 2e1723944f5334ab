//! Targets of erasure.

use super::{MediaId, PostId, UserId};

/// A target that is erased together with everything that depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Erasable {
    /// A post deleted by its author.
    Post(PostId),
    /// A deleted account.
    User(UserId),
    /// A picture, unless a post or a profile shows it.
    Media(MediaId),
}

//! Targets of erasure.

use super::{PostId, UserId};

/// A target that is erased together with everything that depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Erasable {
    /// A post deleted by its author.
    Post(PostId),
    /// A deleted account.
    User(UserId),
}

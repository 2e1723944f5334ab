//! What is erased for good.

use super::{PostId, UserId};

/// Something that is erased, with all that hangs on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Erasable {
    /// A post that its author deleted.
    Post(PostId),
    /// An account.
    User(UserId),
}

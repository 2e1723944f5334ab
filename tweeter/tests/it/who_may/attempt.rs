//! A request, and whose it is.

use serde_json::Value;

/// Who tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Without a token.
    Nobody,
    /// Someone who has nothing to do with it.
    Other,
    /// Whose it is.
    Owner,
    /// The author of a comment and a like on the owner's post, who follows the owner.
    Guest,
}

/// A request.
pub struct Attempt {
    /// Where to.
    pub path: String,
    /// The body, if it has any.
    pub body: Option<Value>,
}

//! A request and the role that sends it.

use serde_json::Value;

/// The sender of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Without a token.
    Nobody,
    /// A user unrelated to the owner.
    Other,
    /// The owner of the data.
    Owner,
    /// The author of a comment and a like on the owner's post, and a follower of the owner.
    Guest,
}

/// A request.
pub struct Attempt {
    /// The method and the path.
    pub path: String,
    /// The body, if there is one.
    pub body: Option<Value>,
}

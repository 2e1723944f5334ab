//! Users as they are stored and shown.

use super::{Bio, DisplayName, Email, Handle, Timestamp, UserCounts, UserId};

/// The part of a user that is shown beside what they wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The user's id.
    pub user_id: UserId,
    /// The unique handle.
    pub handle: Handle,
    /// The name shown.
    pub display_name: DisplayName,
}

/// What is stored of a user for everybody to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Id, handle and name.
    pub user: User,
    /// The text about the user; empty unless they wrote one.
    pub bio: Bio,
    /// When the account was made.
    pub created_at: Timestamp,
}

/// A profile as one viewer sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileView {
    /// What everybody sees.
    pub profile: Profile,
    /// How many follow the user, are followed by them, and what they posted.
    pub counts: UserCounts,
    /// How the viewer stands to the user.
    pub relation: Relation,
}

/// How a viewer stands to the user they look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Relation {
    /// The viewer is the user, and sees the e-mail address too.
    Own {
        /// The account's address.
        email: Email,
    },
    /// The viewer is someone else.
    Other {
        /// Whether the viewer follows the user.
        followed_by_me: bool,
        /// Whether the user follows the viewer.
        follows_me: bool,
    },
}

/// How a path names a user: by id, by handle, or as the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserRef {
    /// `me`.
    Me,
    /// A user id.
    Id(UserId),
    /// `@handle`.
    Handle(Handle),
    /// Any other text; it names no user.
    Unknown,
}

impl From<UserId> for UserRef {
    fn from(id: UserId) -> Self {
        Self::Id(id)
    }
}

//! Users as they are stored and shown.

use super::{Avatar, Bio, DisplayName, Email, Handle, Timestamp, UserCounts, UserId};

/// The part of a user that is shown beside their posts and comments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The user's id.
    pub user_id: UserId,
    /// The unique handle.
    pub handle: Handle,
    /// The display name.
    pub display_name: DisplayName,
    /// The picture; `None` without one.
    pub avatar: Option<Avatar>,
}

/// The public, stored part of a user's profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Id, handle and display name.
    pub user: User,
    /// The profile text; may be empty.
    pub bio: Bio,
    /// The time of registration.
    pub created_at: Timestamp,
}

/// A profile as one viewer sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileView {
    /// The public part.
    pub profile: Profile,
    /// The numbers of followers, followees and posts.
    pub counts: UserCounts,
    /// The relation between viewer and user.
    pub relation: Relation,
}

/// The relation between a viewer and the user they look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Relation {
    /// The viewer is the user; includes the e-mail address.
    Own {
        /// The account's e-mail address.
        email: Email,
    },
    /// The viewer is another user.
    Other {
        /// Whether the viewer follows the user.
        followed_by_me: bool,
        /// Whether the user follows the viewer.
        follows_me: bool,
    },
}

/// A reference to a user in a path: an id, a handle, or the caller.
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

//! Notifications of other users' acts that concern a user.

use super::{CommentId, NotificationId, PostId, Timestamp, User, UserId};

/// An act of a user. Each act has at most one notification, however often it is undone and redone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Act {
    /// The user who acted.
    pub actor_id: UserId,
    /// The kind of act, with its object.
    pub kind: ActKind,
}

/// The kinds of acts, with their objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ActKind {
    /// The actor likes this post.
    Like(PostId),
    /// The actor wrote this comment on this post.
    Comment(PostId, CommentId),
    /// The actor follows this user, who is the recipient.
    Follow(UserId),
}

impl ActKind {
    /// The post concerned, if any.
    pub const fn post_id(&self) -> Option<PostId> {
        match self {
            Self::Like(post) | Self::Comment(post, _) => Some(*post),
            Self::Follow(_) => None,
        }
    }
}

/// A record that an act concerns a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notification {
    /// The notification's id, which contains the time at which the act was noticed.
    pub notification_id: NotificationId,
    /// The user whom it concerns.
    pub recipient_id: UserId,
    /// The act.
    pub act: Act,
}

impl Notification {
    /// The time at which the act was noticed.
    pub fn created_at(&self) -> Timestamp {
        self.notification_id.created_at()
    }
}

/// A notification as its recipient sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotificationView {
    /// The notification.
    pub notification: Notification,
    /// The actor, with their current profile.
    pub actor: User,
    /// Whether the recipient has marked it as read.
    pub read: bool,
}

//! Notifications: that someone did something that concerns a user.

use super::{CommentId, NotificationId, PostId, Timestamp, User, UserId};

/// What someone did. At most one notification stands for each act, however often it is undone and redone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Act {
    /// Who did it.
    pub actor_id: UserId,
    /// What.
    pub kind: ActKind,
}

/// The kinds of acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ActKind {
    /// The actor likes this post.
    Like(PostId),
    /// The actor wrote this comment on this post.
    Comment(PostId, CommentId),
    /// The actor follows this user, who is the one notified.
    Follow(UserId),
}

impl ActKind {
    /// The post it is about, if it is about one.
    pub const fn post_id(&self) -> Option<PostId> {
        match self {
            Self::Like(post) | Self::Comment(post, _) => Some(*post),
            Self::Follow(_) => None,
        }
    }
}

/// That an act concerns a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notification {
    /// The notification's id, which carries when the act was noticed.
    pub notification_id: NotificationId,
    /// Whom it concerns.
    pub recipient_id: UserId,
    /// What it is about.
    pub act: Act,
}

impl Notification {
    /// When the act was noticed.
    pub fn created_at(&self) -> Timestamp {
        self.notification_id.created_at()
    }
}

/// A notification as its recipient sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotificationView {
    /// The notification.
    pub notification: Notification,
    /// Who did it, as they call themselves now.
    pub actor: User,
    /// Whether the recipient has said that they read it.
    pub read: bool,
}

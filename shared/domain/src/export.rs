//! Everything stored about a user, for that user's export. Of other users it contains only ids and handles.

use uuid::Uuid;

use super::{
    Comment, CommentId, Handle, InboxEntry, Media, NotificationId, Post, PostCounts, PostId, ProfileView, SessionId,
    Timestamp, UserAgent, UserId,
};
use crate::limits;

/// The kinds of exported records, in the order in which an export lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ExportKind {
    /// The profile, with counts and the e-mail address.
    Profile,
    /// The read position of notifications.
    Inbox,
    /// Sessions.
    Session,
    /// Posts, including deleted ones.
    Post,
    /// Comments, including deleted ones.
    Comment,
    /// Likes.
    Like,
    /// The user's followees.
    Following,
    /// The user's followers.
    Follower,
    /// Notifications that the user received.
    Notification,
    /// Notifications that others received about the user's acts.
    Notified,
    /// The feed.
    FeedEntry,
    /// `Idempotency-Key`s.
    IdempotencyKey,
    /// Pictures.
    Media,
}

impl ExportKind {
    /// Every kind, in order.
    pub const ALL: [Self; 13] = [
        Self::Profile,
        Self::Inbox,
        Self::Session,
        Self::Post,
        Self::Comment,
        Self::Like,
        Self::Following,
        Self::Follower,
        Self::Notification,
        Self::Notified,
        Self::FeedEntry,
        Self::IdempotencyKey,
        Self::Media,
    ];

    /// The kind's number in cursors.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The kind with this number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// The kind that follows in the order of the export.
    pub fn next(self) -> Option<Self> {
        Self::from_number(self.number() + 1)
    }

    /// Whether `place` is a valid position in the list of this kind.
    pub fn has_position(self, place: &ExportPlace) -> bool {
        match self {
            // At most one record: after it, the next kind begins.
            Self::Profile | Self::Inbox => false,
            Self::IdempotencyKey => matches!(place, ExportPlace::Key(key)
                if limits::IDEMPOTENCY_KEY_CHARS.contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic())),
            Self::Notified => matches!(place, ExportPlace::Act(_)),
            Self::Session
            | Self::Post
            | Self::Comment
            | Self::Like
            | Self::Following
            | Self::Follower
            | Self::Notification
            | Self::FeedEntry
            | Self::Media => matches!(place, ExportPlace::Id(_)),
        }
    }
}

/// An act that others were notified of, as its actor's list names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotifiedAct {
    /// A like of this post.
    Like(PostId),
    /// This comment.
    Comment(CommentId),
    /// A follow of this user.
    Follow(UserId),
}

/// Names an item in the list of its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExportPlace {
    /// An id.
    Id(Uuid),
    /// An act.
    Act(NotifiedAct),
    /// An `Idempotency-Key`.
    Key(String),
}

/// A position in an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportPosition {
    /// The current kind.
    pub kind: ExportKind,
    /// The last position passed in that kind's list; `None` for its beginning.
    pub last: Option<ExportPlace>,
}

impl ExportPosition {
    /// The beginning of a kind's list.
    pub const fn beginning_of(kind: ExportKind) -> Self {
        Self { kind, last: None }
    }
}

/// Another user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Other {
    /// Their user id.
    pub user_id: UserId,
    /// Their handle; `None` if the account is deleted.
    pub handle: Option<Handle>,
}

/// One exported record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExportItem {
    /// The profile as the user sees it.
    Profile(Box<ProfileView>),
    /// The read position of notifications.
    Inbox {
        /// The number of unread notifications.
        unread: u64,
        /// The newest notification that has been read.
        read_up_to: Option<NotificationId>,
    },
    /// A session.
    Session {
        /// Its id.
        session_id: SessionId,
        /// The time it began.
        created_at: Timestamp,
        /// The time of the last refresh.
        last_used_at: Timestamp,
        /// The program that began it.
        user_agent: Option<UserAgent>,
        /// The expiry unless it is refreshed.
        expires_at: Timestamp,
    },
    /// A post.
    Post {
        /// The post.
        post: Post,
        /// The time of deletion, if deleted.
        deleted_at: Option<Timestamp>,
        /// The numbers of likes and comments.
        counts: PostCounts,
    },
    /// A comment.
    Comment {
        /// The comment.
        comment: Comment,
        /// The time of deletion, if deleted.
        deleted_at: Option<Timestamp>,
    },
    /// A like.
    Like {
        /// The liked post.
        post_id: PostId,
        /// The time of the like.
        liked_at: Timestamp,
    },
    /// A follow by the user.
    Following {
        /// The followee.
        other: Other,
        /// The time of the follow.
        followed_at: Timestamp,
    },
    /// A follow of the user.
    Follower {
        /// The follower.
        other: Other,
        /// The time of the follow.
        followed_at: Timestamp,
    },
    /// A notification that the user received.
    Notification {
        /// The notification and its visibility.
        entry: InboxEntry,
        /// The actor.
        actor: Other,
        /// Whether the user has read it.
        read: bool,
    },
    /// A notification that another user received about the user's act.
    Notified {
        /// The act.
        act: NotifiedAct,
        /// The recipient.
        recipient_id: UserId,
        /// The notification's id.
        notification_id: NotificationId,
    },
    /// An entry of the user's feed.
    FeedEntry {
        /// The post.
        post_id: PostId,
    },
    /// An `Idempotency-Key`.
    IdempotencyKey {
        /// The key.
        key: String,
        /// The post that was created with it.
        post_id: PostId,
        /// The time until which it is remembered.
        expires_at: Timestamp,
    },
    /// A picture.
    Media(Box<Media>),
}

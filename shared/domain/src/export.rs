//! Everything that is stored about a user, for that user. Of others nothing but ids and handles.

use uuid::Uuid;

use super::{
    Comment, Handle, InboxEntry, NotificationId, Post, PostCounts, PostId, ProfileView, SessionId, Timestamp,
    UserAgent, UserId,
};
use crate::limits;

/// The kinds of what is stored, in the order in which an export lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ExportKind {
    /// The profile, with counts and the e-mail address.
    Profile,
    /// How far notifications are read.
    Inbox,
    /// Sessions.
    Session,
    /// Posts, deleted ones too.
    Post,
    /// Comments, deleted ones too.
    Comment,
    /// Likes.
    Like,
    /// Whom the user follows.
    Following,
    /// Who follows the user.
    Follower,
    /// What the user was told that others did.
    Notification,
    /// What others were told that the user did.
    Notified,
    /// The feed.
    FeedEntry,
    /// `Idempotency-Key`s.
    IdempotencyKey,
}

impl ExportKind {
    /// Every kind, in order.
    pub const ALL: [Self; 12] = [
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
    ];

    /// The kind's number in cursors.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The kind of a number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// The kind listed after this one.
    pub fn next(self) -> Option<Self> {
        Self::from_number(self.number() + 1)
    }

    /// Whether something of this kind can be at this place of its list.
    pub fn has_position(self, place: &str) -> bool {
        match self {
            // There is one, or none: its end is the next kind's beginning.
            Self::Profile | Self::Inbox => false,
            Self::IdempotencyKey => {
                limits::IDEMPOTENCY_KEY_CHARS.contains(&place.len())
                    && place.bytes().all(|byte| byte.is_ascii_graphic())
            }
            Self::Notified => {
                let id = ["LIKE#", "COMMENT#", "FOLLOW#"].iter().find_map(|act| place.strip_prefix(act));
                id.is_some_and(is_id)
            }
            _ => is_id(place),
        }
    }
}

/// Whether a text is an id in its one stored form.
fn is_id(text: &str) -> bool {
    Uuid::try_parse(text).is_ok_and(|id| id.as_hyphenated().to_string() == text)
}

/// Where in an export to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportPosition {
    /// In which kind.
    pub kind: ExportKind,
    /// After which place of its list; from the beginning without.
    pub last: Option<String>,
}

impl ExportPosition {
    /// The beginning of a kind.
    pub const fn beginning_of(kind: ExportKind) -> Self {
        Self { kind, last: None }
    }
}

/// Someone else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Other {
    /// Who.
    pub user_id: UserId,
    /// Their handle; `None` when their account is gone.
    pub handle: Option<Handle>,
}

/// One thing that is stored about a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExportItem {
    /// The profile as the user sees it.
    Profile(Box<ProfileView>),
    /// How far notifications are read.
    Inbox {
        /// Notifications that are not read.
        unread: u64,
        /// The newest notification that is read.
        read_up_to: Option<NotificationId>,
    },
    /// A session.
    Session {
        /// Its id.
        session_id: SessionId,
        /// When it began.
        created_at: Timestamp,
        /// When it was last carried on.
        last_used_at: Timestamp,
        /// The program that it was begun with.
        user_agent: Option<UserAgent>,
        /// When it ends unless it is carried on.
        expires_at: Timestamp,
    },
    /// A post.
    Post {
        /// The post.
        post: Post,
        /// Since when it is deleted.
        deleted_at: Option<Timestamp>,
        /// How many like it and have commented on it.
        counts: PostCounts,
    },
    /// A comment.
    Comment {
        /// The comment.
        comment: Comment,
        /// Since when it is deleted.
        deleted_at: Option<Timestamp>,
    },
    /// A like.
    Like {
        /// Of which post.
        post_id: PostId,
        /// Since when.
        liked_at: Timestamp,
    },
    /// That the user follows someone.
    Following {
        /// Whom.
        other: Other,
        /// Since when.
        followed_at: Timestamp,
    },
    /// That someone follows the user.
    Follower {
        /// Who.
        other: Other,
        /// Since when.
        followed_at: Timestamp,
    },
    /// What the user was told.
    Notification {
        /// The notification, and whether it is shown.
        entry: InboxEntry,
        /// Who did it.
        actor: Other,
        /// Whether the user has read it.
        read: bool,
    },
    /// What someone else was told that the user did.
    Notified {
        /// What: `LIKE#`, `COMMENT#` or `FOLLOW#` with an id.
        act: String,
        /// Who was told.
        recipient_id: UserId,
        /// By which notification.
        notification_id: NotificationId,
    },
    /// A post in the feed.
    FeedEntry {
        /// Which.
        post_id: PostId,
    },
    /// An `Idempotency-Key`.
    IdempotencyKey {
        /// The key.
        key: String,
        /// The post that it made.
        post_id: PostId,
        /// Until when it is kept.
        expires_at: Timestamp,
    },
}

//! Live events for the users connected to this process. Only in the one-process deployment: Lambda functions keep no
//! connections.
//!
//! - [`hub`]: every open stream, by user.
//! - `mailbox`: the bounded backlog of one stream.

pub mod hub;
mod mailbox;
mod service;

use domain::{ActKind, NotificationId, PostId, UserId};

pub use hub::{Hub, HubOptions, Subscription};
pub use service::LiveService;

/// A list that can change while its reader has it open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// The reader's feed.
    Feed,
    /// The reader's notifications.
    Notifications,
}

impl Topic {
    /// Both topics.
    pub const ALL: [Self; 2] = [Self::Feed, Self::Notifications];
}

/// An event sent to a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LiveEvent {
    /// A post was added to their feed.
    Feed {
        /// The post.
        post_id: PostId,
        /// Its author.
        author_id: UserId,
    },
    /// A notification became visible.
    Notification {
        /// The notification.
        notification_id: NotificationId,
        /// The kind of act.
        kind: ActKind,
    },
    /// Events may have been lost: reload the first page of the topic.
    Reload(Topic),
}

impl LiveEvent {
    /// The list that the event belongs to.
    pub const fn topic(&self) -> Topic {
        match self {
            Self::Feed { .. } => Topic::Feed,
            Self::Notification { .. } => Topic::Notifications,
            Self::Reload(topic) => *topic,
        }
    }
}

/// The reason why a stream ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// The access token has expired.
    TokenExpired,
    /// The account was deleted.
    AccountGone,
    /// The user opened more streams than [`domain::limits::MAX_STREAMS_PER_USER`]; the oldest ends.
    Replaced,
    /// The process is stopping.
    Stopping,
}

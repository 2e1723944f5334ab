//! Who is connected to this process, and what they are told as it happens. In one process alone: the functions of the
//! cloud keep no connections.
//!
//! - [`hub`]: every open stream, by user.
//! - `mailbox`: what waits for one stream: little, and nothing that is late.

pub mod hub;
mod mailbox;
mod service;

use domain::{ActKind, NotificationId, PostId, UserId};

pub use hub::{Hub, HubOptions, Subscription};
pub use service::LiveService;

/// A list that changes while its reader looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// The reader's feed.
    Feed,
    /// The reader's notifications.
    Notifications,
}

impl Topic {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Feed, Self::Notifications];
}

/// What a user is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LiveEvent {
    /// A post has come into their feed.
    Feed {
        /// The post.
        post_id: PostId,
        /// Its author.
        author_id: UserId,
    },
    /// A notification is there.
    Notification {
        /// The notification.
        notification_id: NotificationId,
        /// What was done.
        kind: ActKind,
    },
    /// Something may have come that they were not told of: the first page has it.
    Reload(Topic),
}

impl LiveEvent {
    /// The list that it is about.
    pub const fn topic(&self) -> Topic {
        match self {
            Self::Feed { .. } => Topic::Feed,
            Self::Notification { .. } => Topic::Notifications,
            Self::Reload(topic) => *topic,
        }
    }
}

/// Why a stream ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The access token's time is over.
    TokenExpired,
    /// The user is no more.
    AccountGone,
    /// The user has opened more streams than they may have; the oldest goes.
    Replaced,
    /// The process stops.
    Stopping,
}

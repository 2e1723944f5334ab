//! Tweeter's domain in plain values: no storage, no transport, no clock of its own.
//!
//! - [`ids`]: ids, and the generator that keeps time-ordered ids increasing.
//! - [`time`]: [`Timestamp`] and the [`Clock`] that callers pass in.
//! - [`text`]: handles, e-mail addresses, names, posts and passwords as validated types.
//! - [`user`], [`post`], [`comment`], [`notification`], [`counts`]: data to read and show. [`inbox`]: stored
//!   notifications and the number of unread ones.
//! - [`erasure`]: targets of erasure. [`task`]: work that continues from a cursor.
//! - [`user_range`]: ranges of user ids, read in parallel.
//! - [`network`]: the network of a client. [`user_agent`]: the program that began a session.
//! - [`media`]: pictures of posts and profiles.
//! - [`export`]: everything stored about a user.
//! - [`page`]: page sizes and pages.
//! - [`random`]: nonces and secrets.

pub mod comment;
pub mod counts;
pub mod erasure;
pub mod export;
pub mod ids;
pub mod inbox;
pub mod limits;
pub mod media;
pub mod network;
pub mod notification;
pub mod page;
pub mod post;
pub mod random;
pub mod rule;
pub mod task;
pub mod text;
pub mod time;
pub mod user;
pub mod user_agent;
pub mod user_range;

pub use comment::{Comment, CommentView};
pub use counts::{PostCounts, UserCounts};
pub use erasure::Erasable;
pub use export::{ExportItem, ExportKind, ExportPlace, ExportPosition, NotifiedAct, Other};
pub use ids::{CommentId, IdGenerator, InvalidId, MediaId, NotificationId, PostId, SessionId, UserId};
pub use inbox::{Inbox, InboxEntry, Recount, Scan};
pub use media::{Attachment, Avatar, Media, MediaState, MediaToken, MediaType, Picture, PictureSize, PostMedia};
pub use network::ClientNetwork;
pub use notification::{Act, ActKind, Notification, NotificationView};
pub use page::{Page, PageLimit};
pub use post::{Post, PostView};
pub use rule::Rule;
pub use task::{ReactionCursor, Task};
pub use text::{Bio, CommentText, DisplayName, Email, Handle, Invalid, MediaDescription, Password, PostText};
pub use time::{Clock, Timestamp};
pub use user::{Profile, ProfileView, Relation, User, UserRef};
pub use user_agent::UserAgent;
pub use user_range::UserRange;

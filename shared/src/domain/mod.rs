//! What Tweeter is about, in plain values: no storage, no transport, no clock of its own.
//!
//! - [`ids`]: user and post ids, and the generator that keeps post ids in order.
//! - [`time`]: [`Timestamp`] and the [`Clock`] that callers pass in.
//! - [`text`]: handles, e-mail addresses, names, posts and passwords; a value of these types has been checked.
//! - [`user`], [`post`]: what is read and shown.
//! - [`page`]: page sizes and pages.

pub mod ids;
pub mod page;
pub mod post;
pub mod text;
pub mod time;
pub mod user;

pub use ids::{IdGenerator, InvalidId, PostId, UserId};
pub use page::{Page, PageLimit};
pub use post::{Post, PostView};
pub use text::{DisplayName, Email, Handle, Invalid, Password, PostText};
pub use time::{Clock, Timestamp};
pub use user::{Profile, ProfileView, Relation, User, UserRef};

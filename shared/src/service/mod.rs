//! The rules. A service never sees an SDK, HTTP, the environment or the wall clock: time comes as an argument.
//!
//! - [`accounts`]: registering, logging in, profiles; with [`passwords`], [`sessions`] and [`tokens`].
//! - [`graph`]: who follows whom.
//! - [`posts`]: publishing, one post, a story.
//! - [`feeds`]: a reader's feed.
//! - [`likes`], [`comments`]: what people make of a post.
//! - [`views`]: posts as one reader sees them.
//! - [`pages`]: filling a page where some entries are dead.
//! - [`fan_out`]: from PostQ to JobQ, page by page of followers.
//! - [`delivery`]: from JobQ into feeds.
//! - [`changes`]: from the stream of changes to counts and notifications.
//! - [`sweep`]: what a lost message or a crash left in the outbox.

pub mod accounts;
pub mod changes;
pub mod comments;
pub mod delivery;
mod error;
pub mod fan_out;
pub mod feeds;
pub mod graph;
pub mod likes;
pub mod pages;
pub mod passwords;
pub mod posts;
pub mod sessions;
pub mod sweep;
pub mod tokens;
pub mod views;

pub use error::ServiceError;

//! The rules. A service never sees an SDK, HTTP, the environment or the wall clock: time comes as an argument.
//!
//! - [`accounts`]: registering, logging in, profiles; with [`passwords`], [`sessions`] and [`tokens`].
//! - [`liveness`]: whether the user of a token still has an account.
//! - [`graph`]: who follows whom; with [`backfill`], which copies a followee's newest posts into a feed.
//! - [`posts`]: publishing, one post, a story.
//! - [`feeds`]: a reader's feed; [`visibility`]: whether it shows a post; [`coverage`]: how far down it is complete;
//!   [`rebuild`]: completes it from stories.
//! - [`likes`], [`comments`]: reactions to a post.
//! - [`views`]: posts as one reader sees them, cached for a moment.
//! - [`background`]: work that no answer waits for.
//! - [`pages`]: filling a page although some entries are dead.
//! - [`fan_out`]: from PostQ to JobQ, in parallel ranges of followers.
//! - [`activity`]: which followers are active, and which are dormant.
//! - [`delivery`]: from JobQ into feeds.
//! - [`promotion`]: when an author's posts are merged into feeds instead; with [`stories`], their cached newest posts, and
//!   [`merge`], which makes one page of several lists.
//! - [`media`]: pictures, from the upload to the place that shows them.
//! - [`changes`]: from the change stream to counts and notifications; with [`inbox`].
//! - [`notifications`]: a user's notifications. [`steps`]: the amount of notification work per step.
//! - [`erasure`]: permanent erasure.
//! - [`live`]: live events for connected users.
//! - [`rates`]: rate limits.
//! - [`export`]: all data stored about a user.
//! - [`sweep`]: work left unfinished by a lost message or a crash.
//! - [`timekeeper`]: clock state kept across restarts; with [`safe_time`], the time that governs removals.
//! - [`services`]: builds all services of the API.

pub mod accounts;
pub mod activity;
pub mod backfill;
pub mod background;
pub mod changes;
pub mod comments;
mod conflict_retry;
pub mod coverage;
pub mod delivery;
pub mod erasure;
mod error;
pub mod export;
pub mod fan_out;
pub mod feeds;
pub mod graph;
pub mod inbox;
pub mod likes;
pub mod live;
pub mod liveness;
pub mod media;
pub mod merge;
pub mod notifications;
pub mod pages;
pub mod passwords;
pub mod posts;
pub mod promotion;
pub mod rates;
pub mod rebuild;
mod recent;
pub mod safe_time;
pub mod services;
pub mod sessions;
pub mod steps;
pub mod stories;
pub mod sweep;
pub mod timekeeper;
mod token_signature;
pub mod tokens;
mod user_refs;
pub mod views;
pub mod visibility;

pub use error::ServiceError;
pub use services::{Foundation, ServiceOptions, Services};

#[cfg(test)]
#[path = "../tests/it/main.rs"]
mod it;

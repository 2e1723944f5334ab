//! Tweeter in one process: the API, the workers, metrics and operator commands over one embedded database, or over
//! DynamoDB and SQS (feature `aws`).
//!
//! ```text
//! HTTP ─▶ status-api's router ─▶ services ─▶ EmbeddedStore ┐
//!                                   └──────▶ EmbeddedQueue ┴─▶ one database in the data directory
//! PostQ ─▶ event source ─▶ follow-fetcher ─▶ JobQ ─▶ event source ─▶ job-handler
//! log of changes ─▶ change reader ─▶ stream-handler
//! tweeter queues, dlq ─▶ tweeter.sock (or the database itself) ─▶ operator ─▶ Queue
//! ```
//!
//! In reading order:
//! - [`cli`], [`store_args`], [`config`]: what can be set, read once.
//! - [`application`]: build and run the whole; `parts` are its tasks. [`test_hooks`]: where tests reach in.
//! - `backend`: what it stands on, and all by which the two stores differ; `aws`: DynamoDB and SQS.
//! - [`services`]: what the process works with, for seeding and looking at.
//! - [`event_source`]: what a Lambda mapping does, from a queue to a handler.
//! - [`change_reader`]: what the mapping of a change stream does.
//! - [`schedule`]: what comes round. `reclaim`: what a start takes over. `eraser`: erases for good what is due.
//! - [`http_server`], [`metrics`]: what is served; [`descriptors`] bounds by how many connections.
//! - [`data_dir`], [`secret`]: what is kept. [`backup`], [`restore`]: its copy, and back.
//! - [`commands`]: what operators type, as [`operator`] questions over a [`socket`]; [`dead_letters`] and
//!   [`recount`] answer them.
//!   [`setup`]: makes tables and queues.
//! - [`error`]: why the process does not start, and why it ends.

pub mod application;
#[cfg(feature = "aws")]
pub mod aws;
mod backend;
pub mod backup;
pub mod change_reader;
pub mod cli;
pub mod commands;
pub mod config;
pub mod data_dir;
pub mod dead_letters;
pub mod descriptors;
mod eraser;
pub mod error;
pub mod event_source;
pub mod http_server;
mod json;
mod layout;
pub mod metrics;
pub mod operator;
mod parts;
mod progress;
mod reclaim;
pub mod recount;
pub mod restore;
pub mod schedule;
pub mod secret;
pub mod services;
pub mod setup;
pub mod socket;
pub mod store_args;
mod table;
pub mod test_hooks;

pub use application::{Application, Handle};
pub use config::{Config, DataDir, Stores};
pub use test_hooks::TestHooks;

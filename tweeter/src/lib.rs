//! Tweeter in one process: the API, the workers, metrics and operator commands over one embedded database, or over
//! DynamoDB and SQS (feature `aws`).
//!
//! ```text
//! HTTP ─▶ object routes ─▶ EmbeddedBlobs: files in the data directory
//! HTTP ─▶ status-api's router ─▶ services ─▶ EmbeddedStore ┐
//!                                   └──────▶ EmbeddedQueue ┴─▶ one database in the data directory
//! PostQ ─▶ event source ─▶ follow-fetcher ─▶ JobQ ─▶ event source ─▶ job-handler
//! change log ─▶ change reader ─▶ stream-handler
//! tweeter queues, dlq ─▶ tweeter.sock (or the database itself) ─▶ operator ─▶ Queue
//! ```
//!
//! In reading order:
//! - [`cli`], [`store_args`], [`config`]: the configuration, read once.
//! - [`application`]: builds and runs the process; `parts` are its tasks. [`test_hooks`]: extension points for tests.
//! - `backend`: the stores, and all differences between the two kinds; `aws`: DynamoDB and SQS.
//! - [`services`]: the services of the process, also used by tests to seed and inspect data.
//! - [`event_source`]: delivers a queue to a handler, as a Lambda mapping does.
//! - [`change_reader`]: delivers changes to their handler, as the mapping of a change stream does.
//! - [`schedule`]: periodic work. `reclaim`: fan-outs that a start resumes. `eraser`: erases data permanently when due.
//! - [`http_server`], [`metrics`]: the HTTP servers; [`descriptors`] bounds their connections.
//! - [`object_routes`]: uploads and pictures.
//! - [`web`]: the web client, served beside the API.
//! - [`data_dir`], [`secret`]: persistent files. [`backup`], [`restore`]: their backup.
//! - [`commands`]: the operator's commands, sent as [`operator`] requests over a [`socket`]; [`dead_letters`],
//!   [`recount`] and [`verify`] answer them. [`setup`]: creates tables and queues.
//! - [`demo`]: a populated service for a first look.
//! - [`error`]: errors of starting and running.

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
pub mod demo;
pub mod descriptors;
mod eraser;
pub mod error;
pub mod event_source;
pub mod http_server;
mod json;
mod layout;
pub mod metrics;
pub mod object_routes;
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
pub mod verify;
pub mod web;

pub use application::{Application, Handle};
pub use config::{Config, DataDir, Stores};
pub use test_hooks::TestHooks;

//! Everything the handlers of Tweeter have in common: the domain, the ports to storage and queues with their two adapters,
//! the data access objects, the services and the HTTP conventions.
//!
//! ```text
//! presenter (post-handler, status-api) ─▶ service ─▶ dao ─▶ Store ─▶ embedded | aws
//!                                            └─────────────▶ Queue ─▶ embedded | aws
//! ```
//!
//! In reading order:
//! - [`domain`]: ids, times, validated text, users, posts, pages. Imports nothing of ours and no AWS, axum or Lambda crate.
//! - [`limits`]: every service limit and product limit, each with its source.
//! - [`store`], [`queue`] and [`changes`]: the ports, shaped by what DynamoDB, SQS and DynamoDB Streams really offer.
//! - [`keys`]: the only place where a table's keys are built.
//! - [`dao`]: one per kind of data, named by access pattern.
//! - [`messages`]: what travels on the queues, tagged and versioned.
//! - [`live`]: who is connected to this process, and what waits to be told.
//! - [`service`]: the rules.
//! - [`batch`]: the driver that every queue handler shares.
//! - `http` (feature): extractors, problem documents and middleware of the two HTTP crates.
//! - `embedded` (feature): one fjall database under both ports.
//! - `aws` (feature): DynamoDB and SQS under both ports.
//! - [`telemetry`]: logging set-up and the names of every metric.

#[cfg(feature = "aws")]
pub mod aws;
pub mod batch;
pub mod changes;
pub mod dao;
pub mod domain;
#[cfg(feature = "embedded")]
pub mod embedded;
#[cfg(feature = "http")]
pub mod http;
pub mod keys;
pub mod limits;
pub mod live;
pub mod messages;
pub mod queue;
pub mod service;
pub mod store;
pub mod telemetry;

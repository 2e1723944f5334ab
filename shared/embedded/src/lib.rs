//! The embedded home: one fjall database under both ports, durable, in one process.
//!
//! ```text
//! Store ─▶ EmbeddedStore ─┐
//!                         ├─▶ Engine ─▶ worker pools ─▶ fjall: one journal for tables and queues
//! Queue ─▶ EmbeddedQueue ─┤       └──▶ syncer (one thread): one fsync for all who wait
//! ChangeLog ─▶ EmbeddedChanges
//! ```
//!
//! In reading order:
//! - [`engine`]: opening and closing the database, waiting for durability. `options`: how; `open_error`: why not.
//! - [`database`]: the keyspaces, batches and commits.
//! - `failure`: why the engine did not do what was asked, in the terms of both ports.
//! - [`codec`]: items as bytes.
//! - `inspection`: what is missing of a database, before it is opened. `manifest`: what it must consist of.
//! - `journal_files`: names of journals. `journal_scan`: how far a journal holds whole batches.
//! - [`copy`]: a copy of an open database as it is at one instant.
//! - `fail_stop`: ending the process when the disk fails.
//! - `stripes`: the mutexes that isolate conditional writes.
//! - `worker_pools`: the threads that call fjall, so that async threads never do.
//! - `syncer`: shares one fsync between all who wait.
//! - [`journal`]: how far the journal is synced; cutting it there, for tests of power loss.
//! - [`store`]: tables, one keyspace each, and the expiry index.
//! - [`changes`]: the log of changes, written in the same batches as they are.
//! - [`queue`]: queues; rows for durability, order and in-flight state in memory.
//!
//! **Order is durability.** Tables and queues share one journal, and commits reach it one after another. What survives
//! a loss of power is a prefix of the commits. So a message deleted after its work was written can never be gone while
//! the work is lost, although neither waits for an fsync.

pub mod changes;
pub mod codec;
pub mod copy;
pub mod database;
pub mod engine;
mod fail_stop;
mod failure;
mod inspection;
pub mod journal;
mod journal_files;
mod journal_scan;
pub mod manifest;
mod open_error;
mod options;
pub mod queue;
pub mod store;
mod stripes;
mod syncer;
mod worker_pools;

pub use changes::EmbeddedChanges;
pub use engine::Engine;
pub use journal::cut_to_last_sync;
pub use open_error::{Damage, OpenError};
pub use options::EngineOptions;
pub use queue::{EmbeddedQueue, QueueSettingsOf, StoredMessage};
pub use store::EmbeddedStore;
pub use syncer::SyncHooks;

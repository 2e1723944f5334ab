//! The embedded backend: the ports on one fjall database and a folder of files, durable, in one process.
//!
//! ```text
//! Store ─▶ EmbeddedStore ─┐
//!                         ├─▶ Engine ─▶ worker pools ─▶ fjall: one journal for tables and queues
//! Queue ─▶ EmbeddedQueue ─┤       └──▶ syncer (one thread): one fsync for all waiters
//! ChangeLog ─▶ EmbeddedChanges
//! Blobs ─▶ EmbeddedBlobs ─▶ one file per object
//! ```
//!
//! In reading order:
//! - [`engine`]: opening and closing the database, committing, waiting for durability.
//! - `failure`: errors of the engine, and their conversion to those of the ports.
//! - [`codec`]: items as bytes.
//! - `inspection`: checks a database for damage before it is opened. `manifest`: the record of its parts.
//! - `journal_scan`: finds the whole batches of a journal.
//! - [`copy`]: copies an open database as of one instant.
//! - `fail_stop`: ends the process when the disk fails.
//! - `stripes`: the mutexes that isolate conditional writes.
//! - `worker_pools`: the threads that call fjall, so that async threads never do.
//! - `syncer`: one fsync for all concurrent waiters.
//! - [`journal`]: syncs the journal and records how far; truncates it there, for tests of power loss.
//! - [`store`]: tables, one keyspace each, and the expiry index.
//! - [`changes`]: the change log, written in the same batches as the changes.
//! - [`queue`]: queues, with rows on disk, and order and in-flight state in memory.
//! - [`blobs`]: object storage in files, signed uploads, and their backup.
//!
//! **Order instead of fsync.** Tables and queues share one journal, which commits reach one after another, so a prefix
//! of the commits survives a power loss. If the deletion of a message survives, the work written before it survives as
//! well, although neither waits for an fsync.

pub mod blobs;
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

pub use blobs::{BlobOptions, EmbeddedBlobs};
pub use changes::EmbeddedChanges;
pub use engine::Engine;
pub use journal::cut_to_last_sync;
pub use open_error::{Damage, OpenError};
pub use options::EngineOptions;
pub use queue::{EmbeddedQueue, QueueSettingsOf, StoredMessage};
pub use store::EmbeddedStore;
pub use syncer::SyncHooks;

#[cfg(test)]
extern crate self as embedded;
#[cfg(test)]
#[path = "../tests/it/main.rs"]
mod it;

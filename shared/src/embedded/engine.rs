//! Opening and closing the database, committing to it, waiting for durability.

#[cfg(unix)]
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    thread::JoinHandle,
};

use fjall::{
    AbstractTree as _, Database, DatabaseBuilder, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, compaction::Leveled,
};
use parking_lot::Mutex;

use super::{
    changes::{ChangeRows, Noted},
    failure::Failure,
    lanes::{Lane, Lanes},
    store::expiry::ExpiryMark,
    stripes::Stripes,
    syncer::{Syncer, Syncs},
};
use crate::{domain::Clock, store::Table};

/// Memory for blocks read from disk. Feed pages read the newest entries, which are mostly still in a memtable.
const CACHE_BYTES: u64 = 16 * 1024 * 1024;
/// A memtable is written out beyond this, as fjall counts it. Writes stall when four wait for it, so 5 x this is the most
/// a keyspace holds.
///
/// Measured (a fan-out to a million feeds, 2 busy cores, resident memory at its peak, client included, in several runs):
/// with 16 MiB written out when fjall's threads come to it 250-700 MB, with 16 MiB at once 240-330 MB, with 8 MiB
/// 195-276 MB, all at the same processor time.
const MEMTABLE_BYTES: u64 = 8 * 1024 * 1024;
/// Tables written out of memory before they are merged into the next level: each merge rewrites much of that level, so
/// 8 small ones cost as much as fjall's 4 of twice the size.
const UNMERGED_TABLES: u8 = 8;
/// When syncs are recorded nothing is written out: only then is the journal alone what a loss of power leaves.
const RECORDING_MEMTABLE_BYTES: u64 = 1024 * 1024 * 1024;
/// Beyond this fjall writes out what keeps the oldest journal: bounds the disk used and what a restart must read.
const MAX_JOURNAL_BYTES: u64 = 128 * 1024 * 1024;
/// One flushes while the other compacts.
const FJALL_THREADS: usize = 2;
/// What the owner may do in the database's folder, and nobody else.
#[cfg(unix)]
const OWNER_ONLY: u32 = 0o700;

/// What the syncer calls out to.
#[derive(Clone)]
pub struct SyncHooks {
    /// Called before each sync; an error counts as a failed sync. For tests.
    pub before: Arc<dyn Fn() -> io::Result<()> + Send + Sync>,
    /// Called when a sync or a commit has failed. By default says so on stderr and ends the process with code 70:
    /// nobody can know then what the disk holds, and a restart reads it anew.
    pub failed: Arc<dyn Fn(&io::Error) + Send + Sync>,
}

impl Default for SyncHooks {
    fn default() -> Self {
        Self { before: Arc::new(|| Ok(())), failed: Arc::new(end_process) }
    }
}

impl fmt::Debug for SyncHooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SyncHooks")
    }
}

/// The exit code after a failed sync: `EX_SOFTWARE` of sysexits, unlike 2 for a bad start.
const FAILED_SYNC_EXIT_CODE: i32 = 70;

fn end_process(error: &io::Error) {
    eprintln!("error: the database cannot be written to disk ({error}); ending, as nothing can be promised any more");
    std::process::exit(FAILED_SYNC_EXIT_CODE);
}

/// How to open the engine.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// The database's folder; made when it is not there, and closed to everybody but its owner (on Unix).
    pub path: PathBuf,
    /// Where delays, visibility timeouts and message ages take the time from.
    pub clock: Clock,
    /// Whether to note after each sync how far the journal is synced, for [`super::cut_to_last_sync`]. For tests:
    /// memory then holds everything written since the start.
    pub record_syncs: bool,
    /// What to do before a sync and after a failed one.
    pub sync_hooks: SyncHooks,
    /// Whether changes of streamed items are logged. Without a reader the log grows; whoever wants no counts and no
    /// notifications, such as a load test of the bare fan-out, leaves it out.
    pub log_changes: bool,
}

impl EngineOptions {
    /// A database at `path`, on the system's clock, logging changes, recording no syncs, ending the process when one
    /// fails.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            clock: Clock::System,
            record_syncs: false,
            sync_hooks: SyncHooks::default(),
            log_changes: true,
        }
    }
}

/// Why the engine did not open. Displays as one line that an operator can act on.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("the database in {} is in use by another process", .0.display())]
    Locked(PathBuf),
    /// The folder cannot be made, read or written.
    #[error("the database folder {} cannot be used: {}", .0.display(), .1)]
    Unwritable(PathBuf, #[source] io::Error),
    /// What is in the folder is not a database of this version.
    #[error("the database in {} cannot be read: {}", .0.display(), .1)]
    Corrupt(PathBuf, #[source] Box<dyn std::error::Error + Send + Sync>),
}

impl OpenError {
    fn of(path: &Path, error: fjall::Error) -> Self {
        match error {
            fjall::Error::Locked => Self::Locked(path.to_owned()),
            fjall::Error::Io(error) | fjall::Error::Storage(fjall::LsmError::Io(error)) => Self::of_io(path, error),
            other => Self::Corrupt(path.to_owned(), other.into()),
        }
    }

    fn of_failure(path: &Path, failure: Failure) -> Self {
        match failure {
            Failure::Database(error) => Self::of(path, error),
            other => Self::Corrupt(path.to_owned(), other.into()),
        }
    }

    fn of_io(path: &Path, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => Self::Corrupt(path.to_owned(), error.into()),
            _ => Self::Unwritable(path.to_owned(), error),
        }
    }
}

/// The database and what guards it: all that the lanes' threads need.
pub(super) struct Shared {
    database: Database,
    tables: [Keyspace; Table::ALL.len()],
    /// Rows by which expired items are found: see [`super::store`].
    pub expiry: Keyspace,
    /// Before which there are none.
    pub expiry_mark: ExpiryMark,
    /// Messages: see [`super::queue`].
    pub messages: Keyspace,
    /// How often messages were received.
    pub receives: Keyspace,
    /// The log of changes: see [`super::changes`].
    pub changes: ChangeRows,
    pub stripes: Stripes,
    syncs: Arc<Syncs>,
    hooks: SyncHooks,
    memtable_bytes: u64,
    sealing: Mutex<()>,
    /// Commits wait while a test holds this.
    #[cfg(test)]
    pub stall: Mutex<()>,
}

impl Shared {
    /// The keyspace of a table.
    pub fn table(&self, table: Table) -> &Keyspace {
        match table {
            Table::Auth => &self.tables[0],
            Table::Social => &self.tables[1],
            Table::Feed => &self.tables[2],
        }
    }

    /// A batch to fill. Committed, it is with the operating system: it survives the end of the process.
    pub fn batch(&self) -> OwnedWriteBatch {
        self.database.batch()
    }

    /// A view of everything committed so far.
    pub fn snapshot(&self) -> fjall::Snapshot {
        self.database.snapshot()
    }

    /// Commits. An error is the end: fjall takes no more writes after one, as it cannot know what the file holds.
    pub fn commit(&self, batch: OwnedWriteBatch) -> Result<(), Failure> {
        if batch.is_empty() {
            return Ok(());
        }
        #[cfg(test)]
        drop(self.stall.lock());
        match batch.commit() {
            Ok(()) => self.syncs.committed(),
            Err(error) => {
                (self.hooks.failed)(&io::Error::other(error.to_string()));
                return Err(error.into());
            }
        }
        self.seal_large_memtables();
        Ok(())
    }

    /// Commits, with rows in the log for the changes that the batch makes to streamed items.
    pub fn commit_with(&self, batch: OwnedWriteBatch, changes: &[Noted]) -> Result<(), Failure> {
        if changes.is_empty() {
            return self.commit(batch);
        }
        self.changes.commit(batch, changes, |batch| self.commit(batch))
    }

    /// Hands memtables over that are large enough to be written out, at once.
    ///
    /// fjall by itself sends its threads a message for each commit to a large memtable. While they are busy compacting
    /// the memtable grows without bound, as what holds writes up counts only those handed over; and when the messages
    /// fill their channel (1,000), both threads may wait for room that only they can make.
    fn seal_large_memtables(&self) {
        // Who comes while another is at it has nothing to do.
        let Some(_sealing) = self.sealing.try_lock() else { return };
        let others = [&self.expiry, &self.messages, &self.receives, &self.changes.keyspace];
        for keyspace in self.tables.iter().chain(others) {
            if keyspace.tree.active_memtable().size() > self.memtable_bytes
                && let Err(error) = keyspace.rotate_memtable()
            {
                (self.hooks.failed)(&io::Error::other(error.to_string()));
            }
        }
    }
}

/// One open database. Clones are the same engine; it closes with the last of them.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    path: PathBuf,
    clock: Clock,
    shared: Arc<Shared>,
    lanes: Lanes,
    syncs: Arc<Syncs>,
    syncer: Mutex<Option<JoinHandle<()>>>,
}

impl Engine {
    /// Opens the database, makes it when there is none, and starts its threads.
    ///
    /// # Errors
    /// See [`OpenError`].
    #[expect(clippy::needless_pass_by_value, reason = "the options are used up: an engine is opened once")]
    pub fn open(options: EngineOptions) -> Result<Self, OpenError> {
        let path = options.path.clone();
        make_private(&path).map_err(|error| OpenError::Unwritable(path.clone(), error))?;
        let syncs = Arc::new(Syncs::new());
        let shared = open_database(&options, &syncs).map_err(|error| OpenError::of_failure(&path, error))?;
        let unwritable = |error| OpenError::Unwritable(path.clone(), error);
        let lanes = Lanes::start().map_err(unwritable)?;
        let database = shared.database.clone();
        let inner = Inner {
            path: options.path.clone(),
            clock: options.clock.clone(),
            shared: Arc::new(shared),
            lanes,
            syncs: Arc::clone(&syncs),
            syncer: Mutex::new(None),
        };
        *inner.syncer.lock() = Some(Syncer::start(syncs, database, &options).map_err(unwritable)?);
        Ok(Self(Arc::new(inner)))
    }

    /// Syncs of the journal done so far.
    pub fn sync_count(&self) -> u64 {
        self.0.syncs.count()
    }

    /// Finishes what was begun, syncs a last time and ends the threads. Every later call fails as unavailable. The
    /// folder is free for another process when the last clone is dropped.
    pub fn close(&self) {
        self.0.close();
    }

    pub(super) fn path(&self) -> &Path {
        &self.0.path
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.0.shared
    }

    /// Does `work` on a thread of the lane.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        lane: Lane,
        work: impl FnOnce(&Shared) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let shared = Arc::clone(&self.0.shared);
        self.0.lanes.run(lane, move || work(&shared)).await?
    }

    /// Returns when everything committed before the call survives a loss of power.
    pub(super) async fn durable(&self) -> Result<(), Failure> {
        self.0.syncs.durable().await
    }
}

impl Inner {
    fn close(&self) {
        self.lanes.close();
        self.syncs.close();
        if let Some(syncer) = self.syncer.lock().take() {
            // A panic of that thread has been printed; there is nobody left to tell.
            let _ = syncer.join();
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("path", &self.0.path).finish_non_exhaustive()
    }
}

/// The database as the engine sets it up. Apart from the engine only what compares itself to it needs this.
pub fn database_builder(path: &Path) -> DatabaseBuilder<Database> {
    Database::builder(path).cache_size(CACHE_BYTES).max_journaling_size(MAX_JOURNAL_BYTES).worker_threads(FJALL_THREADS)
}

/// A keyspace as the engine sets it up.
pub fn keyspace_options() -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default()
        .max_memtable_size(MEMTABLE_BYTES)
        .compaction_strategy(Arc::new(Leveled::default().with_l0_threshold(UNMERGED_TABLES)))
}

fn open_database(options: &EngineOptions, syncs: &Arc<Syncs>) -> Result<Shared, Failure> {
    let database = database_builder(&options.path).open()?;
    let memtable_bytes = if options.record_syncs { RECORDING_MEMTABLE_BYTES } else { MEMTABLE_BYTES };
    // fjall's own limit is never reached: see `Shared::seal_large_memtables`.
    let keyspace = |name: &str| database.keyspace(name, || keyspace_options().max_memtable_size(4 * memtable_bytes));
    Ok(Shared {
        tables: [keyspace(Table::Auth.name())?, keyspace(Table::Social.name())?, keyspace(Table::Feed.name())?],
        expiry: keyspace("expiry")?,
        expiry_mark: ExpiryMark::new(),
        messages: keyspace("messages")?,
        receives: keyspace("receives")?,
        changes: ChangeRows::open(&database, keyspace("changes")?, options.clock.clone(), options.log_changes)?,
        stripes: Stripes::new(),
        syncs: Arc::clone(syncs),
        hooks: options.sync_hooks.clone(),
        memtable_bytes,
        sealing: Mutex::default(),
        #[cfg(test)]
        stall: Mutex::default(),
        database,
    })
}

/// Makes the folder, for its owner alone: it holds password hashes and keys. One that others may enter, because an
/// operator or an earlier version made it, is closed to them; what lies in it needs no rights of its own then.
fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    builder.mode(OWNER_ONLY);
    builder.create(folder)?;
    #[cfg(unix)]
    if fs::metadata(folder)?.permissions().mode() & 0o777 != OWNER_ONLY {
        fs::set_permissions(folder, fs::Permissions::from_mode(OWNER_ONLY))?;
    }
    Ok(())
}

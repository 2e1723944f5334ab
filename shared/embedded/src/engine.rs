//! Opening and closing the database, committing to it, waiting for durability.

#[cfg(unix)]
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::{
    collections::BTreeMap,
    fmt,
    fs::{self, File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use fjall::{
    AbstractTree as _, Database, DatabaseBuilder, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, compaction::Leveled,
};
use parking_lot::Mutex;

use super::{
    changes::{ChangeRows, Noted},
    fail_stop::end_process,
    failure::Failure,
    inspection::{self, Damage, Known},
    journal::Journal,
    manifest::{MANIFEST, Record},
    store::expiry::ExpiryMark,
    stripes::Stripes,
    syncer::{Syncer, Syncs},
    worker_pools::{Pool, WorkerPools},
};
use domain::Clock;
use ports::store::Table;

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
/// Tries to take the locks, and the time between two: as patient as fjall is with its own.
const LOCK_TRIES: usize = 3;
const LOCK_PAUSE: Duration = Duration::from_millis(100);
/// What the owner may do in the database's folder, and nobody else.
#[cfg(unix)]
const OWNER_ONLY: u32 = 0o700;

/// What the syncer calls out to.
#[derive(Clone)]
pub struct SyncHooks {
    /// Called before each sync; an error counts as a failed sync. For tests.
    pub before: Arc<dyn Fn() -> io::Result<()> + Send + Sync>,
    /// Called when a sync or a commit has failed. By default reports it on standard error and ends the process with
    /// code 70: what the disk holds is unknown then, and a restart reads it again.
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

/// How to open the engine.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// The database's folder; made when it is not there, and closed to everybody but its owner (on Unix).
    pub path: PathBuf,
    /// The file that says what the database consists of: see `manifest`. Outside of the folder it also tells when the
    /// whole folder is missing.
    pub manifest: PathBuf,
    /// Whether to open a damaged database without what is missing. Files that cannot be used are moved to `damaged-N` in
    /// its folder, and what is skipped is logged.
    pub accept_data_loss: bool,
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
        let path = path.into();
        Self {
            manifest: path.join(MANIFEST),
            path,
            accept_data_loss: false,
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
    #[error("the database in {} cannot be read: {}; restore a backup with `tweeter restore`, or start with --accept-data-loss to go on without what cannot be read", .0.display(), .1)]
    Corrupt(PathBuf, #[source] Box<dyn std::error::Error + Send + Sync>),
    /// Parts of it are missing or cannot be read. Nothing was changed.
    #[error(
        "the database in {} is damaged: {}; restore a backup with `tweeter restore`, or start with --accept-data-loss to \
         go on without what is missing",
        .0.display(), list(.1)
    )]
    Damaged(PathBuf, Vec<Damage>),
}

/// The first of them, and how many more there are.
fn list(damage: &[Damage]) -> String {
    match damage {
        [] => String::new(),
        [only] => only.to_string(),
        [first, more @ ..] => format!("{first}, and {} more", more.len()),
    }
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

    /// The folder is there by now, so what is not found is a part of the database.
    pub(super) fn of_io(path: &Path, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::InvalidData
            | io::ErrorKind::InvalidInput
            | io::ErrorKind::UnexpectedEof
            | io::ErrorKind::NotFound => Self::Corrupt(path.to_owned(), error.into()),
            _ => Self::Unwritable(path.to_owned(), error),
        }
    }
}

/// The database and what guards it: all that the worker threads need.
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
    /// Held as long as the database is open, also while it is inspected before that.
    _lock: File,
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

    /// Every keyspace there is.
    pub fn keyspaces(&self) -> Result<Vec<Keyspace>, Failure> {
        let names = self.database.list_keyspace_names();
        names.iter().map(|name| Ok(self.database.keyspace(name, keyspace_options)?)).collect()
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
    pools: WorkerPools,
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
        let lock = take_lock(&path)?;
        let known = inspection::inspect(&path, &options.manifest, options.accept_data_loss)?;
        let syncs = Arc::new(Syncs::new());
        let shared = open_database(&options, &syncs, lock).map_err(|error| OpenError::of_failure(&path, error))?;
        let unwritable = |error| OpenError::Unwritable(path.clone(), error);
        let journal = Journal::open(&path).map_err(unwritable)?;
        let (journal, record) = start_record(&options, &shared, journal, known)?;
        let pools = WorkerPools::start().map_err(unwritable)?;
        let database = shared.database.clone();
        let inner = Inner {
            path: options.path.clone(),
            clock: options.clock.clone(),
            shared: Arc::new(shared),
            pools,
            syncs: Arc::clone(&syncs),
            syncer: Mutex::new(None),
        };
        *inner.syncer.lock() = Some(Syncer::start(syncs, database, &options, journal, record).map_err(unwritable)?);
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

    /// Does `work` on a thread of the pool.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        pool: Pool,
        work: impl FnOnce(&Shared) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let shared = Arc::clone(&self.0.shared);
        self.0.pools.run(pool, move || work(&shared)).await?
    }

    /// Returns when everything committed before the call survives a loss of power.
    pub(super) async fn durable(&self) -> Result<(), Failure> {
        self.0.syncs.durable().await
    }
}

impl Inner {
    fn close(&self) {
        self.pools.close();
        self.syncs.close();
        if let Some(syncer) = self.syncer.lock().take() {
            // A panic of that thread was reported as a failed sync.
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

/// A keyspace as this engine makes it. fjall's own limit is never reached: see `Shared::seal_large_memtables`.
pub(super) fn own_keyspace_options() -> KeyspaceCreateOptions {
    keyspace_options().max_memtable_size(4 * MEMTABLE_BYTES)
}

/// Writes down what the database consists of now that it is open.
fn start_record(
    options: &EngineOptions,
    shared: &Shared,
    mut journal: Journal,
    known: Known,
) -> Result<(Journal, Record), OpenError> {
    let keyspaces = shared.keyspaces().map_err(|error| OpenError::of_failure(&options.path, error))?;
    let numbers: BTreeMap<_, _> = keyspaces.iter().map(|it| (it.name().to_string(), it.id())).collect();
    journal.resume(known.batches(journal.number()));
    let manifest = known.into_manifest(numbers, journal.number());
    let record = Record::start(manifest, options.manifest.clone(), &options.path);
    record.map(|record| (journal, record)).map_err(|error| OpenError::Unwritable(options.manifest.clone(), error))
}

/// Takes the lock of a database's folder until the value is dropped, and finds fjall's own free: an earlier version
/// holds that alone.
///
/// # Errors
/// `Locked` when a process has the database open, `Unwritable` when the folder cannot be used.
pub fn take_lock(path: &Path) -> Result<File, OpenError> {
    let unwritable = |error| OpenError::Unwritable(path.to_owned(), error);
    let [fjalls, ours] = inspection::LOCKS.map(|name| path.join(name));
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(ours).map_err(unwritable)?;
    for tries in 1.. {
        let taken = file.try_lock().and_then(|()| match File::open(&fjalls) {
            Ok(lock) => lock.try_lock(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(TryLockError::Error(error)),
        });
        match taken {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) if tries < LOCK_TRIES => thread::sleep(LOCK_PAUSE),
            Err(TryLockError::WouldBlock) => return Err(OpenError::Locked(path.to_owned())),
            Err(TryLockError::Error(error)) => return Err(unwritable(error)),
        }
    }
    Ok(file)
}

fn open_database(options: &EngineOptions, syncs: &Arc<Syncs>, lock: File) -> Result<Shared, Failure> {
    let database = database_builder(&options.path).open()?;
    let memtable_bytes = if options.record_syncs { RECORDING_MEMTABLE_BYTES } else { MEMTABLE_BYTES };
    let keyspace =
        |name: &str| database.keyspace(name, || own_keyspace_options().max_memtable_size(4 * memtable_bytes));
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
        _lock: lock,
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

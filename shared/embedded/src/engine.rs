//! Opens and closes the database, runs work on its threads, and waits for durability.

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

use parking_lot::Mutex;

use super::{
    database::Database,
    failure::Failure,
    inspection::{self, Known},
    journal::Journal,
    manifest::Record,
    open_error::OpenError,
    options::EngineOptions,
    syncer::{Syncer, Syncs},
    worker_pools::{Lane, WorkerPools},
};
use domain::Clock;

/// Attempts to take the locks, and the pause between two: as patient as fjall is with its own.
const LOCK_TRIES: usize = 3;
const LOCK_PAUSE: Duration = Duration::from_millis(100);
/// Mode of the database's folder: access for the owner only.
#[cfg(unix)]
const OWNER_ONLY: u32 = 0o700;

/// One open database. Clones share the engine; it closes when the last is dropped.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    path: PathBuf,
    clock: Clock,
    database: Arc<Database>,
    pools: WorkerPools,
    syncs: Arc<Syncs>,
    syncer: Mutex<Option<JoinHandle<()>>>,
}

impl Engine {
    /// Opens the database, creates it if missing, and starts its threads.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(options: EngineOptions) -> Result<Self, OpenError> {
        let path = options.path.clone();
        make_private(&path).map_err(|error| OpenError::Unwritable(path.clone(), error))?;
        let lock = take_lock(&path)?;
        let known = inspection::inspect(&path, &options.manifest, options.accept_data_loss)?;
        let syncs = Arc::new(Syncs::new());
        let database = Database::open(&options, &syncs, lock).map_err(|error| OpenError::of_failure(&path, error))?;
        let unwritable = |error| OpenError::Unwritable(path.clone(), error);
        let journal = Journal::open(&path).map_err(unwritable)?;
        let (journal, manifest) = start_record(&options, &database, journal, known)?;
        let pools = WorkerPools::start().map_err(unwritable)?;
        let syncer = Syncer {
            syncs: Arc::clone(&syncs),
            database: database.fjall().clone(),
            journal,
            folder: path.clone(),
            manifest,
            record: options.record_syncs,
            hooks: options.sync_hooks,
        };
        let inner = Inner {
            path: path.clone(),
            clock: options.clock,
            database: Arc::new(database),
            pools,
            syncs,
            syncer: Mutex::new(Some(syncer.start().map_err(unwritable)?)),
        };
        Ok(Self(Arc::new(inner)))
    }

    /// The number of completed journal syncs.
    pub fn sync_count(&self) -> u64 {
        self.0.syncs.count()
    }

    /// Finishes started work, syncs a last time and ends the threads. Every later call fails as unavailable. Another
    /// process can open the folder once the last clone is dropped.
    pub fn close(&self) {
        self.0.close();
    }

    pub(super) fn path(&self) -> &Path {
        &self.0.path
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub(super) fn database(&self) -> &Arc<Database> {
        &self.0.database
    }

    /// Runs `work` on a thread of the lane's pool.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        lane: Lane,
        work: impl FnOnce(&Database) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let database = Arc::clone(&self.0.database);
        self.0.pools.run(lane, move || work(&database)).await?
    }

    /// Returns when everything committed before the call would survive a power loss.
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

/// Records the parts of the open database.
fn start_record(
    options: &EngineOptions,
    database: &Database,
    mut journal: Journal,
    known: Known,
) -> Result<(Journal, Record), OpenError> {
    let keyspaces = database.keyspaces().map_err(|error| OpenError::of_failure(&options.path, error))?;
    let numbers: BTreeMap<_, _> = keyspaces.iter().map(|it| (it.name().to_string(), it.id())).collect();
    journal.resume(known.batches(journal.number()));
    let manifest = known.into_manifest(numbers, journal.number());
    let record = Record::start(manifest, options.manifest.clone(), &options.path);
    record.map(|record| (journal, record)).map_err(|error| OpenError::Unwritable(options.manifest.clone(), error))
}

/// Locks a database's folder until the value is dropped, and checks that fjall's own lock is free: an earlier version
/// holds only that one.
///
/// # Errors
/// `Locked` if a process has the database open, `Unwritable` if the folder cannot be used.
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

/// Creates the folder, accessible to its owner only, as it holds password hashes and keys. An existing folder that
/// others may enter, created by an operator or an earlier version, is restricted too, which protects its files whatever
/// their modes.
/// their own.
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

//! One thread that syncs the journal for all waiters (group commit).
//!
//! Commits are numbered. A waiter takes the number of commits so far as its ticket and waits until that many are
//! synced. The syncer reads the number, syncs, and publishes the number it read, which releases every waiter with a
//! ticket up to it. Waiters that arrive during a sync share the next one.

use std::{
    fmt, io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
};

use fjall::{Database, PersistMode};
use parking_lot::{Condvar, Mutex};
use tokio::sync::watch;

use super::{fail_stop::end_process, failure::Failure, journal::Journal, manifest::Record};

/// `ENFILE` and `EMFILE` on every Unix: the system or the process has no descriptor left.
const NO_DESCRIPTOR_LEFT: [i32; 2] = [23, 24];

/// Callbacks of the syncer.
#[derive(Clone)]
pub struct SyncHooks {
    /// Called before each sync; an error counts as a failed sync. For tests.
    pub before: Arc<dyn Fn() -> io::Result<()> + Send + Sync>,
    /// Called when a sync or a commit failed. By default it reports the error on standard error and ends the process
    /// with code 70, as the content of the disk is then unknown, and a restart reads it again.
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

/// The state shared by committers, waiters and the syncer.
pub struct Syncs {
    commits: AtomicU64,
    done: AtomicU64,
    wanted: Mutex<Wanted>,
    asked: Condvar,
    progress: watch::Sender<Progress>,
}

#[derive(Default)]
struct Wanted {
    ticket: u64,
    closed: bool,
}

/// The number of synced commits, and whether the syncer has ended.
#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    synced: u64,
    over: bool,
}

impl Syncs {
    pub fn new() -> Self {
        Self {
            commits: AtomicU64::new(0),
            done: AtomicU64::new(0),
            wanted: Mutex::default(),
            asked: Condvar::new(),
            progress: watch::Sender::new(Progress::default()),
        }
    }

    /// Counts a commit whose bytes have been passed to the operating system.
    pub fn committed(&self) {
        self.commits.fetch_add(1, Ordering::SeqCst);
    }

    /// The number of completed syncs.
    pub fn count(&self) -> u64 {
        self.done.load(Ordering::SeqCst)
    }

    /// Waits until every commit counted so far is synced.
    pub async fn durable(&self) -> Result<(), Failure> {
        let ticket = self.commits.load(Ordering::SeqCst);
        let mut progress = self.progress.subscribe();
        if progress.borrow().synced >= ticket {
            return Ok(());
        }
        self.ask(ticket);
        // The sender lives as long as `self`.
        let seen = *progress.wait_for(|now| now.over || now.synced >= ticket).await.map_err(|_| Failure::Closed)?;
        if seen.synced >= ticket { Ok(()) } else { Err(Failure::Closed) }
    }

    fn ask(&self, ticket: u64) {
        let mut wanted = self.wanted.lock();
        wanted.ticket = wanted.ticket.max(ticket);
        drop(wanted);
        self.asked.notify_one();
    }

    /// Blocks until a waiter needs another sync; `false` when the engine closes.
    fn wait_for_work(&self) -> bool {
        let mut wanted = self.wanted.lock();
        while !wanted.closed && wanted.ticket <= self.progress.borrow().synced {
            self.asked.wait(&mut wanted);
        }
        !wanted.closed
    }

    /// Makes the thread sync once more and end.
    pub fn close(&self) {
        self.wanted.lock().closed = true;
        self.asked.notify_one();
    }
}

/// The syncer's side of the shared state.
pub struct Syncer {
    pub syncs: Arc<Syncs>,
    pub database: Database,
    pub journal: Journal,
    /// The database's folder.
    pub folder: PathBuf,
    pub manifest: Record,
    /// Whether to record each sync, for [`super::cut_to_last_sync`].
    pub record: bool,
    pub hooks: SyncHooks,
}

impl Syncer {
    /// Starts the thread; if syncs are recorded, after a first sync.
    pub fn start(mut self) -> io::Result<JoinHandle<()>> {
        if self.record {
            self.sync()?;
        }
        thread::Builder::new().name("store-sync".to_owned()).spawn(move || {
            // Without this thread every write would wait forever, so its panic counts as a failed sync.
            if catch_unwind(AssertUnwindSafe(|| self.run())).is_err() {
                self.fail(&io::Error::other("the sync thread panicked"));
            }
        })
    }

    fn run(&mut self) {
        while self.syncs.wait_for_work() {
            if !self.sync_and_publish() {
                return;
            }
        }
        if self.sync_and_publish() {
            self.manifest.close(&self.folder);
        }
        self.syncs.progress.send_modify(|progress| progress.over = true);
    }

    /// `false` if the sync failed: from then on durability is unknown, so no further write is acknowledged.
    fn sync_and_publish(&mut self) -> bool {
        let covered = self.syncs.commits.load(Ordering::SeqCst);
        match self.sync() {
            Ok(()) => {
                self.syncs.progress.send_modify(|progress| progress.synced = covered);
                true
            }
            Err(error) => {
                self.fail(&error);
                false
            }
        }
    }

    fn fail(&self, error: &io::Error) {
        (self.hooks.failed)(error);
        self.syncs.progress.send_modify(|progress| progress.over = true);
    }

    fn sync(&mut self) -> io::Result<()> {
        (self.hooks.before)()?;
        // Cheap, as the commits flushed the bytes; fails if a sync or a flush of fjall failed.
        self.database.persist(PersistMode::Buffer).map_err(io::Error::other)?;
        let own_descriptor = self.follow()?;
        self.journal.read_on()?;
        let written = self.record.then(|| self.journal.written()).transpose()?;
        if own_descriptor {
            self.journal.sync()?;
        } else {
            self.database.persist(PersistMode::SyncData).map_err(io::Error::other)?;
        }
        self.syncs.done.fetch_add(1, Ordering::SeqCst);
        written.map_or(Ok(()), |bytes| self.journal.record(bytes))?;
        // After the sync, as it must not claim more than is synced, and before any waiter is released.
        let (synced, sealed) = self.journal.take_synced();
        self.manifest.synced(&self.folder, synced, sealed);
        Ok(())
    }

    /// Whether our descriptor belongs to the journal in use. It does not if there is a new journal and no free
    /// descriptor to open it; fjall then syncs through its own, which is equivalent but slower.
    fn follow(&mut self) -> io::Result<bool> {
        match self.journal.follow() {
            Ok(()) => Ok(cfg!(target_os = "linux")),
            Err(error) if error.raw_os_error().is_some_and(|code| NO_DESCRIPTOR_LEFT.contains(&code)) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

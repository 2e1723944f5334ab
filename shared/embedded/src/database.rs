//! The open database: its keyspaces, batches and commits.

use std::{fs::File, io, path::Path, sync::Arc};

use fjall::{
    AbstractTree as _, DatabaseBuilder, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch,
    compaction::{Leveled, filter::Factory},
};
use parking_lot::Mutex;

use super::{
    changes::rows::{ChangeRows, PendingChange},
    failure::Failure,
    options::EngineOptions,
    store::{expired_entries::ExpiredEntries, expiry_mark::ExpiryMark},
    stripes::Stripes,
    syncer::{SyncHooks, Syncs},
};
use ports::store::Table;

/// Memory for blocks read from disk. Feed pages read the newest entries, which are mostly still in a memtable.
const CACHE_BYTES: u64 = 16 * 1024 * 1024;
/// fjall writes out a memtable beyond this size. Writes stall when four wait to be written out, so a keyspace holds at
/// most 5 times this.
///
/// Measured (a fan-out to a million feeds, 2 busy cores, peak resident memory including the client, several runs): 16
/// MiB written out whenever fjall's threads are free, 250-700 MB; 16 MiB at once, 240-330 MB; 8 MiB, 195-276 MB; all
/// with the same processor time.
const MEMTABLE_BYTES: u64 = 8 * 1024 * 1024;
/// Tables flushed from memory before they are merged into the next level: each merge rewrites much of that level, so 8
/// small tables cost as much as fjall's default of 4 twice as large.
const UNMERGED_TABLES: u8 = 8;
/// While syncs are recorded no memtable is written out, so that a power loss leaves only the journal.
const RECORDING_MEMTABLE_BYTES: u64 = 1024 * 1024 * 1024;
/// Beyond this, fjall writes out the memtables that keep the oldest journal: bounds disk usage and the replay at a
/// restart.
const MAX_JOURNAL_BYTES: u64 = 128 * 1024 * 1024;
/// One flushes while the other compacts.
const FJALL_THREADS: usize = 2;

/// The database and its locks: all that the worker threads need.
pub(super) struct Database {
    fjall: fjall::Database,
    tables: [Keyspace; Table::ALL.len()],
    /// Index of expiring items: see [`super::store`].
    pub expiry: Keyspace,
    /// The position before which the index has no rows.
    pub expiry_mark: ExpiryMark,
    /// The feed entries that compactions drop.
    pub expired_entries: ExpiredEntries,
    /// Messages: see [`super::queue`].
    pub messages: Keyspace,
    /// Receive counts of messages.
    pub receives: Keyspace,
    /// The change log: see [`super::changes`].
    pub changes: ChangeRows,
    pub stripes: Stripes,
    syncs: Arc<Syncs>,
    hooks: SyncHooks,
    memtable_bytes: u64,
    sealing: Mutex<()>,
    /// Held by a test to stall commits.
    #[cfg(test)]
    pub stall: Mutex<()>,
    /// Held as long as the database is open, and during the inspection before.
    _lock: File,
}

impl Database {
    /// Opens the keyspaces, and creates missing ones. `lock` is held as long as the database is open.
    pub fn open(options: &EngineOptions, syncs: &Arc<Syncs>, lock: File) -> Result<Self, Failure> {
        let expired_entries = ExpiredEntries::default();
        let fjall =
            database_builder(&options.path).with_compaction_filter_factories(dropping(&expired_entries)).open()?;
        let memtable_bytes = if options.record_syncs { RECORDING_MEMTABLE_BYTES } else { MEMTABLE_BYTES };
        let keyspace =
            |name: &str| fjall.keyspace(name, || own_keyspace_options().max_memtable_size(4 * memtable_bytes));
        Ok(Self {
            tables: [keyspace(Table::Auth.name())?, keyspace(Table::Social.name())?, keyspace(Table::Feed.name())?],
            expiry: keyspace("expiry")?,
            expiry_mark: ExpiryMark::new(),
            expired_entries,
            messages: keyspace("messages")?,
            receives: keyspace("receives")?,
            changes: ChangeRows::open(&fjall, keyspace("changes")?, options.clock.clone(), options.log_changes)?,
            stripes: Stripes::new(),
            syncs: Arc::clone(syncs),
            hooks: options.sync_hooks.clone(),
            memtable_bytes,
            sealing: Mutex::default(),
            #[cfg(test)]
            stall: Mutex::default(),
            fjall,
            _lock: lock,
        })
    }

    /// fjall's own handle, for syncing.
    pub fn fjall(&self) -> &fjall::Database {
        &self.fjall
    }

    /// The keyspace of a table.
    pub fn table(&self, table: Table) -> &Keyspace {
        match table {
            Table::Auth => &self.tables[0],
            Table::Social => &self.tables[1],
            Table::Feed => &self.tables[2],
        }
    }

    /// A batch to fill. Once committed, it is with the operating system and survives the end of the process.
    pub fn batch(&self) -> OwnedWriteBatch {
        self.fjall.batch()
    }

    /// All keyspaces.
    pub fn keyspaces(&self) -> Result<Vec<Keyspace>, Failure> {
        let names = self.fjall.list_keyspace_names();
        names.iter().map(|name| Ok(self.fjall.keyspace(name, keyspace_options)?)).collect()
    }

    /// A view of everything committed so far.
    pub fn snapshot(&self) -> fjall::Snapshot {
        self.fjall.snapshot()
    }

    /// Writes out a table's memtable and merges all of its files.
    pub fn compact(&self, table: Table) -> Result<(), Failure> {
        self.table(table).rotate_memtable_and_wait()?;
        Ok(self.table(table).major_compact()?)
    }

    /// Commits. After an error fjall accepts no more writes, as it cannot know what the file holds.
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

    /// Commits, with rows in the change log for the batch's changes to streamed items.
    pub fn commit_with(&self, batch: OwnedWriteBatch, changes: &[PendingChange]) -> Result<(), Failure> {
        if changes.is_empty() {
            return self.commit(batch);
        }
        self.changes.commit(batch, changes, |batch| self.commit(batch))
    }

    /// Hands over memtables that are large enough to be written out, at once.
    ///
    /// fjall itself sends its threads a message for each commit to a large memtable. While they are busy compacting,
    /// the memtable grows without bound, as only memtables already handed over hold writes up; and when the messages
    /// fill their channel (1,000), both threads may wait for room that only they can make.
    fn seal_large_memtables(&self) {
        // Another thread is already sealing memtables.
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

/// The database as configured by the engine. Public only for comparisons with the engine.
pub fn database_builder(path: &Path) -> DatabaseBuilder<fjall::Database> {
    fjall::Database::builder(path)
        .cache_size(CACHE_BYTES)
        .max_journaling_size(MAX_JOURNAL_BYTES)
        .worker_threads(FJALL_THREADS)
}

/// Assigns compaction filters to keyspaces, by name.
type Filters = Arc<dyn Fn(&str) -> Option<Arc<dyn Factory>> + Send + Sync>;

/// Lets compactions of Feed drop expired entries.
fn dropping(expired: &ExpiredEntries) -> Filters {
    let expired = expired.clone();
    Arc::new(move |keyspace| (keyspace == Table::Feed.name()).then(|| Arc::new(expired.clone()) as Arc<dyn Factory>))
}

/// A keyspace as configured by the engine.
pub fn keyspace_options() -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default()
        .max_memtable_size(MEMTABLE_BYTES)
        .compaction_strategy(Arc::new(Leveled::default().with_l0_threshold(UNMERGED_TABLES)))
}

/// A keyspace's options in this engine. fjall's own limit is never reached: see `Database::seal_large_memtables`.
pub(super) fn own_keyspace_options() -> KeyspaceCreateOptions {
    keyspace_options().max_memtable_size(4 * MEMTABLE_BYTES)
}

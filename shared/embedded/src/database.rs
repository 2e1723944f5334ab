//! The open database: its keyspaces, batches and commits.

use std::{fs::File, io, path::Path, sync::Arc};

use fjall::{
    AbstractTree as _, DatabaseBuilder, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, compaction::Leveled,
};
use parking_lot::Mutex;

use super::{
    changes::rows::{ChangeRows, Noted},
    failure::Failure,
    options::EngineOptions,
    store::expiry_mark::ExpiryMark,
    stripes::Stripes,
    syncer::{SyncHooks, Syncs},
};
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

/// The database and what guards it: all that the worker threads need.
pub(super) struct Database {
    fjall: fjall::Database,
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

impl Database {
    /// Opens the keyspaces, and makes those that are missing. `lock` is held as long as the database is open.
    pub fn open(options: &EngineOptions, syncs: &Arc<Syncs>, lock: File) -> Result<Self, Failure> {
        let fjall = database_builder(&options.path).open()?;
        let memtable_bytes = if options.record_syncs { RECORDING_MEMTABLE_BYTES } else { MEMTABLE_BYTES };
        let keyspace =
            |name: &str| fjall.keyspace(name, || own_keyspace_options().max_memtable_size(4 * memtable_bytes));
        Ok(Self {
            tables: [keyspace(Table::Auth.name())?, keyspace(Table::Social.name())?, keyspace(Table::Feed.name())?],
            expiry: keyspace("expiry")?,
            expiry_mark: ExpiryMark::new(),
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

    /// A batch to fill. Committed, it is with the operating system: it survives the end of the process.
    pub fn batch(&self) -> OwnedWriteBatch {
        self.fjall.batch()
    }

    /// Every keyspace there is.
    pub fn keyspaces(&self) -> Result<Vec<Keyspace>, Failure> {
        let names = self.fjall.list_keyspace_names();
        names.iter().map(|name| Ok(self.fjall.keyspace(name, keyspace_options)?)).collect()
    }

    /// A view of everything committed so far.
    pub fn snapshot(&self) -> fjall::Snapshot {
        self.fjall.snapshot()
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

/// The database as the engine sets it up. Apart from the engine only what compares itself to it needs this.
pub fn database_builder(path: &Path) -> DatabaseBuilder<fjall::Database> {
    fjall::Database::builder(path)
        .cache_size(CACHE_BYTES)
        .max_journaling_size(MAX_JOURNAL_BYTES)
        .worker_threads(FJALL_THREADS)
}

/// A keyspace as the engine sets it up.
pub fn keyspace_options() -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default()
        .max_memtable_size(MEMTABLE_BYTES)
        .compaction_strategy(Arc::new(Leveled::default().with_l0_threshold(UNMERGED_TABLES)))
}

/// A keyspace as this engine makes it. fjall's own limit is never reached: see `Database::seal_large_memtables`.
pub(super) fn own_keyspace_options() -> KeyspaceCreateOptions {
    keyspace_options().max_memtable_size(4 * MEMTABLE_BYTES)
}

//! The change log on the embedded engine: the port to changes, and what writes for it.
//!
//! ```text
//! changes  1 · sequence (8)  ->  version · when (8) · length · key · before · after
//! changes  0                 ->  version · the store's id (16) · the sequence passed (8)
//! changes  2                 ->  nothing: the row that a probe of the write path writes
//! ```
//!
//! Numbers are big-endian, `when` is in milliseconds. An image is a varint of its length plus one and the item's value
//! as it lies in its table; where there is no item it is the varint 0 alone.
//!
//! **Rows and changes are one batch**, so they live or die together. Who writes a streamed item reads its old image
//! under the stripes of its keys, in which no other write of them can come.
//!
//! **Sequences are dense and in the order of commits**: numbering and commit are one step, under one mutex. So a reader
//! that sees a sequence sees all before it, and nothing that it passes over can still arrive. Commits take turns at the
//! journal anyway. A sequence is never given twice: the newest is that of the last row, or the one passed. Both are in
//! the journal, so a loss of power takes a sequence back only with everything that was done because of it.
//!
//! **Passing** removes the rows and moves the mark on, in one batch behind the writes of whoever handled the changes.
//! Reading starts at the mark, so it never walks over removed rows.

use std::{
    fmt,
    ops::Bound,
    pin::pin,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use fjall::{Database, Keyspace, OwnedWriteBatch, Readable as _, UserKey, UserValue};
use parking_lot::Mutex;
use tokio::{sync::Notify, time::Instant};
use uuid::Uuid;

use super::{
    codec::{self, Corrupt},
    engine::{Engine, Shared},
    failure::Failure,
    worker_pools::Pool,
};
use domain::{Clock, Timestamp, limits, random};
use ports::{
    changes::{Backlog, Change, ChangeLog, is_streamed},
    store::{StoreError, Table},
};

const VERSION: u8 = 1;
/// The row of the store's id and of the mark.
const MARK: [u8; 1] = [0];
/// What the keys of changes begin with.
const CHANGE: u8 = 1;
/// The row of probes, behind those of changes.
const PROBE: [u8; 1] = [2];

/// A change of a streamed item on its way into a batch. Images are values as they lie in the table.
pub(super) struct Noted {
    pub key: UserKey,
    pub before: Option<UserValue>,
    pub after: Option<UserValue>,
}

/// What writes to the log, and how far it is read. One for an engine.
pub(super) struct ChangeRows {
    pub keyspace: Keyspace,
    store_id: Uuid,
    clock: Clock,
    is_on: bool,
    /// Held while changes are numbered and committed.
    numbering: Mutex<()>,
    /// The newest sequence that is committed.
    newest: AtomicU64,
    /// Held while changes are passed.
    passing: Mutex<()>,
    passed: AtomicU64,
    arrived: Notify,
}

impl ChangeRows {
    /// Reads how far the log goes. A new database gets its id.
    pub fn open(database: &Database, keyspace: Keyspace, clock: Clock, is_on: bool) -> Result<Self, Failure> {
        let (store_id, passed) = if let Some(row) = keyspace.get(MARK)? {
            decode_mark(&row)?
        } else {
            // A log without a mark is one of which an operator accepted the loss: it goes on with its first row.
            let first = database.snapshot().range(&keyspace, after(0)).next();
            let first = first.map(|row| Ok::<_, Failure>(sequence_of(&row.key()?)?)).transpose()?;
            let mark = (random::uuid(), first.map_or(0, |first| first.saturating_sub(1)));
            let mut batch = database.batch();
            batch.insert(&keyspace, MARK, encode_mark(mark.0, mark.1));
            batch.commit()?;
            mark
        };
        let newest = match database.snapshot().range(&keyspace, after(passed)).next_back() {
            Some(row) => sequence_of(&row.key()?)?,
            None => passed,
        };
        Ok(Self {
            keyspace,
            store_id,
            clock,
            is_on,
            numbering: Mutex::default(),
            newest: AtomicU64::new(newest),
            passing: Mutex::default(),
            passed: AtomicU64::new(passed),
            arrived: Notify::new(),
        })
    }

    /// Whether a change of this item is to be noted. Costs nothing but for Social.
    pub fn notes(&self, table: Table, key: &[u8]) -> bool {
        self.is_on && is_streamed(table, key)
    }

    /// Numbers the changes, puts them into the batch and commits it by `commit`.
    pub fn commit(
        &self,
        mut batch: OwnedWriteBatch,
        changes: &[Noted],
        commit: impl FnOnce(OwnedWriteBatch) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let now = self.clock.now();
        let numbering = self.numbering.lock();
        let mut sequence = self.newest.load(Ordering::SeqCst);
        for change in changes {
            sequence += 1;
            batch.insert(&self.keyspace, key_of(sequence), encode(change, now));
        }
        commit(batch)?;
        self.newest.store(sequence, Ordering::SeqCst);
        drop(numbering);
        self.arrived.notify_waiters();
        Ok(())
    }

    fn waiting(&self) -> u64 {
        // The mark first: it never comes to lie behind a newest that was read later.
        let passed = self.passed.load(Ordering::SeqCst);
        self.newest.load(Ordering::SeqCst).saturating_sub(passed)
    }

    /// The oldest rows that are not passed, at most `max` and about [`limits::MAX_CHANGES_BYTES`].
    fn read(&self, shared: &Shared, max: usize) -> Result<Vec<Change>, Failure> {
        let mut sequence = self.passed.load(Ordering::SeqCst);
        let (mut changes, mut bytes) = (Vec::new(), 0);
        for row in shared.snapshot().range(&self.keyspace, after(sequence)).take(max) {
            let (key, value) = row.into_inner()?;
            sequence += 1;
            if sequence_of(&key)? != sequence {
                return Err(Corrupt.into());
            }
            bytes += value.len();
            if bytes > limits::MAX_CHANGES_BYTES && !changes.is_empty() {
                break;
            }
            changes.push(decode(&value, self.id_of(sequence))?);
        }
        Ok(changes)
    }

    /// Whether some change has waited at `now` for so long that what was noted of it as applied may expire soon.
    ///
    /// Half the time that the ledger keeps, so that a clock set back by less does no harm.
    pub fn is_overdue(&self, shared: &Shared, now: Timestamp) -> Result<bool, Failure> {
        if self.waiting() == 0 {
            return Ok(false);
        }
        Ok(self.oldest(shared)?.is_some_and(|oldest| now >= oldest.plus(limits::LEDGER_TTL / 2)))
    }

    fn oldest(&self, shared: &Shared) -> Result<Option<Timestamp>, Failure> {
        let passed = self.passed.load(Ordering::SeqCst);
        let Some(row) = shared.snapshot().range(&self.keyspace, after(passed)).next() else { return Ok(None) };
        let (_, value) = row.into_inner()?;
        Ok(Some(take_head(&mut value.as_ref())?))
    }

    fn pass(&self, shared: &Shared, last: u64) -> Result<(), Failure> {
        let _passing = self.passing.lock();
        let passed = self.passed.load(Ordering::SeqCst);
        if last > self.newest.load(Ordering::SeqCst) {
            return Err(Failure::Rejected("not a change of this log"));
        }
        if last <= passed {
            return Ok(());
        }
        let mut batch = shared.batch();
        for sequence in passed + 1..=last {
            batch.remove(&self.keyspace, key_of(sequence));
        }
        batch.insert(&self.keyspace, MARK, encode_mark(self.store_id, last));
        shared.commit(batch)?;
        self.passed.store(last, Ordering::SeqCst);
        Ok(())
    }

    /// Commits the probe's row, which nobody reads.
    pub fn probe(&self, shared: &Shared) -> Result<(), Failure> {
        let mut batch = shared.batch();
        batch.insert(&self.keyspace, PROBE, []);
        shared.commit(batch)
    }

    fn id_of(&self, sequence: u64) -> String {
        format!("{}.{sequence}", self.store_id.simple())
    }

    fn sequence_in(&self, id: &str) -> Result<u64, Failure> {
        let own = id.split_once('.').filter(|(store, _)| *store == self.store_id.simple().to_string());
        let sequence = own.and_then(|(_, sequence)| sequence.parse().ok());
        sequence.ok_or(Failure::Rejected("not a change of this log"))
    }
}

fn key_of(sequence: u64) -> UserKey {
    let mut key = [CHANGE; 9];
    key[1..].copy_from_slice(&sequence.to_be_bytes());
    UserKey::from(key)
}

fn sequence_of(key: &[u8]) -> Result<u64, Corrupt> {
    let (_, sequence) = key.split_first().ok_or(Corrupt)?;
    Ok(u64::from_be_bytes(sequence.try_into().map_err(|_| Corrupt)?))
}

/// The rows behind a sequence.
fn after(sequence: u64) -> (Bound<UserKey>, Bound<UserKey>) {
    (Bound::Excluded(key_of(sequence)), Bound::Included(key_of(u64::MAX)))
}

fn encode_mark(store_id: Uuid, passed: u64) -> Vec<u8> {
    [&[VERSION], store_id.as_bytes().as_slice(), &passed.to_be_bytes()].concat()
}

fn decode_mark(row: &[u8]) -> Result<(Uuid, u64), Corrupt> {
    let mut rest = row;
    if codec::take(&mut rest, 1)? != [VERSION] {
        return Err(Corrupt);
    }
    let store_id = Uuid::from_slice(codec::take(&mut rest, 16)?).map_err(|_| Corrupt)?;
    Ok((store_id, u64::from_be_bytes(rest.try_into().map_err(|_| Corrupt)?)))
}

fn encode(change: &Noted, now: Timestamp) -> Vec<u8> {
    let images = [&change.before, &change.after];
    let length: usize = images.into_iter().flatten().map(|image| image.len()).sum();
    let mut row = Vec::with_capacity(20 + change.key.len() + length);
    row.push(VERSION);
    row.extend_from_slice(&now.as_millis().to_be_bytes());
    codec::encode_bytes(&change.key, &mut row);
    for image in images {
        match image {
            Some(image) => {
                codec::encode_varint(image.len() as u64 + 1, &mut row);
                row.extend_from_slice(image);
            }
            None => codec::encode_varint(0, &mut row),
        }
    }
    row
}

/// Takes the version and the time off a row.
fn take_head(rest: &mut &[u8]) -> Result<Timestamp, Corrupt> {
    if codec::take(rest, 1)? != [VERSION] {
        return Err(Corrupt);
    }
    let millis = codec::take(rest, 8)?.try_into().map_err(|_| Corrupt)?;
    Ok(Timestamp::from_millis(u64::from_be_bytes(millis)))
}

fn decode(row: &[u8], id: String) -> Result<Change, Corrupt> {
    let mut rest = row;
    take_head(&mut rest)?;
    let length = codec::decode_length(&mut rest)?;
    let key = codec::decode_key(codec::take(&mut rest, length)?)?;
    let mut image = || match codec::decode_length(&mut rest)?.checked_sub(1) {
        Some(length) => codec::decode_attributes(codec::take(&mut rest, length)?).map(Some),
        None => Ok(None),
    };
    Ok(Change { id, key, before: image()?, after: image()? })
}

/// The port to changes on one fjall database, for one reader at a time. No row is kept in memory.
#[derive(Clone)]
pub struct EmbeddedChanges {
    engine: Engine,
}

impl EmbeddedChanges {
    /// The log of what is written through the engine.
    pub fn new(engine: Engine) -> Self {
        Self { engine }
    }

    fn rows(&self) -> &ChangeRows {
        &self.engine.shared().changes
    }
}

#[async_trait]
impl ChangeLog for EmbeddedChanges {
    async fn read(&self, max: usize, wait: Duration) -> Result<Vec<Change>, StoreError> {
        let until = Instant::now() + wait;
        let max = max.max(1);
        loop {
            // Registered before looking: what is committed after the look wakes it.
            let mut arrived = pin!(self.rows().arrived.notified());
            arrived.as_mut().enable();
            if self.rows().waiting() > 0 {
                let changes = self.engine.run(Pool::Read, move |shared| shared.changes.read(shared, max)).await?;
                if !changes.is_empty() {
                    return Ok(changes);
                }
            } else if tokio::time::timeout_at(until, arrived).await.is_err() {
                return Ok(Vec::new());
            }
        }
    }

    async fn pass(&self, last: &Change) -> Result<(), StoreError> {
        let last = self.rows().sequence_in(&last.id)?;
        Ok(self.engine.run(Pool::Write, move |shared| shared.changes.pass(shared, last)).await?)
    }

    async fn is_empty(&self) -> Result<bool, StoreError> {
        Ok(self.rows().waiting() == 0)
    }

    async fn backlog(&self) -> Result<Backlog, StoreError> {
        let changes = self.rows().waiting();
        if changes == 0 {
            return Ok(Backlog::default());
        }
        let oldest = self.engine.run(Pool::Read, |shared| shared.changes.oldest(shared)).await?;
        Ok(Backlog { changes, oldest })
    }
}

impl fmt::Debug for EmbeddedChanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedChanges").field("engine", &self.engine).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::{EmbeddedStore, EngineOptions};
    use ports::store::{Item, Key, Store as _, Write};

    fn like(user: &str) -> Write {
        Write::put(Item::new(Key { partition: "LIKERS#p#0".to_owned(), sort: user.to_owned() }))
    }

    #[tokio::test]
    async fn a_change_is_there_for_the_reader_when_it_and_all_before_it_are_committed() {
        let folder = tempfile::tempdir().expect("a folder");
        let engine = Engine::open(EngineOptions::at(folder.path())).expect("an engine");
        let log = EmbeddedChanges::new(engine.clone());
        let shared = Arc::clone(engine.shared());
        // Held by a thread of its own, as a lock must not be held over an await; for a minute at the most.
        let (release, released) = std::sync::mpsc::channel::<()>();
        let (stalled, is_stalled) = std::sync::mpsc::channel();
        let stall = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                let _stalled = shared.stall.lock();
                stalled.send(()).expect("the test waits");
                released.recv_timeout(Duration::from_mins(1)).is_ok()
            }
        });
        is_stalled.recv().expect("it stalls");
        let writers = ["a", "b"].map(|user| {
            let store = EmbeddedStore::new(engine.clone());
            tokio::spawn(async move { store.write(Table::Social, like(user)).await.expect("written") })
        });
        while !shared.changes.numbering.is_locked() && shared.changes.waiting() == 0 {
            tokio::task::yield_now().await;
        }
        assert!(log.is_empty().await.expect("it answers"), "nothing is committed");
        assert!(shared.changes.numbering.is_locked(), "nothing else can be numbered before");
        release.send(()).expect("commits stalled until now");
        assert!(stall.join().expect("no panic"), "all of this while a commit stalled");
        for writer in writers {
            assert!(writer.await.expect("no panic").is_applied());
        }
        assert_eq!(log.read(10, Duration::ZERO).await.expect("read").len(), 2);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = (decode(&bytes, String::new()), decode_mark(&bytes), sequence_of(&bytes));
        }

        #[test]
        fn sequences_sort_as_their_keys(a: u64, b: u64) {
            prop_assert_eq!(key_of(a).cmp(&key_of(b)), a.cmp(&b));
            prop_assert_eq!(sequence_of(&key_of(a)), Ok(a));
        }
    }
}

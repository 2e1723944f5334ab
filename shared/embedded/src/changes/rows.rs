//! The rows of the change log. Independent of the engine: batches are committed by a function passed in.

use std::{
    ops::Bound,
    sync::atomic::{AtomicU64, Ordering},
};

use fjall::{Database, Keyspace, OwnedWriteBatch, Readable as _, Snapshot, UserKey, UserValue};
use parking_lot::Mutex;
use tokio::sync::Notify;
use uuid::Uuid;

use super::super::{
    codec::{self, Corrupt},
    failure::Failure,
};
use domain::{Clock, Timestamp, limits, random};
use ports::{
    changes::{Change, is_streamed},
    store::Table,
};

const VERSION: u8 = 1;
/// The row of the store's id and of the mark.
const MARK: [u8; 1] = [0];
/// The tag byte of a change's key.
const CHANGE: u8 = 1;
/// The row of probes, sorted after those of changes.
const PROBE: [u8; 1] = [2];

/// A change of a streamed item, not yet in a batch. Images are values as stored in the table.
pub struct PendingChange {
    pub key: UserKey,
    pub before: Option<UserValue>,
    pub after: Option<UserValue>,
}

/// The log's writer and the reader's position. One per engine.
pub struct ChangeRows {
    pub keyspace: Keyspace,
    store_id: Uuid,
    clock: Clock,
    is_on: bool,
    /// Held while changes are numbered and committed.
    numbering: Mutex<()>,
    /// The newest committed sequence.
    newest: AtomicU64,
    /// Held while changes are passed.
    passing: Mutex<()>,
    passed: AtomicU64,
    pub arrived: Notify,
}

impl ChangeRows {
    /// Reads the extent of the log. A new database gets its id.
    pub fn open(database: &Database, keyspace: Keyspace, clock: Clock, is_on: bool) -> Result<Self, Failure> {
        let (store_id, passed) = if let Some(row) = keyspace.get(MARK)? {
            decode_mark(&row)?
        } else {
            // A log without a mark belongs to a database whose loss an operator accepted: it continues with its first
            // row.
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

    /// Whether to log changes of this item. Free for tables other than Social.
    pub fn logs(&self, table: Table, key: &[u8]) -> bool {
        self.is_on && is_streamed(table, key)
    }

    /// Numbers the changes, adds them to the batch and commits it with `commit`.
    pub fn commit(
        &self,
        mut batch: OwnedWriteBatch,
        changes: &[PendingChange],
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

    /// The number of changes committed but not passed.
    pub fn waiting(&self) -> u64 {
        // Reads the mark first, so that it never exceeds a newest sequence read later.
        let passed = self.passed.load(Ordering::SeqCst);
        self.newest.load(Ordering::SeqCst).saturating_sub(passed)
    }

    /// The oldest rows not passed, at most `max` and about [`limits::MAX_CHANGES_BYTES`].
    pub fn read(&self, snapshot: &Snapshot, max: usize) -> Result<Vec<Change>, Failure> {
        let mut sequence = self.passed.load(Ordering::SeqCst);
        let (mut changes, mut bytes) = (Vec::new(), 0);
        for row in snapshot.range(&self.keyspace, after(sequence)).take(max) {
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

    /// Whether a change has waited at `now` for so long that the ledger entry of its application may expire soon.
    ///
    /// That is half the ledger's retention, so that a clock set back by less does no harm.
    pub fn is_overdue(&self, snapshot: &Snapshot, now: Timestamp) -> Result<bool, Failure> {
        if self.waiting() == 0 {
            return Ok(false);
        }
        Ok(self.oldest(snapshot)?.is_some_and(|oldest| now >= oldest.plus(limits::LEDGER_TTL / 2)))
    }

    /// The time of the oldest change not passed.
    pub fn oldest(&self, snapshot: &Snapshot) -> Result<Option<Timestamp>, Failure> {
        let passed = self.passed.load(Ordering::SeqCst);
        let Some(row) = snapshot.range(&self.keyspace, after(passed)).next() else { return Ok(None) };
        let (_, value) = row.into_inner()?;
        Ok(Some(take_head(&mut value.as_ref())?))
    }

    /// Removes the rows up to `last` and advances the mark, in one batch committed with `commit`.
    pub fn pass(
        &self,
        mut batch: OwnedWriteBatch,
        last: u64,
        commit: impl FnOnce(OwnedWriteBatch) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let _passing = self.passing.lock();
        let passed = self.passed.load(Ordering::SeqCst);
        if last > self.newest_after_commits(last) {
            return Err(Failure::Rejected("not a change of this log"));
        }
        if last <= passed {
            return Ok(());
        }
        for sequence in passed + 1..=last {
            batch.remove(&self.keyspace, key_of(sequence));
        }
        batch.insert(&self.keyspace, MARK, encode_mark(self.store_id, last));
        commit(batch)?;
        self.passed.store(last, Ordering::SeqCst);
        Ok(())
    }

    /// The newest committed sequence. A snapshot has the rows of a commit before the commit is counted, so a reader can
    /// pass them early: then this waits for the commit.
    fn newest_after_commits(&self, at_least: u64) -> u64 {
        let newest = self.newest.load(Ordering::SeqCst);
        if newest >= at_least {
            return newest;
        }
        let _no_commit = self.numbering.lock();
        self.newest.load(Ordering::SeqCst)
    }

    /// Adds the row of a probe to the batch. No reader reads it.
    pub fn probe(&self, batch: &mut OwnedWriteBatch) {
        batch.insert(&self.keyspace, PROBE, []);
    }

    fn id_of(&self, sequence: u64) -> String {
        format!("{}.{sequence}", self.store_id.simple())
    }

    /// The sequence in a change's id, if the change is of this log.
    pub fn sequence_in(&self, id: &str) -> Result<u64, Failure> {
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

/// The rows after a sequence.
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

fn encode(change: &PendingChange, now: Timestamp) -> Vec<u8> {
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

/// Splits the version and the time off a row.
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

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use proptest::prelude::*;

    use super::*;
    use crate::{EmbeddedChanges, EmbeddedStore, Engine, EngineOptions};
    use ports::{
        changes::ChangeLog as _,
        store::{Item, Key, Store as _, Write},
    };

    fn like(user: &str) -> Write {
        Write::put(Item::new(Key { partition: "LIKERS#p#0".to_owned(), sort: user.to_owned() }))
    }

    #[tokio::test]
    async fn readers_see_changes_in_commit_order() {
        let folder = tempfile::tempdir().expect("a folder");
        let engine = Engine::open(EngineOptions::at(folder.path())).expect("an engine");
        let log = EmbeddedChanges::new(engine.clone());
        let database = Arc::clone(engine.database());
        // Held by a separate thread, as a lock must not be held across an await; released after at most a minute.
        let (release, released) = std::sync::mpsc::channel::<()>();
        let (stalled, is_stalled) = std::sync::mpsc::channel();
        let stall = std::thread::spawn({
            let database = Arc::clone(&database);
            move || {
                let _stalled = database.stall.lock();
                stalled.send(()).expect("the test waits");
                released.recv_timeout(Duration::from_mins(1)).is_ok()
            }
        });
        is_stalled.recv().expect("it stalls");
        let writers = ["a", "b"].map(|user| {
            let store = EmbeddedStore::new(engine.clone());
            tokio::spawn(async move { store.write(Table::Social, like(user)).await.expect("written") })
        });
        while !database.changes.numbering.is_locked() && database.changes.waiting() == 0 {
            tokio::task::yield_now().await;
        }
        assert!(log.is_empty().await.expect("it answers"), "nothing is committed");
        assert!(database.changes.numbering.is_locked(), "no other change can be numbered meanwhile");
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

//! A damaged database is refused, and opens without the damaged part when data loss is accepted.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use embedded::{Damage, EmbeddedStore, Engine, EngineOptions, OpenError};
use ports::store::{Consistency, Store, Table, Write};
use rstest::rstest;

use crate::it::{
    durability::{after_power_loss, copy_flat, recording},
    item, key, store, store as store_at,
};

/// Rows of a kilobyte each, so that a journal has a middle.
const ROWS: u32 = 50;

fn name(number: u32) -> String {
    format!("{number:03}")
}

async fn put(store: &EmbeddedStore, table: Table, sort: &str, bytes: usize) {
    let item = item("p", sort).with("text", "x".repeat(bytes));
    assert!(store.write(table, Write::put(item)).await.expect("written").is_applied());
}

/// A database with synced rows, as left by a killed process.
async fn killed() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(folder.path());
    for number in 0..ROWS {
        put(&store, Table::Social, &name(number), 1_000).await;
    }
    store.durable().await.expect("synced");
    let copy = tempfile::tempdir().expect("a folder");
    copy_flat(folder.path(), copy.path());
    copy
}

fn refused(folder: &Path) -> Vec<Damage> {
    let before = listing(folder);
    match Engine::open(EngineOptions::at(folder)) {
        Err(error @ OpenError::Damaged(..)) => {
            let line = error.to_string();
            assert!(line.contains("tweeter restore") && line.contains("--accept-data-loss"), "{line}");
            assert_eq!(line.lines().count(), 1, "{line}");
            assert_eq!(listing(folder), before, "it was changed");
            let OpenError::Damaged(_, damage) = error else { unreachable!("matched above") };
            damage
        }
        other => panic!("opened: {other:?}"),
    }
}

/// The files of a folder with their lengths, without the locks that an inspection creates.
fn listing(folder: &Path) -> Vec<(PathBuf, u64)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        if entry.file_type().expect("a type").is_dir() {
            files.extend(listing(&entry.path()));
        } else if entry.file_name() != "engine.lock" {
            files.push((entry.path(), entry.metadata().expect("a length").len()));
        }
    }
    files.sort();
    files
}

fn accepted(folder: &Path) -> EmbeddedStore {
    let options = EngineOptions { accept_data_loss: true, ..EngineOptions::at(folder) };
    EmbeddedStore::new(Engine::open(options).expect("the loss was accepted"))
}

async fn rows(store: &EmbeddedStore) -> Vec<String> {
    let items = store.scan(Table::Social, None, 1_000).await.expect("scanned");
    items.into_iter().map(|item| item.key.sort).collect()
}

fn journal(folder: &Path) -> File {
    OpenOptions::new().read(true).write(true).open(folder.join("0.jnl")).expect("a journal")
}

fn overwrite(folder: &Path, at: u64, bytes: &[u8]) {
    let mut file = journal(folder);
    file.seek(SeekFrom::Start(at)).expect("sought");
    file.write_all(bytes).expect("written");
}

fn flip_a_byte(folder: &Path) {
    let mut file = journal(folder);
    let mut byte = [0];
    file.seek(SeekFrom::Start(20_000)).expect("sought");
    file.read_exact(&mut byte).expect("read");
    overwrite(folder, 20_000, &[byte[0] ^ 1]);
}

#[rstest]
#[case::missing(|folder: &Path| fs::remove_file(folder.join("0.jnl")).expect("removed"), 0)]
#[case::empty(|folder: &Path| journal(folder).set_len(0).expect("cut"), 0)]
#[case::cut(|folder: &Path| journal(folder).set_len(20_000).expect("cut"), 18)]
#[case::hole(|folder: &Path| overwrite(folder, 20_000, &[0; 4_096]), 18)]
#[case::flipped(flip_a_byte, 18)]
#[tokio::test]
async fn a_damaged_journal_is_refused(#[case] damage: fn(&Path), #[case] left: u32) {
    let folder = killed().await;
    damage(folder.path());
    let found = refused(folder.path());
    assert!(matches!(found[..], [Damage::JournalCut { .. } | Damage::JournalMissing(0)]), "{found:?}");

    let store = accepted(folder.path());
    let survivors: Vec<_> = (0..left).map(name).collect();
    assert_eq!(rows(&store).await, survivors, "what was written before the damage");
    put(&store, Table::Social, "new", 1).await;
    store.durable().await.expect("synced");
    drop(store);
    assert!(rows(&self::store(folder.path())).await.contains(&"new".to_owned()), "whole again");
}

fn remove_all(folder: &Path) {
    for (file, _) in listing(folder) {
        if !file.ends_with("manifest.json") {
            fs::remove_file(file).expect("removed");
        }
    }
}

/// Refuses to open with a message about the remedy, then opens with the loss accepted.
fn unreadable(folder: &Path) -> EmbeddedStore {
    let line = Engine::open(EngineOptions::at(folder)).expect_err("a part cannot be read").to_string();
    assert!(line.contains("tweeter restore") && line.contains("--accept-data-loss"), "{line}");
    accepted(folder)
}

#[rstest]
#[case::empty(2, "", ROWS)]
#[case::garbage(2, "garbage!", ROWS)]
#[case::list(0, "", 0)]
#[tokio::test]
async fn an_unreadable_keyspace_is_refused(#[case] number: u32, #[case] current: &str, #[case] left: u32) {
    let folder = killed().await;
    fs::write(folder.path().join(format!("keyspaces/{number}/current")), current).expect("written");
    let store = unreadable(folder.path());
    assert_eq!(rows(&store).await.len(), left as usize);
}

fn lose_the_position_and_a_part(folder: &Path) {
    fs::remove_file(folder.join("position")).expect("removed");
    overwrite(folder, 20_000, &[0; 4_096]);
}

#[rstest]
#[case::keyspace(|folder: &Path| fs::remove_dir_all(folder.join("keyspaces/2")).expect("removed"), ROWS)]
#[case::tables(|folder: &Path| fs::remove_file(folder.join("keyspaces/2/current")).expect("removed"), ROWS)]
#[case::position_and_hole(lose_the_position_and_a_part, 18)]
#[case::manifest(|folder: &Path| fs::remove_file(folder.join("manifest.json")).expect("removed"), ROWS)]
#[case::no_manifest(|folder: &Path| fs::write(folder.join("manifest.json"), "{").expect("written"), ROWS)]
#[case::list(|folder: &Path| fs::remove_dir_all(folder.join("keyspaces/0")).expect("removed"), 0)]
#[case::version(|folder: &Path| fs::remove_file(folder.join("version")).expect("removed"), 0)]
#[case::everything(remove_all, 0)]
#[tokio::test]
async fn a_missing_part_is_refused(#[case] damage: fn(&Path), #[case] left: u32) {
    let folder = killed().await;
    damage(folder.path());
    refused(folder.path());
    let store = accepted(folder.path());
    assert_eq!(rows(&store).await.len(), left as usize);
    put(&store, Table::Social, "new", 1).await;
    store.durable().await.expect("synced");
    drop(store);
    assert!(rows(&self::store(folder.path())).await.contains(&"new".to_owned()), "whole again");
}

#[tokio::test]
async fn unusable_files_are_kept() {
    let folder = killed().await;
    fs::remove_dir_all(folder.path().join("keyspaces/0")).expect("removed");
    let journal = fs::read(folder.path().join("0.jnl")).expect("bytes");
    drop(accepted(folder.path()));
    assert_eq!(fs::read(folder.path().join("damaged-1/0.jnl")).expect("kept"), journal);
}

#[tokio::test]
async fn the_manifest_of_another_database_is_refused() {
    let (folder, other) = (killed().await, killed().await);
    fs::copy(other.path().join("manifest.json"), folder.path().join("manifest.json")).expect("copied");
    assert_eq!(refused(folder.path()), [Damage::OtherInstance]);
}

#[tokio::test]
async fn without_a_position_the_manifest_is_checked() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(folder.path());
    put(&store, Table::Social, "a", 1_000).await;
    drop(store);
    fs::remove_file(folder.path().join("position")).expect("removed");
    drop(self::store(folder.path()));

    fs::remove_file(folder.path().join("position")).expect("removed");
    journal(folder.path()).set_len(0).expect("cut");
    assert!(matches!(refused(folder.path())[..], [Damage::JournalCut { number: 0, readable: 0, .. }]));
}

#[tokio::test]
async fn a_database_without_manifest_gets_one() {
    let folder = killed().await;
    for name in ["manifest.json", "position", "engine.lock"] {
        fs::remove_file(folder.path().join(name)).expect("removed");
    }
    assert_eq!(rows(&store(folder.path())).await.len(), ROWS as usize);
    journal(folder.path()).set_len(0).expect("cut");
    refused(folder.path());
}

#[tokio::test]
async fn the_instance_id_survives_restarts() {
    let folder = killed().await;
    let instance = || {
        let text = fs::read_to_string(folder.path().join("manifest.json")).expect("a manifest");
        text.lines().find(|line| line.contains("instance")).expect("an id").to_owned()
    };
    let first = instance();
    drop(store(folder.path()));
    assert_eq!(instance(), first);
}

#[tokio::test]
async fn writes_torn_by_a_power_loss_are_truncated() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = EmbeddedStore::new(Engine::open(recording(folder.path())).expect("an engine"));
    put(&store, Table::Social, "answered", 10_000).await;
    store.durable().await.expect("synced");
    let synced = after_power_loss(folder.path());
    let end = fs::metadata(synced.path().join("0.jnl")).expect("a journal").len();
    put(&store, Table::Social, "torn", 10_000).await;
    let left = tempfile::tempdir().expect("a folder");
    copy_flat(folder.path(), left.path());
    // The head and the end of the batch reached the disk, but not its middle.
    overwrite(left.path(), end + 5_000, &[0; 1_000]);

    let after = self::store(left.path());
    assert_eq!(rows(&after).await, ["answered"]);
}

/// Real journals, of 64 MB each.
struct Sealed {
    // Closed before its folder is removed.
    store: EmbeddedStore,
    folder: tempfile::TempDir,
    written: u32,
}

impl Sealed {
    /// Writes until the first journal is sealed. It stays, as its row of Auth is not in any table.
    async fn first() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut it = Self { store: store(folder.path()), folder, written: 0 };
        put(&it.store, Table::Auth, "only in the journal", 1).await;
        it.write_until(|folder| folder.join("1.jnl").exists()).await;
        assert!(it.folder.path().join("0.jnl").exists());
        it
    }

    async fn write_until(&mut self, done: impl Fn(&Path) -> bool) {
        while !done(self.folder.path()) {
            assert!(self.written < 2_000, "it never happens");
            put(&self.store, Table::Social, &name(self.written), 390_000).await;
            self.written += 1;
        }
        self.store.durable().await.expect("synced");
    }

    /// Closes the database first: while it is open, tables come and go and a copy may miss one.
    fn close(self) -> tempfile::TempDir {
        drop(self.store);
        self.folder
    }
}

fn copy_of(folder: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().expect("a folder");
    copy_flat(folder, copy.path());
    copy
}

#[tokio::test]
async fn a_missing_sealed_journal_is_refused_unless_flushed() {
    let sealed = Sealed::first().await;
    let written = sealed.written;
    let folder = sealed.close();
    let manifest = fs::read(folder.path().join("manifest.json")).expect("a manifest");
    assert!(String::from_utf8_lossy(&manifest).contains(r#""number": 0"#), "the sealed journal is on record");
    let copy = copy_of(folder.path());
    fs::remove_file(copy.path().join("0.jnl")).expect("removed");
    assert_eq!(refused(copy.path()), [Damage::JournalMissing(0)]);
    let store = accepted(copy.path());
    let auth = store.get(Table::Auth, &key("p", "only in the journal"), Consistency::Strong).await.expect("read");
    assert!(auth.is_none());
    drop(store);

    // As if the process had died after fjall removed the journal and before the next manifest.
    let mut sealed = Sealed { store: store_at(folder.path()), folder, written };
    sealed.write_until(|folder| !folder.join("0.jnl").exists()).await;
    let written = sealed.written;
    let folder = sealed.close();
    fs::write(folder.path().join("manifest.json"), manifest).expect("written");
    assert_eq!(rows(&store_at(folder.path())).await.len(), written as usize);
}

#[tokio::test]
async fn a_hole_in_a_sealed_journal_is_refused() {
    let folder = Sealed::first().await.close();
    overwrite(folder.path(), 0, &[0; 8]);
    assert!(matches!(refused(folder.path())[..], [Damage::JournalCut { number: 0, readable: 0, .. }]));
}

#[tokio::test]
async fn a_missing_table_is_refused_with_a_remedy() {
    let folder = killed().await;
    let tables = folder.path().join("keyspaces/0/tables");
    for (table, _) in listing(&tables) {
        fs::remove_file(table).expect("removed");
    }
    unreadable(folder.path());
}

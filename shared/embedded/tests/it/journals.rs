//! Syncs while fjall creates and removes journals, and without free file descriptors.

#![cfg(target_os = "linux")]

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use embedded::{EmbeddedStore, Engine, EngineOptions, journal::Journal};
use ports::store::{Store, Table, Write};

use crate::it::{item, store};

fn journals(folder: &Path) -> Vec<u64> {
    let names = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    let mut numbers: Vec<u64> = names.filter_map(|name| name.to_str()?.strip_suffix(".jnl")?.parse().ok()).collect();
    numbers.sort_unstable();
    numbers
}

/// The journals of `folder` that this process has open read-only: those used for syncs.
fn synced_through(folder: &Path) -> Vec<PathBuf> {
    let mut open = Vec::new();
    for entry in fs::read_dir("/proc/self/fd").expect("descriptors") {
        let entry = entry.expect("a descriptor");
        let Ok(target) = fs::read_link(entry.path()) else { continue };
        let info = fs::read_to_string(Path::new("/proc/self/fdinfo").join(entry.file_name())).unwrap_or_default();
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap_or_default().trim();
        let only_reads = u32::from_str_radix(flags, 8).is_ok_and(|flags| flags & ACCESS_MODE == READ_ONLY);
        if only_reads && target.starts_with(folder) && target.to_string_lossy().contains(".jnl") {
            open.push(target);
        }
    }
    open
}

fn make(folder: &Path, number: u64) -> PathBuf {
    let path = folder.join(format!("{number}.jnl"));
    File::create(&path).expect("made");
    path
}

#[test]
fn journals_removed_unseen_are_skipped() {
    let folder = tempfile::tempdir().expect("a folder");
    let old = make(folder.path(), 7);
    let mut journal = Journal::open(folder.path()).expect("a journal");
    fs::remove_file(old).expect("removed");
    let newest = make(folder.path(), 12);
    journal.follow().expect("followed");
    assert_eq!(synced_through(folder.path()), [newest]);
}

#[test]
fn later_journals_are_followed_in_order() {
    let folder = tempfile::tempdir().expect("a folder");
    make(folder.path(), 7);
    let mut journal = Journal::open(folder.path()).expect("a journal");
    make(folder.path(), 8);
    let newest = make(folder.path(), 9);
    journal.follow().expect("followed");
    assert_eq!(synced_through(folder.path()), [newest]);
}

#[test]
fn following_fails_without_any_journal() {
    let folder = tempfile::tempdir().expect("a folder");
    let only = make(folder.path(), 7);
    let mut journal = Journal::open(folder.path()).expect("a journal");
    fs::remove_file(only).expect("removed");
    journal.follow().expect_err("nothing to sync");
}

/// Real journals, of 64 MB each: more than two of them between two syncs.
#[tokio::test]
async fn a_sync_always_covers_the_journal_in_use() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(folder.path());
    let text = "x".repeat(390_000);
    let put = async |sort: &str| {
        let item = item("p", sort).with("text", text.clone());
        assert!(store.write(Table::Social, Write::put(item)).await.expect("written").is_applied());
    };
    put("first").await;
    store.durable().await.expect("synced");
    let first = journals(folder.path())[0];
    for number in 0.. {
        // Until journals came and went unseen by any sync.
        let there = journals(folder.path());
        if there[0] >= first + 2 {
            break;
        }
        assert!(number < 2_000, "the journals stay: {there:?}");
        put(&number.to_string()).await;
    }
    let in_use = journals(folder.path()).pop().expect("a journal");
    put("last").await;
    store.durable().await.expect("synced");

    // A flush may have created another one since.
    let [synced] = &synced_through(folder.path())[..] else { panic!("one descriptor") };
    let later = (in_use..in_use + 10).map(|number| folder.path().join(format!("{number}.jnl")));
    assert!(later.into_iter().any(|journal| journal == *synced), "{} in place of {in_use}", synced.display());
}

/// The access mode of a descriptor, in the flags of `/proc/self/fdinfo` (`O_ACCMODE` and `O_RDONLY` of Linux).
const ACCESS_MODE: u32 = 0o3;
const READ_ONLY: u32 = 0;

/// `EMFILE`.
const TOO_MANY_OPEN_FILES: i32 = 24;
/// Set in the process with few descriptors.
const CHILD: &str = "TWEETER_TEST_FEW_DESCRIPTORS";

#[test]
fn a_sync_needs_no_free_descriptor() {
    let folder = tempfile::tempdir().expect("a folder");
    let test = "it::journals::writes_with_no_free_descriptor";
    let output = Command::new("sh")
        .args(["-c", r#"ulimit -n 64 && exec "$0" "$@""#])
        .arg(std::env::current_exe().expect("this program"))
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env(CHILD, folder.path())
        .output()
        .expect("a shell");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{}: {said}", output.status);
}

#[tokio::test]
#[ignore = "the other process of the test above"]
async fn writes_with_no_free_descriptor() {
    let Some(folder) = std::env::var_os(CHILD) else { return };
    let store = EmbeddedStore::new(Engine::open(EngineOptions::at(folder)).expect("an engine"));
    let mut held = Vec::new();
    let error = loop {
        match File::open("/dev/null") {
            Ok(file) => held.push(file),
            Err(error) => break error,
        }
    };
    assert_eq!(error.raw_os_error(), Some(TOO_MANY_OPEN_FILES), "{error}");
    assert!(store.write(Table::Social, Write::put(item("p", "s"))).await.expect("written").is_applied());
    store.durable().await.expect("synced");
    drop(held);
}

use std::time::Duration;

use embedded::{Engine, EngineOptions, OpenError};
use ports::{
    queue::{Queue, QueueName},
    store::{Consistency, Store, StoreError, Table, Write},
};

use crate::it::{bodies, engine, engine_by_hand, get, item, key, queue_on, receive, send, store};

#[test]
fn an_open_folder_is_refused_in_one_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let _open = engine(folder.path());
    let error = Engine::open(EngineOptions::at(folder.path())).expect_err("it is open");
    assert!(matches!(error, OpenError::Locked(_)), "{error:?}");
    assert!(error.to_string().contains("is in use by another process"), "{error}");
}

#[test]
fn an_uncreatable_folder_is_refused_in_one_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    std::fs::write(&file, "").expect("a file");
    let error = Engine::open(EngineOptions::at(file.join("data"))).expect_err("a file is not a folder");
    assert!(matches!(error, OpenError::Unwritable(..)), "{error:?}");
    assert_eq!(error.to_string().lines().count(), 1);
}

#[test]
fn a_foreign_folder_is_refused_as_unreadable() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("version"), "not a database").expect("a file");
    let error = Engine::open(EngineOptions::at(folder.path())).expect_err("no database");
    assert!(matches!(error, OpenError::Corrupt(..)), "{error:?}");
}

#[tokio::test]
async fn writes_survive_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let before = store(folder.path());
    let written = item("p", "s").with("name", "value");
    assert!(before.write(Table::Social, Write::put(written.clone())).await.expect("written").is_applied());
    drop(before);
    assert_eq!(get(&store(folder.path()), &key("p", "s")).await, Some(written));
}

#[tokio::test]
async fn a_closed_engine_is_unavailable() {
    let folder = tempfile::tempdir().expect("a folder");
    let engine = engine(folder.path());
    let store = embedded::EmbeddedStore::new(engine.clone());
    engine.close();
    let error = store.write(Table::Social, Write::put(item("p", "s"))).await.expect_err("closed");
    assert!(error.is_transient(), "{error:?}");
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_access_the_folder() {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    let folder = tempfile::tempdir().expect("a folder");
    let open_to_all = |path| fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("its owner may");
    open_to_all(folder.path());
    let path = folder.path().join("data/db");
    let mode = || fs::metadata(&path).expect("there").permissions().mode() & 0o777;
    drop(engine(&path));
    assert_eq!(mode(), 0o700);
    open_to_all(&path);
    drop(engine(&path));
    assert_eq!(mode(), 0o700);
}

fn spoil(path: &std::path::Path, keyspace: &str, spoil: impl FnOnce(&fjall::Keyspace)) {
    use embedded::database::{database_builder, keyspace_options};

    let database = database_builder(path).open().expect("a database");
    spoil(&database.keyspace(keyspace, keyspace_options).expect("a keyspace"));
}

#[tokio::test]
async fn an_undecodable_item_is_malformed_and_not_transient() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(engine(folder.path()));
    spoil(folder.path(), Table::Social.name(), |social| social.insert("p\0s", [255]).expect("written"));
    let store = store(folder.path());
    let error = store.get(Table::Social, &key("p", "s"), Consistency::Strong).await.expect_err("not readable");
    assert!(matches!(error, StoreError::Malformed(_)) && !error.is_transient(), "{error:?}");
    assert!(get(&store, &key("p", "other")).await.is_none());
}

#[tokio::test]
async fn an_undecodable_message_becomes_a_dead_letter() {
    let folder = tempfile::tempdir().expect("a folder");
    send(&queue_on(engine_by_hand(folder.path()).0), &["a", "unreadable", "b"]).await;
    spoil(folder.path(), "messages", |messages| {
        let rows = messages.iter().map(|row| row.into_inner().expect("a row"));
        let (key, mut row) = rows.map(|(key, row)| (key, row.to_vec())).nth(1).expect("three rows");
        *row.last_mut().expect("a body") = 0xff;
        messages.insert(key, row).expect("written");
    });
    let (engine, clock) = engine_by_hand(folder.path());
    let queue = queue_on(engine);
    assert_eq!(bodies(&receive(&queue, 10).await), ["a", "b"]);
    for _ in 1..5 {
        clock.advance(Duration::from_mins(1));
        assert_eq!(bodies(&receive(&queue, 10).await), ["a", "b"]);
    }
    clock.advance(Duration::from_mins(1));
    assert!(receive(&queue, 10).await.is_empty());
    assert_eq!(queue.depth(QueueName::JobDlq).await.expect("a depth").visible, 3);
}

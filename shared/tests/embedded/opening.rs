use shared::{
    embedded::{Engine, EngineOptions, OpenError},
    store::{Store, Table, Write},
};

use crate::{engine, get, item, key, store};

#[test]
fn a_folder_that_is_open_is_refused_in_one_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let _open = engine(folder.path());
    let error = Engine::open(EngineOptions::at(folder.path())).expect_err("it is open");
    assert!(matches!(error, OpenError::Locked(_)), "{error:?}");
    assert!(error.to_string().ends_with("is in use by another process"), "{error}");
}

#[test]
fn a_folder_that_cannot_be_made_is_refused_in_one_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    std::fs::write(&file, "").expect("a file");
    let error = Engine::open(EngineOptions::at(file.join("data"))).expect_err("a file is no folder");
    assert!(matches!(error, OpenError::Unwritable(..)), "{error:?}");
    assert_eq!(error.to_string().lines().count(), 1);
}

#[test]
fn a_folder_of_something_else_is_refused_as_unreadable() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("version"), "not a database").expect("a file");
    let error = Engine::open(EngineOptions::at(folder.path())).expect_err("no database");
    assert!(matches!(error, OpenError::Corrupt(..)), "{error:?}");
}

#[tokio::test]
async fn what_was_written_is_there_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let before = store(folder.path());
    let written = item("p", "s").with("name", "value");
    assert!(before.write(Table::Social, Write::put(written.clone())).await.expect("written").is_applied());
    drop(before);
    assert_eq!(get(&store(folder.path()), &key("p", "s")).await, Some(written));
}

#[tokio::test]
async fn a_closed_engine_answers_as_unavailable() {
    let folder = tempfile::tempdir().expect("a folder");
    let engine = engine(folder.path());
    let store = shared::embedded::EmbeddedStore::new(engine.clone());
    engine.close();
    let error = store.write(Table::Social, Write::put(item("p", "s"))).await.expect_err("closed");
    assert!(error.is_transient(), "{error:?}");
}

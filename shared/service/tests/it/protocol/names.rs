//! The functions that the steps stand for exist.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

fn read_all(folder: &Path, files: &mut BTreeMap<PathBuf, String>) {
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            read_all(&path, files);
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.insert(path.clone(), fs::read_to_string(path).unwrap());
        }
    }
}

/// The Rust files in a folder of the repository.
fn sources(folder: &str) -> BTreeMap<PathBuf, String> {
    let mut files = BTreeMap::new();
    read_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut files);
    files
}

/// Each `Type::function` in backticks in a doc comment.
fn named(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let comments = text.lines().map(str::trim_start).filter(|line| line.starts_with("//!") || line.starts_with("///"));
    let quoted = comments.flat_map(|line| line.split('`').skip(1).step_by(2));
    let pairs = quoted.filter_map(|quoted| quoted.split_once("::"));
    pairs.filter(|(owner, function)| owner.starts_with(char::is_uppercase) && function.starts_with(char::is_lowercase))
}

#[test]
fn the_functions_named_in_steps_exist() {
    let shared = sources("..");
    let exists = |(owner, function): &(&str, &str)| {
        shared
            .values()
            .any(|text| text.contains(&format!("impl {owner} {{")) && text.contains(&format!("fn {function}(")))
    };
    let model = sources("../../protocol-model/src");
    let names: Vec<_> = model.values().flat_map(|text| named(text)).collect();
    let missing: Vec<_> = names.iter().filter(|name| !exists(name)).collect();
    assert!(missing.is_empty(), "not in shared/: {missing:?}");
    assert!(names.len() >= 30, "{}", names.len());
}

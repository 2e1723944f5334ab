//! The profiles of the functions, and the crates without a test binary. cargo-lambda, which `sam build` runs, passes
//! `--release` and sets each key of that profile that the workspace leaves out.

use std::{
    fs,
    path::{Path, PathBuf},
};

use deploy_checks::Template;
use toml::{Table, Value};

fn table(path: &str) -> Table {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn profile(of: &Table, name: &str) -> Table {
    let profile = of.get("profile").and_then(|profiles| profiles.get(name));
    profile.and_then(Value::as_table).unwrap_or_else(|| panic!("there is no profile {name}")).clone()
}

#[test]
fn the_release_profile_leaves_nothing_to_cargo_lambda() {
    let release = profile(&table("Cargo.toml"), "release");
    assert_eq!(release.get("panic").and_then(Value::as_str), Some("unwind"), "or one panic fails a whole batch");
    for key in ["strip", "lto", "codegen-units"] {
        assert!(release.contains_key(key), "cargo-lambda would set {key} by itself");
    }
}

#[test]
fn sam_builds_each_function_with_the_lambda_profile() {
    let mut lambda = profile(&table("Cargo.toml"), "lambda");
    assert_eq!(lambda.remove("inherits"), Some(Value::from("release")));
    let template = Template::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml")).unwrap();
    for function in template.functions() {
        let code = function.code();
        let release = profile(&table(&format!("{code}/.cargo/config.toml")), "release");
        assert_eq!(release, lambda, "{code}/.cargo/config.toml");
    }
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let inner = folders.iter().flat_map(|folder| sources(folder));
    inner.chain(files.into_iter().filter(|file| file.extension().is_some_and(|end| end == "rs"))).collect()
}

#[test]
fn a_crate_without_test_binary_holds_no_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let members = table("Cargo.toml")["workspace"]["members"].as_array().unwrap().clone();
    for member in members.iter().filter_map(Value::as_str) {
        let library = table(&format!("{member}/Cargo.toml")).get("lib").cloned();
        if library.as_ref().and_then(|library| library.get("test")).and_then(Value::as_bool) != Some(false) {
            continue;
        }
        for file in sources(&root.join(member).join("src")) {
            let text = fs::read_to_string(&file).unwrap();
            let holds_tests = text.contains("#[cfg(test)]");
            assert!(!holds_tests, "{}: {member} says `test = false`, so no test of it runs", file.display());
        }
    }
}

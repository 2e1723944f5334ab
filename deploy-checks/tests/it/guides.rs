//! The guides in docs/changing quote code and name files and tests: the quotes are verbatim, and the names exist.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

const GUIDES: &str = "docs/changing";
/// Folders without the project's sources.
const NOT_OURS: [&str; 2] = ["target", ".git"];
/// A name in backticks with at least this many underscores is a test's.
const UNDERSCORES_OF_A_TEST: usize = 3;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn guides() -> Vec<(String, String)> {
    let files = fs::read_dir(root().join(GUIDES)).unwrap().map(|entry| entry.unwrap().path());
    let guides: Vec<_> = files.map(|path| (path.display().to_string(), fs::read_to_string(&path).unwrap())).collect();
    assert!(!guides.is_empty(), "{GUIDES} is empty");
    guides
}

/// A fenced block: its info string and its lines.
struct Block<'a> {
    info: &'a str,
    lines: Vec<&'a str>,
}

fn blocks(guide: &str) -> Vec<Block<'_>> {
    let mut lines = guide.lines();
    let mut blocks = Vec::new();
    while let Some(line) = lines.next() {
        if let Some(info) = line.trim_start().strip_prefix("```") {
            let lines = lines.by_ref().take_while(|line| line.trim() != "```").collect();
            blocks.push(Block { info, lines });
        }
    }
    blocks
}

/// The lines without their common indentation.
fn dedent<'a>(lines: &[&'a str]) -> Vec<&'a str> {
    let indents = lines.iter().filter(|line| !line.trim().is_empty()).map(|line| line.len() - line.trim_start().len());
    let common = indents.min().unwrap_or(0);
    lines.iter().map(|line| line.get(common..).unwrap_or("")).collect()
}

/// The complaint about an excerpt of Rust, if any; `source` reads a file of the repository.
fn complaint(block: &Block<'_>, source: impl Fn(&str) -> Option<String>) -> Option<String> {
    let info = block.info.strip_prefix("rust")?;
    let title = info.trim().strip_prefix("title=\"").and_then(|title| title.strip_suffix('"'));
    let Some(file) = title else { return Some(format!("```{} names no file", block.info)) };
    let Some(text) = source(file) else { return Some(format!("{file} does not exist")) };
    let (excerpt, lines) = (dedent(&block.lines), text.lines().collect::<Vec<_>>());
    let found = !excerpt.is_empty() && lines.windows(excerpt.len()).any(|window| dedent(window) == excerpt);
    (!found).then(|| format!("{file} does not contain:\n{}", excerpt.join("\n")))
}

fn in_backticks(guide: &str) -> impl Iterator<Item = &str> {
    let prose = guide.lines().filter(|line| !line.trim_start().starts_with("```"));
    prose.flat_map(|line| line.split('`').skip(1).step_by(2))
}

fn is_path(text: &str) -> bool {
    text.contains('/') && [".rs", ".md", ".yaml", ".js", ".mjs", ".ts"].iter().any(|end| text.ends_with(end))
}

fn is_test_name(text: &str) -> bool {
    let is_name = text.chars().all(|letter| letter == '_' || letter.is_ascii_lowercase() || letter.is_ascii_digit());
    is_name && text.matches('_').count() >= UNDERSCORES_OF_A_TEST
}

/// The names of all functions in the repository's Rust files.
fn functions(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        let is_ours = !NOT_OURS.iter().any(|name| entry.file_name() == *name);
        if is_ours && entry.file_type().unwrap().is_dir() {
            functions(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            names.extend(text.split("fn ").skip(1).filter_map(|rest| Some(rest.split_once(['(', '<'])?.0.to_owned())));
        }
    }
}

#[test]
fn every_excerpt_is_in_its_file() {
    let source = |file: &str| fs::read_to_string(root().join(file)).ok();
    for (name, guide) in guides() {
        let complaints: Vec<_> = blocks(&guide).iter().filter_map(|block| complaint(block, source)).collect();
        assert!(complaints.is_empty(), "{name}:\n{}", complaints.join("\n"));
    }
}

#[test]
fn every_file_and_test_named_exists() {
    let mut names = BTreeSet::new();
    functions(&root(), &mut names);
    for (name, guide) in guides() {
        for text in in_backticks(&guide) {
            assert!(!is_path(text) || root().join(text).is_file(), "{name}: {text} does not exist");
            assert!(!is_test_name(text) || names.contains(text), "{name}: there is no test {text}");
        }
    }
}

#[test]
fn excerpts_match_verbatim_except_for_indentation() {
    let source = |file: &str| (file == "a.rs").then(|| "fn a() {\n    if b {\n        c();\n    }\n}\n".to_owned());
    let complaints = |guide: &str| blocks(guide).iter().filter_map(|block| complaint(block, source)).count();
    assert_eq!(complaints("```rust title=\"a.rs\"\nif b {\n    c();\n}\n```\n"), 0);
    assert_eq!(complaints("  ```rust title=\"a.rs\"\n  c();\n  ```\n"), 0);
    assert_eq!(complaints("```sh\nls\n```\n"), 0);
    for wrong in [
        "```rust\nc();\n```\n",
        "```rust title=\"b.rs\"\nc();\n```\n",
        "```rust title=\"a.rs\"\nd();\n```\n",
        "```rust title=\"a.rs\"\nif b {\nc();\n}\n```\n",
        "```rust title=\"a.rs\"\n```\n",
    ] {
        assert_eq!(complaints(wrong), 1, "{wrong}");
    }
}

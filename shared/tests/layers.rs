//! The layers of the house style, held by reading the sources: an import that points the wrong way fails here.

use std::{fs, path::Path};

/// What the files below a folder must not mention, and why.
const FORBIDDEN: &[(&str, &[&str], &str)] = &[
    (
        "domain",
        &[
            "crate::store",
            "crate::queue",
            "crate::dao",
            "crate::service",
            "crate::http",
            "aws_",
            "axum",
            "lambda_",
            "fjall",
        ],
        "the domain imports nothing of ours and no AWS, axum or Lambda crate",
    ),
    (
        "service",
        &[
            "aws_sdk",
            "axum",
            "http::",
            "std::env",
            "SystemTime",
            "Clock::System",
            "crate::embedded",
            "crate::aws",
            "TableScan",
        ],
        "a service sees no SDK, no HTTP, no environment, no wall clock and no scan",
    ),
    (
        "dao",
        &["aws_sdk", "axum", "fjall", "crate::queue", "crate::service", "crate::embedded", "crate::aws", "TableScan"],
        "a DAO knows the store's port and nothing above it, and scans nothing",
    ),
    ("store", &["aws_", "fjall", "axum", "crate::dao", "crate::service"], "a port knows no adapter"),
    ("queue", &["aws_", "fjall", "axum", "crate::dao", "crate::service"], "a port knows no adapter"),
    ("http", &["aws_", "fjall", "crate::dao", "crate::embedded", "crate::aws"], "HTTP speaks to services"),
];

#[test]
fn no_layer_reaches_where_it_must_not() {
    let mut found = Vec::new();
    for (layer, words, reason) in FORBIDDEN {
        visit(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(layer), &mut |path, source| {
            for (number, line) in code_of(source) {
                for word in words.iter().filter(|word| mentions(line, word)) {
                    found.push(format!("{}:{number}: `{word}`: {reason}", path.display()));
                }
            }
        });
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// The numbered lines before the tests of a file that are no comments.
fn code_of(source: &str) -> impl Iterator<Item = (usize, &str)> {
    source
        .lines()
        .enumerate()
        .map(|(at, line)| (at + 1, line.trim()))
        .take_while(|(_, line)| *line != "#[cfg(test)]")
        .filter(|(_, line)| !line.starts_with("//"))
}

/// Whether a line has the word, not as the tail of a longer one.
fn mentions(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || (c == ':' && !word.starts_with("crate")))
    })
}

fn visit(folder: &Path, each: &mut dyn FnMut(&Path, &str)) {
    for entry in fs::read_dir(folder).expect("the layer has a folder") {
        let path = entry.expect("the folder can be read").path();
        if path.is_dir() {
            visit(&path, each);
        } else {
            each(&path, &fs::read_to_string(&path).expect("a source can be read"));
        }
    }
}

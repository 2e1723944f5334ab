//! The output of commands with `--json`.

use serde::Serialize;

/// An answer as indented JSON, with a final newline.
pub(crate) fn json<T: Serialize>(answer: &T) -> String {
    let text = serde_json::to_string_pretty(answer).expect("structs of text and numbers serialise");
    format!("{text}\n")
}

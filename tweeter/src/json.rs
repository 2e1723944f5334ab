//! What commands print with `--json`.

use serde::Serialize;

/// An answer as indented JSON and a line's end.
pub(crate) fn json<T: Serialize>(answer: &T) -> String {
    let text = serde_json::to_string_pretty(answer).expect("structs of text and numbers serialise");
    format!("{text}\n")
}

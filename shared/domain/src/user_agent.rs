//! The program that began a session, by its own description.

use std::fmt;

use crate::limits;

/// A client's description of itself from `User-Agent`, sanitized for storage and display: without control characters
/// and bidirectional controls, at most [`limits::MAX_USER_AGENT_CHARS`] characters. It is never relied on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserAgent(String);

impl UserAgent {
    /// Sanitizes a header value; `None` if nothing remains. Bytes that are not UTF-8 become U+FFFD.
    pub fn from_header(value: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(value);
        let shown = text.chars().filter(|char| !char.is_control() && !is_bidirectional_control(*char));
        let kept: String = shown.take(limits::MAX_USER_AGENT_CHARS).collect();
        let kept = kept.trim();
        (!kept.is_empty()).then(|| Self(kept.to_owned()))
    }

    /// Wraps a stored value.
    pub const fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserAgent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a character can reorder the display of others (the embeddings, overrides and isolates of Unicode Standard
/// Annex 9).
const fn is_bidirectional_control(char: char) -> bool {
    matches!(char, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn long_values_are_cut_and_empty_ones_dropped() {
        let long = "🦀".repeat(limits::MAX_USER_AGENT_CHARS + 1);
        let kept = UserAgent::from_header(long.as_bytes()).unwrap();
        assert_eq!(kept.as_str().chars().count(), limits::MAX_USER_AGENT_CHARS);
        for nothing in ["", "  ", "\t", "\u{202E}"] {
            assert_eq!(UserAgent::from_header(nothing.as_bytes()), None, "{nothing:?}");
        }
        let deceptive = "Fire\u{202E}fox\t 1\u{0}".as_bytes();
        assert_eq!(UserAgent::from_header(deceptive).unwrap().as_str(), "Firefox 1");
    }

    proptest! {
        #[test]
        fn any_bytes_become_displayable_text(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            if let Some(agent) = UserAgent::from_header(&bytes) {
                let chars = agent.as_str().chars().count();
                prop_assert!((1..=limits::MAX_USER_AGENT_CHARS).contains(&chars));
                prop_assert!(!agent.as_str().contains(|char: char| char.is_control() || is_bidirectional_control(char)));
            }
        }
    }
}

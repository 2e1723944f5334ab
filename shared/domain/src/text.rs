//! Texts that people choose. A value of one of these types has been checked; `parse` is the only way to make one.
//!
//! Lengths count Unicode scalar values of what is stored. Text is stored as sent, with three exceptions: handles are
//! lower-cased, e-mail addresses are trimmed, and in bios, posts and comments CR LF becomes LF.
//!
//! - [`characters`]: which characters can be seen, and which reorder the text around them.
//! - `rules`: what must hold of each kind of text.

pub mod characters;
mod invalid;
mod rules;
#[cfg(test)]
mod tests;

use std::fmt;

use crate::limits;
pub use invalid::Invalid;

/// A user's unique name: 3 to 30 of `a-z`, `0-9` and `_`, lower-cased on input.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Handle(String);

impl Handle {
    /// Lower-cases ASCII letters and checks the rest.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let lowered = text.to_ascii_lowercase();
        let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
        if limits::HANDLE_CHARS.contains(&lowered.len()) && lowered.bytes().all(allowed) {
            Ok(Self(lowered))
        } else {
            Err(Invalid("must be 3 to 30 characters of a-z, 0-9 and _"))
        }
    }
}

/// An e-mail address: at most 254 characters (RFC 5321, section 4.5.3.1.3, less the brackets), trimmed, with one `@`
/// between two parts. Kept as sent, compared lower-cased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email(String);

impl Email {
    /// Trims and checks. Whether the address receives mail is not asked.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let trimmed = text.trim();
        if trimmed.chars().count() > limits::MAX_EMAIL_CHARS {
            return Err(Invalid("must be at most 254 characters"));
        }
        let plausible = trimmed
            .split_once('@')
            .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty() && !domain.contains('@'));
        let clean = !trimmed.chars().any(|c| c.is_whitespace() || c.is_control());
        if plausible && clean { Ok(Self(trimmed.to_owned())) } else { Err(Invalid("must be an e-mail address")) }
    }

    /// The form in which addresses are compared and claimed.
    pub fn canonical(&self) -> String {
        self.0.to_lowercase()
    }
}

/// The name shown beside a post: 1 to 50 characters, one of them visible, without control characters and bidirectional
/// controls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisplayName(String);

impl DisplayName {
    /// Checks length and characters. The error names the first fault.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        rules::DISPLAY_NAME.check(text).map(Self)
    }
}

impl From<&Handle> for DisplayName {
    /// The name of who did not choose one.
    fn from(handle: &Handle) -> Self {
        Self(handle.0.clone())
    }
}

/// What a user says about themselves: 0 to 160 characters, of the control characters only line feeds and tabs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bio(String);

impl Bio {
    /// Checks length and characters. The error names the first fault.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        rules::BIO.check(text).map(Self)
    }
}

/// What a comment says: 1 to 500 characters, one of them visible, of the control characters only line feeds and tabs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommentText(String);

impl CommentText {
    /// Checks length and characters. The error names the first fault.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        rules::COMMENT.check(text).map(Self)
    }
}

/// What a post says: 1 to 500 characters, one of them visible, of the control characters only line feeds and tabs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostText(String);

impl PostText {
    /// Checks length and characters. The error names the first fault.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        rules::POST.check(text).map(Self)
    }
}

macro_rules! plain_text {
    ($($text:ident),*) => {$(
        impl $text {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Takes a text that was checked before it was stored, by the rules of that time.
            pub fn from_stored(text: String) -> Self {
                Self(text)
            }
        }

        impl fmt::Display for $text {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

plain_text!(Handle, Email, DisplayName, Bio, PostText, CommentText);

/// A password as a person typed it: 8 to 128 characters. Neither shown by `Debug` nor by any other means.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Checks the length.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if limits::PASSWORD_CHARS.contains(&text.chars().count()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid("must be 8 to 128 characters"))
        }
    }

    /// The bytes to hash.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

//! Texts chosen by users. Values of these types are validated; `parse` is the only way to make one from user input.
//!
//! Lengths count the Unicode scalar values of the stored text. Text is stored as sent, with three exceptions: handles
//! are lower-cased, e-mail addresses are trimmed, and in bios, posts, comments and descriptions CR LF becomes LF.
//!
//! - [`characters`]: which characters are visible, and which reorder the text around them.
//! - `rules`: the rules of each kind of text.

pub mod characters;
mod invalid;
mod rules;
#[cfg(test)]
mod tests;

use std::fmt;

use crate::limits;
pub use invalid::Invalid;

/// A user's unique name: [`limits::HANDLE_CHARS`] of `a-z`, `0-9` and `_`, lower-cased on input.
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

/// An e-mail address: at most [`limits::MAX_EMAIL_CHARS`] characters, trimmed, with one `@` between two non-empty parts.
/// Stored as sent, compared lower-cased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email(String);

impl Email {
    /// Trims and validates the text. Whether the address receives mail is not verified.
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

    /// The lower-cased form by which addresses are compared and claimed.
    pub fn canonical(&self) -> String {
        self.0.to_lowercase()
    }
}

/// The name shown beside a post: up to [`limits::MAX_DISPLAY_NAME_CHARS`] characters, one of them visible, without
/// control characters and bidirectional controls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisplayName(String);

impl DisplayName {
    /// Validates length and characters. The error names the first fault.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        rules::DISPLAY_NAME.check(text).map(Self)
    }
}

impl From<&Handle> for DisplayName {
    /// The default name of a new user.
    fn from(handle: &Handle) -> Self {
        Self(handle.0.clone())
    }
}

/// A user's profile text: up to [`limits::MAX_BIO_CHARS`] characters, or empty; the only control characters allowed are
/// line feeds and tabs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bio(String);

impl Bio {
    /// Validates length and characters. The error names the first fault.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        rules::BIO.check(text).map(Self)
    }
}

/// The text of a comment: up to [`limits::MAX_COMMENT_CHARS`] characters, one of them visible; the only control
/// characters allowed are line feeds and tabs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommentText(String);

impl CommentText {
    /// Validates length and characters. The error names the first fault.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        rules::COMMENT.check(text).map(Self)
    }
}

/// The text of a post: up to [`limits::MAX_POST_CHARS`] characters, one of them visible; the only control characters
/// allowed are line feeds and tabs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostText(String);

impl PostText {
    /// Validates length and characters. The error names the first fault.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        rules::POST.check(text).map(Self)
    }

    /// The same for a post with pictures: the text may be empty, and need not have a visible character.
    pub fn parse_caption(text: &str) -> Result<Self, Invalid> {
        rules::CAPTION.check(text).map(Self)
    }
}

/// The description of a picture for people who do not see it: up to [`limits::MAX_MEDIA_DESCRIPTION_CHARS`] characters, or
/// empty; the only control characters allowed are line feeds and tabs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MediaDescription(String);

impl MediaDescription {
    /// Validates length and characters. The error names the first fault.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        rules::MEDIA_DESCRIPTION.check(text).map(Self)
    }
}

macro_rules! plain_text {
    ($($text:ident),*) => {$(
        impl $text {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Accepts a stored text without validation: it was validated by the rules in force when it was stored.
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

plain_text!(Handle, Email, DisplayName, Bio, PostText, CommentText, MediaDescription);

/// A plaintext password of [`limits::PASSWORD_CHARS`]. No formatting, `Debug` included, reveals it.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Validates the length.
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

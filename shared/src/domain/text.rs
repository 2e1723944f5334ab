//! Texts that people choose. A value of one of these types has been checked; `parse` is the only way to make one.
//!
//! Lengths count Unicode scalar values. Text is stored as sent; only handles and e-mail addresses are normalised.

use std::fmt;

use crate::limits;

/// Why a text was refused, in words for the person who sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(pub &'static str);

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

/// The name shown beside a post: 1 to 50 characters, not only white space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisplayName(String);

impl DisplayName {
    /// Checks the length.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if is_blank(text) || text.chars().count() > limits::MAX_DISPLAY_NAME_CHARS {
            return Err(Invalid("must be 1 to 50 characters, not only white space"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl From<&Handle> for DisplayName {
    /// The name of who did not choose one.
    fn from(handle: &Handle) -> Self {
        Self(handle.0.clone())
    }
}

/// What a user says about themselves: 0 to 160 characters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bio(String);

impl Bio {
    /// Checks the length.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if text.chars().count() > limits::MAX_BIO_CHARS {
            return Err(Invalid("must be at most 160 characters"));
        }
        Ok(Self(text.to_owned()))
    }
}

/// What a comment says: 1 to 500 characters, not only white space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommentText(String);

impl CommentText {
    /// Checks the length.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if is_blank(text) || text.chars().count() > limits::MAX_COMMENT_CHARS {
            return Err(Invalid("must be 1 to 500 characters, not only white space"));
        }
        Ok(Self(text.to_owned()))
    }
}

/// What a post says: 1 to 500 characters, not only white space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostText(String);

impl PostText {
    /// Checks the length.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if is_blank(text) || text.chars().count() > limits::MAX_POST_CHARS {
            return Err(Invalid("must be 1 to 500 characters, not only white space"));
        }
        Ok(Self(text.to_owned()))
    }
}

fn is_blank(text: &str) -> bool {
    text.chars().all(char::is_whitespace)
}

macro_rules! plain_text {
    ($($text:ident),*) => {$(
        impl $text {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Takes a text that was checked before it was stored.
            pub(crate) fn from_stored(text: String) -> Self {
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
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_lower_cased_and_has_edges() {
        assert_eq!(Handle::parse("Alice_99").unwrap().as_str(), "alice_99");
        assert!(Handle::parse("abc").is_ok());
        assert!(Handle::parse(&"a".repeat(30)).is_ok());
        for bad in ["ab", &"a".repeat(31), "a b", "a-b", "älice", "@abc", ""] {
            assert!(Handle::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_email_is_trimmed_and_compared_lower_cased() {
        let email = Email::parse("  Bob@Example.org ").unwrap();
        assert_eq!(email.as_str(), "Bob@Example.org");
        assert_eq!(email.canonical(), "bob@example.org");
        assert!(Email::parse(&format!("{}@b", "a".repeat(252))).is_ok());
        for bad in ["", "@", "a@", "@b", "a@b@c", "a b@c", "a\n@b", &format!("{}@b", "a".repeat(253))] {
            assert!(Email::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_post_counts_scalar_values() {
        assert!(PostText::parse(&"🦀".repeat(500)).is_ok());
        assert!(PostText::parse(&"🦀".repeat(501)).is_err());
        assert!(PostText::parse(" \n\u{3000}").is_err());
        assert_eq!(PostText::parse(" as sent ").unwrap().as_str(), " as sent ");
    }

    #[test]
    fn a_password_does_not_show() {
        let password = Password::parse("correct horse").unwrap();
        assert_eq!(format!("{password:?}"), "Password(..)");
        assert!(Password::parse("1234567").is_err());
        assert!(Password::parse(&"é".repeat(128)).is_ok());
        assert!(Password::parse(&"é".repeat(129)).is_err());
    }
}

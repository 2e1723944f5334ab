//! The rules of each kind of text.

use std::{borrow::Cow, ops::RangeInclusive};

use super::{
    characters::{is_bidi_control, is_visible},
    invalid::Invalid,
};
use crate::limits;

/// The rules of a kind of text.
#[derive(Debug)]
pub(super) struct Rules {
    layout: Layout,
    /// The allowed length of the stored text. If it excludes 0, a visible character is required.
    length: RangeInclusive<usize>,
    wrong_length: &'static str,
}

/// The layout in which a text is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// In a line beside other texts: no control characters and no bidirectional controls.
    Line,
    /// As a separate block: line feeds and tabs are the only control characters allowed. CR LF becomes LF.
    Block,
}

pub(super) const DISPLAY_NAME: Rules = Rules {
    layout: Layout::Line,
    length: 1..=limits::MAX_DISPLAY_NAME_CHARS,
    wrong_length: "must be 1 to 50 characters",
};
pub(super) const BIO: Rules =
    Rules { layout: Layout::Block, length: 0..=limits::MAX_BIO_CHARS, wrong_length: "must be at most 160 characters" };
pub(super) const POST: Rules =
    Rules { layout: Layout::Block, length: 1..=limits::MAX_POST_CHARS, wrong_length: "must be 1 to 500 characters" };
pub(super) const CAPTION: Rules =
    Rules { layout: Layout::Block, length: 0..=limits::MAX_POST_CHARS, wrong_length: "must be at most 500 characters" };
pub(super) const MEDIA_DESCRIPTION: Rules = Rules {
    layout: Layout::Block,
    length: 0..=limits::MAX_MEDIA_DESCRIPTION_CHARS,
    wrong_length: "must be at most 1500 characters",
};
pub(super) const COMMENT: Rules =
    Rules { layout: Layout::Block, length: 1..=limits::MAX_COMMENT_CHARS, wrong_length: "must be 1 to 500 characters" };

impl Rules {
    /// Validates a text and returns it in its stored form.
    pub(super) fn check(&self, text: &str) -> Result<String, Invalid> {
        let text = self.layout.stored(text);
        if !self.length.contains(&text.chars().count()) {
            return Err(Invalid(self.wrong_length));
        }
        self.layout.check(&text)?;
        if !self.length.contains(&0) && !text.chars().any(is_visible) {
            return Err(Invalid("must have a visible character"));
        }
        Ok(text.into_owned())
    }
}

impl Layout {
    fn stored(self, text: &str) -> Cow<'_, str> {
        match self {
            Self::Block if text.contains("\r\n") => text.replace("\r\n", "\n").into(),
            Self::Block | Self::Line => text.into(),
        }
    }

    fn check(self, text: &str) -> Result<(), Invalid> {
        match self {
            Self::Line if text.chars().any(char::is_control) => {
                Err(Invalid("must not contain control characters, line breaks and tabs included"))
            }
            Self::Line if text.chars().any(is_bidi_control) => {
                Err(Invalid("must not contain bidirectional controls (U+202A to U+202E, U+2066 to U+2069)"))
            }
            Self::Block if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')) => {
                Err(Invalid("must not contain control characters other than line breaks and tabs"))
            }
            Self::Line | Self::Block => Ok(()),
        }
    }
}

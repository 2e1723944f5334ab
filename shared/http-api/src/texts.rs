//! Schemas of the texts that people write: the rules of [`domain::text`] in terms of JSON Schema.
//!
//! A schema counts CR LF as two characters, the service stores and counts one, so a text with CR LF may exceed its
//! schema's maximum length and still be accepted.

use std::{fmt::Write as _, ops::RangeInclusive, sync::LazyLock};

use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

use domain::{
    limits,
    text::characters::{BIDI_CONTROLS, blank_ranges},
};

/// `General_Category` Cc in a character class.
const CONTROLS: &str = r"\u0000-\u001F\u007F-\u009F";
/// As [`CONTROLS`], without tab and line feed.
const CONTROLS_OF_A_LINE: &str = r"\u0000-\u0008\u000B-\u001F\u007F-\u009F";

static DISPLAY_NAME: LazyLock<String> = LazyLock::new(|| {
    let bidi = BIDI_CONTROLS.iter().map(|range| u32::from(*range.start())..=u32::from(*range.end()));
    let refused = format!("{CONTROLS}{}", class_of(bidi));
    format!("^[^{refused}]*[^{refused}{}][^{refused}]*$", class_of(blank_ranges()))
});
static BLOCK: LazyLock<String> = LazyLock::new(|| {
    let any = any_of_a_block();
    format!("^{any}[^{CONTROLS}{}]{any}$", class_of(blank_ranges()))
});
static BLOCK_OR_NOTHING: LazyLock<String> = LazyLock::new(|| format!("^{}$", any_of_a_block()));

/// A display name.
pub fn display_name() -> Object {
    let description = "The display name. It has a visible character, and neither control characters (line breaks and \
                       tabs included) nor bidirectional controls (U+202A to U+202E, U+2066 to U+2069).";
    text(description, 1..=limits::MAX_DISPLAY_NAME_CHARS, &DISPLAY_NAME, "Alice")
}

/// A profile text.
pub fn bio() -> Object {
    let description = "The profile text. Its only control characters are line breaks and tabs; CR LF is stored \
                       as LF.";
    text(description, 0..=limits::MAX_BIO_CHARS, &BLOCK_OR_NOTHING, "Looks through glasses")
}

/// A post's text.
pub fn post() -> Object {
    let description = "The text. Without media it has 1 character or more, one of them visible. Its only control \
                       characters are line breaks and tabs; CR LF is stored as LF.";
    text(description, 0..=limits::MAX_POST_CHARS, &BLOCK_OR_NOTHING, "Hello, world")
}

/// The description of a picture.
pub fn media_description() -> Object {
    let description = "The description for people who do not see the picture. Its only control characters are line \
                       breaks and tabs; CR LF is stored as LF.";
    let example = "A crab on a beach, waving";
    text(description, 0..=limits::MAX_MEDIA_DESCRIPTION_CHARS, &BLOCK_OR_NOTHING, example)
}

/// A comment's text.
pub fn comment() -> Object {
    text(BLOCK_DESCRIPTION, 1..=limits::MAX_COMMENT_CHARS, &BLOCK, "Well said")
}

const BLOCK_DESCRIPTION: &str = "The text. It has a visible character, and its only control characters are line breaks \
                                 and tabs; CR LF is stored as LF.";

fn text(description: &str, length: RangeInclusive<usize>, pattern: &str, example: &str) -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(description))
        .min_length((*length.start() > 0).then_some(*length.start()))
        .max_length(Some(*length.end()))
        .pattern(Some(pattern))
        .examples([example])
        .build()
}

fn any_of_a_block() -> String {
    format!(r"(?:[^{CONTROLS_OF_A_LINE}]|\r\n)*")
}

/// Ranges of code points in the syntax of a character class. Those past U+FFFF appear literally: regular expression
/// dialects share no escape for them.
fn class_of(ranges: impl Iterator<Item = RangeInclusive<u32>>) -> String {
    let mut class = String::new();
    for range in ranges {
        push_code_point(&mut class, *range.start());
        class.push('-');
        push_code_point(&mut class, *range.end());
    }
    class
}

fn push_code_point(class: &mut String, code_point: u32) {
    match char::from_u32(code_point) {
        Some(character) if code_point > 0xFFFF => class.push(character),
        _ => write!(class, "\\u{code_point:04X}").expect("a string takes all that is written"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::*;
    use domain::{Bio, CommentText, DisplayName, MediaDescription, PostText};

    fn judged_alike(text: &str, patterns: &[Regex; 3]) {
        let [name, block, bio] = patterns;
        for (pattern, is_good) in [
            (name, DisplayName::parse(text).is_ok()),
            (block, PostText::parse(text).is_ok()),
            (block, CommentText::parse(text).is_ok()),
            (bio, Bio::parse(text).is_ok()),
            (bio, PostText::parse_caption(text).is_ok()),
            (bio, MediaDescription::parse(text).is_ok()),
        ] {
            assert_eq!(pattern.is_match(text), is_good, "{:?} by {pattern}", text.escape_unicode().to_string());
        }
    }

    static PATTERNS: LazyLock<[Regex; 3]> = LazyLock::new(patterns);

    fn patterns() -> [Regex; 3] {
        [&DISPLAY_NAME, &BLOCK, &BLOCK_OR_NOTHING].map(|pattern| Regex::new(pattern).unwrap())
    }

    #[test]
    fn patterns_and_rules_have_the_same_boundaries() {
        let controls = [0x00..=0x1F, 0x09..=0x0A, 0x7F..=0x9F, 0x202A..=0x202E, 0x2066..=0x2069];
        for range in controls.into_iter().chain(blank_ranges()) {
            let around = [range.start().saturating_sub(1), *range.start(), *range.end(), range.end() + 1];
            for character in around.into_iter().filter_map(char::from_u32) {
                judged_alike(&character.to_string(), &PATTERNS);
                judged_alike(&format!("x{character}"), &PATTERNS);
            }
        }
        judged_alike("x\r\n", &PATTERNS);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn patterns_match_what_the_rules_accept(text in proptest::collection::vec(any::<char>(), 1..50)) {
            judged_alike(&text.into_iter().collect::<String>(), &PATTERNS);
        }
    }
}

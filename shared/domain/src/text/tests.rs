//! Checks the rules of texts against a second statement of them in regular expressions, whose Unicode tables come from
//! another library.

use std::{collections::BTreeSet, sync::LazyLock};

use proptest::prelude::*;
use regex::Regex;
use rstest::rstest;

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
fn a_caption_may_be_empty() {
    for text in ["", "\u{3000}", &"🦀".repeat(500)] {
        assert_eq!(PostText::parse_caption(text).unwrap().as_str(), text);
    }
    assert_eq!(PostText::parse_caption(&"x".repeat(501)), Err(Invalid("must be at most 500 characters")));
}

#[test]
fn debug_hides_the_password() {
    let password = Password::parse("correct horse").unwrap();
    assert_eq!(format!("{password:?}"), "Password(..)");
    assert!(Password::parse("1234567").is_err());
    assert!(Password::parse(&"é".repeat(128)).is_ok());
    assert!(Password::parse(&"é".repeat(129)).is_err());
}

/// The contract of a kind of text, stated independently: rejected characters, maximum length, and whether a visible
/// character is required.
struct Contract {
    refused: Regex,
    most: usize,
    is_needed: bool,
    parse: fn(&str) -> Option<String>,
}

/// Blank look-alikes are listed individually: no Unicode property covers them.
const BLANK: &str = r"[\p{White_Space}\p{Default_Ignorable_Code_Point}\p{Cc}\u{2800}\u{FFF9}-\u{FFFB}\u{13430}-\u{1343F}\u{13441}\u{13442}\u{16FE4}\u{1D159}]";

static ONLY_BLANK: LazyLock<Regex> = LazyLock::new(|| Regex::new(&format!("^{BLANK}*$")).unwrap());
static CONTRACTS: LazyLock<[(&str, Contract); 6]> = LazyLock::new(contracts);

fn contracts() -> [(&'static str, Contract); 6] {
    let contract = |refused: &str, most, is_needed, parse| Contract {
        refused: Regex::new(refused).unwrap(),
        most,
        is_needed,
        parse,
    };
    let (line, block) = (r"[\p{Cc}\u{202A}-\u{202E}\u{2066}-\u{2069}]", r"[\p{Cc}--\n\t]");
    [
        (
            "display name",
            contract(line, 50, true, |text| DisplayName::parse(text).ok().map(|it| it.as_str().to_owned())),
        ),
        ("bio", contract(block, 160, false, |text| Bio::parse(text).ok().map(|it| it.as_str().to_owned()))),
        ("post", contract(block, 500, true, |text| PostText::parse(text).ok().map(|it| it.as_str().to_owned()))),
        (
            "caption",
            contract(block, 500, false, |text| PostText::parse_caption(text).ok().map(|it| it.as_str().to_owned())),
        ),
        (
            "description of a picture",
            contract(block, 1_500, false, |text| MediaDescription::parse(text).ok().map(|it| it.as_str().to_owned())),
        ),
        ("comment", contract(block, 500, true, |text| CommentText::parse(text).ok().map(|it| it.as_str().to_owned()))),
    ]
}

/// All characters that a regular expression matches.
fn matched(expression: &Regex) -> BTreeSet<char> {
    let everything: String = (char::MIN..=char::MAX).collect();
    expression.find_iter(&everything).flat_map(|found| found.as_str().chars()).collect()
}

#[test]
fn every_scalar_value_follows_the_contract() {
    let blank = matched(&Regex::new(BLANK).unwrap());
    for (kind, contract) in contracts() {
        let refused = matched(&contract.refused);
        for character in char::MIN..=char::MAX {
            let accepted = |text: &str| (contract.parse)(text).is_some_and(|stored| stored == text);
            let is_allowed = !refused.contains(&character);
            let mut buffer = [0; 4];
            let alone = accepted(character.encode_utf8(&mut buffer));
            let needs_more = contract.is_needed && blank.contains(&character);
            assert_eq!(alone, is_allowed && !needs_more, "{kind} of U+{:04X}", u32::from(character));
            let beside =
                accepted(std::str::from_utf8(&[b"x", character.encode_utf8(&mut buffer).as_bytes()].concat()).unwrap());
            assert_eq!(beside, is_allowed, "{kind} with U+{:04X}", u32::from(character));
        }
    }
}

/// Characters that some rule mentions, and others.
fn any_character() -> impl Strategy<Value = char> {
    let telling = "a\r\n\t\0\u{85}\u{202E}\u{2066}\u{200F}\u{3164}\u{2800}\u{3000}\u{E0041}";
    prop_oneof![proptest::sample::select(telling.chars().collect::<Vec<_>>()), any::<char>()]
}

proptest! {
    #[test]
    fn any_text_follows_the_contract(text in proptest::collection::vec(any_character(), 0..12), times in 1..60_usize) {
        let text: String = text.iter().collect::<String>().repeat(times);
        let blank = &*ONLY_BLANK;
        for (kind, contract) in &*CONTRACTS {
            let stored = if *kind == "display name" { text.clone() } else { text.replace("\r\n", "\n") };
            let fits = stored.chars().count() <= contract.most;
            let is_good = fits && !contract.refused.is_match(&stored) && !(contract.is_needed && blank.is_match(&stored));
            prop_assert_eq!((contract.parse)(&text), is_good.then_some(stored), "{}", kind);
        }
    }
}

#[rstest]
#[case("", "must be 1 to 50 characters")]
#[case(&"x".repeat(51), "must be 1 to 50 characters")]
#[case("Alice\nBob", "must not contain control characters, line breaks and tabs included")]
#[case("Alice\0", "must not contain control characters, line breaks and tabs included")]
#[case("\u{202E}ecilA", "must not contain bidirectional controls (U+202A to U+202E, U+2066 to U+2069)")]
#[case("\u{3164}\u{2800}\u{200B} ", "must have a visible character")]
fn a_refused_name_is_told_its_fault(#[case] name: &str, #[case] fault: &'static str) {
    assert_eq!(DisplayName::parse(name), Err(Invalid(fault)));
}

#[rstest]
#[case("", "must be 1 to 500 characters")]
#[case("bell\u{7}", "must not contain control characters other than line breaks and tabs")]
#[case("\r", "must not contain control characters other than line breaks and tabs")]
#[case("\n\t\u{FE0F}", "must have a visible character")]
fn a_refused_post_is_told_its_fault(#[case] text: &str, #[case] fault: &'static str) {
    assert_eq!(PostText::parse(text), Err(Invalid(fault)));
    assert_eq!(CommentText::parse(text), Err(Invalid(fault)));
}

#[test]
fn line_breaks_are_stored_as_line_feeds() {
    assert_eq!(PostText::parse("one\r\ntwo\n\tthree").unwrap().as_str(), "one\ntwo\n\tthree");
    assert_eq!(CommentText::parse("one\r\ntwo").unwrap().as_str(), "one\ntwo");
    assert_eq!(Bio::parse("one\r\ntwo").unwrap().as_str(), "one\ntwo");
    let longest = format!("x{}", "\r\n".repeat(499));
    assert_eq!(PostText::parse(&longest).unwrap().as_str().len(), 500, "the stored text is counted");
}

#[test]
fn a_stored_name_stays_readable() {
    assert_eq!(DisplayName::from_stored("\u{202E}a\n".to_owned()).as_str(), "\u{202E}a\n");
}

//! JSON bodies. The API fixes the order of checks: too large, not JSON, unparseable, invalid.

use axum::{
    body::Body,
    extract::{FromRequest, Request},
};
use bytes::Bytes;
use http::{HeaderMap, header::CONTENT_TYPE};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, IgnoredAny},
};

use super::problem::{FieldError, Problem};
use domain::{Invalid, limits};

/// Limit, in characters, on a field name from the client that an error repeats.
const MAX_ECHOED_CHARS: usize = 64;

/// The JSON body of a request: an object with exactly the members of `T`.
#[derive(Debug)]
pub struct ApiJson<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for ApiJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let bytes = read(&parts.headers, body).await?;
        if !is_json(&parts.headers) {
            return Err(Problem::NotJson);
        }
        decode(&bytes).map(Self)
    }
}

/// Reads the whole body. A body whose `Content-Length` exceeds the limit is rejected unread.
async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes, Problem> {
    let length = headers.get(http::header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > limits::MAX_BODY_BYTES as u64) {
        return Err(Problem::TooLarge);
    }
    match Limited::new(body, limits::MAX_BODY_BYTES).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Problem::TooLarge),
        Err(_) => Err(Problem::Unparseable("The body ended early.")),
    }
}

/// Whether the `Content-Type` is `application/json` or `application/<anything>+json`, ignoring parameters.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(Ok(value)) = headers.get(CONTENT_TYPE).map(|value| value.to_str()) else { return false };
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// Decodes a body. The whole text is checked to be JSON before any part is matched against `T`, so that the error does
/// not depend on which fault comes first.
///
/// Unparseable means: not JSON by the grammar of RFC 8259, not UTF-8, or with a lone surrogate escape, which the
/// grammar allows but no string can hold. All other JSON is at worst invalid, including numbers out of our range.
fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let text = well_formed(bytes).ok_or(Problem::Unparseable("The body is not well-formed JSON in UTF-8."))?;
    // Serde would also accept an array, field by field.
    if !text.trim_start().starts_with('{') {
        return Err(Problem::invalid("body", "must be an object"));
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        Problem::Invalid(vec![complaint(&path, &error.into_inner().to_string())])
    })
}

fn well_formed(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    serde_json::from_str::<IgnoredAny>(text).ok()?;
    (!has_lone_surrogate(text)).then_some(text)
}

/// Whether JSON that follows the grammar escapes a lone surrogate. Relies on the grammar: a backslash occurs only in
/// strings, and `\u` only before four hexadecimal digits.
fn has_lone_surrogate(json: &str) -> bool {
    let mut rest = json;
    while let Some((_, escape)) = rest.split_once('\\') {
        rest = match code_unit(escape) {
            None => escape.get(1..).unwrap_or_default(),
            Some((0xD800..=0xDBFF, after)) => match after.strip_prefix('\\').and_then(code_unit) {
                Some((0xDC00..=0xDFFF, after)) => after,
                _ => return true,
            },
            Some((0xDC00..=0xDFFF, _)) => return true,
            Some((_, after)) => after,
        };
    }
    false
}

/// Splits off the UTF-16 code unit of `uXXXX`; returns it and the rest.
fn code_unit(escape: &str) -> Option<(u16, &str)> {
    let (digits, after) = escape.strip_prefix('u')?.split_at_checked(4)?;
    Some((u16::from_str_radix(digits, 16).ok()?, after))
}

/// Translates serde's message into a field error that repeats no value from the client.
fn complaint(path: &str, error: &str) -> FieldError {
    let named = |prefix: &str| {
        let name = error.strip_prefix(prefix)?.split('`').next()?;
        Some(name.chars().take(MAX_ECHOED_CHARS).collect::<String>())
    };
    if let Some(field) = named("missing field `") {
        return FieldError::new(field, "is required");
    }
    if let Some(field) = named("unknown field `") {
        return FieldError::new(field, "is not a known field");
    }
    if let Some(field) = named("duplicate field `") {
        return FieldError::new(field, "is repeated");
    }
    let expected = error.rsplit_once(", expected ").map(|(_, expected)| expected);
    let expected = expected.map(|expected| expected.split(" at line ").next().unwrap_or(expected));
    let message = expected.map_or_else(|| "is not valid".to_owned(), |expected| format!("must be {expected}"));
    let field = if path == "." { "body".to_owned() } else { path.chars().take(MAX_ECHOED_CHARS).collect() };
    FieldError::new(field, message)
}

/// Deserializes an optional member: absent is `None` (with `#[serde(default)]`), `null` is a type error.
pub fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Collects the invalid fields of a request, so that one response reports all of them.
#[derive(Debug, Default)]
pub struct FieldErrors(Vec<FieldError>);

impl FieldErrors {
    /// No errors.
    pub fn new() -> Self {
        Self::default()
    }

    /// Records an invalid field.
    pub fn add(&mut self, field: &'static str, message: &'static str) {
        self.0.push(FieldError::new(field, message));
    }

    /// Returns the parsed value, or records the field as invalid and returns `None`.
    pub fn take<T>(&mut self, field: &'static str, parsed: Result<T, Invalid>) -> Option<T> {
        parsed.inspect_err(|Invalid(message)| self.add(field, message)).ok()
    }

    /// Returns the value built from the fields, or the problem that lists the invalid ones. `None` stands for a value
    /// with a recorded field.
    ///
    /// # Panics
    /// If `made` is `None` and no field was recorded: a bug in a request's `validate`.
    pub fn finish<T>(self, made: Option<T>) -> Result<T, Problem> {
        match made {
            Some(made) if self.0.is_empty() => Ok(made),
            _ => {
                assert!(!self.0.is_empty(), "a request was rejected without a recorded field");
                Err(Problem::Invalid(self.0))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[expect(dead_code, reason = "only its type matters")]
        text: String,
        #[serde(default)]
        #[expect(dead_code, reason = "only its type matters")]
        ids: Vec<u32>,
        #[serde(default, deserialize_with = "present")]
        #[expect(dead_code, reason = "only its type matters")]
        name: Option<String>,
    }

    fn complaint_about(body: &str) -> (String, String) {
        match decode::<Sample>(body.as_bytes()) {
            Err(Problem::Invalid(errors)) => (errors[0].field.clone(), errors[0].message.clone()),
            other => panic!("{body}: {other:?}"),
        }
    }

    #[test]
    fn an_error_names_the_field() {
        for (body, field, message) in [
            (r"{}", "text", "is required"),
            (r#"{"text": 5}"#, "text", "must be a string"),
            (r#"{"text": null}"#, "text", "must be a string"),
            (r#"{"text": "a", "more": 1}"#, "more", "is not a known field"),
            (r#"{"text": "a", "text": "b"}"#, "text", "is repeated"),
            (r#"{"text": "a", "ids": [1, "x, expected y"]}"#, "ids[1]", "must be u32"),
            (r#"{"text": "a", "ids": null}"#, "ids", "must be a sequence"),
            (r#"{"text": "a", "name": null}"#, "name", "must be a string"),
            (r#"["a"]"#, "body", "must be an object"),
            (r"null", "body", "must be an object"),
        ] {
            assert_eq!(complaint_about(body), (field.to_owned(), message.to_owned()), "{body}");
        }
    }

    #[test]
    fn a_long_unknown_name_is_truncated() {
        let body = format!(r#"{{"text": "a", "{}": 1}}"#, "x".repeat(10_000));
        assert_eq!(complaint_about(&body).0.len(), MAX_ECHOED_CHARS);
    }

    #[test]
    fn malformed_json_is_unparseable_wherever_the_fault_is() {
        let bodies: [&[u8]; 18] = [
            b"",
            b"{",
            br#"{"text": 5, oops"#,
            br#"{"text": "a"} more"#,
            b"{\"text\": \"\xff\"}",
            b"\xef\xbb\xbf{}",
            b"{\"text\": \"\n\"}",
            b"text=a",
            br#"{"text": "a",}"#,
            br#"{"text": NaN}"#,
            br#"{"text": 01}"#,
            br#"{"text": "\x41"}"#,
            br#"{"text": "\u12"}"#,
            br#"{"text": "\ud800"}"#,
            br#"{"text": "\udc00\ud800"}"#,
            br#"{"text": "\ud800\\udc00"}"#,
            br#"{"text": 5, "more": [{"deep": "\uD83Ex"}]}"#,
            br#"{"\uDfFf": 1}"#,
        ];
        for body in bodies {
            assert!(matches!(decode::<Sample>(body), Err(Problem::Unparseable(_))), "{}", body.escape_ascii());
        }
    }

    #[test]
    fn unrepresentable_json_is_invalid_rather_than_unparseable() {
        let nested = format!(r#"{{"text": {}1{}}}"#, "[".repeat(5_000), "]".repeat(5_000));
        for (body, field, message) in [
            (r#"{"text": 1e999}"#, "text", "is not valid"),
            (r#"{"text": -1E+400}"#, "text", "is not valid"),
            (r#"{"text": "a", "ids": [1e999]}"#, "ids[0]", "is not valid"),
            (r#"{"text": "a", "ids": [18446744073709551616]}"#, "ids[0]", "must be u32"),
            (r#"{"more": 1e999, "text": 5}"#, "more", "is not a known field"),
            (r#"{"text": "\\ud800", "more": "\ud83e\udd80"}"#, "more", "is not a known field"),
            (&nested, "text", "must be a string"),
        ] {
            assert_eq!(complaint_about(body), (field.to_owned(), message.to_owned()), "{body}");
        }
    }

    #[test]
    fn every_json_text_is_accepted() {
        for body in
            [r#"{"text": "\ud83e\uDD80 \u00e9 \\u \" \/ \u0000 \uffff"}"#, " \t\r\n{\"text\": \"\u{7f}\u{2028}🦀\"} "]
        {
            assert!(decode::<Sample>(body.as_bytes()).is_ok(), "{body}");
        }
    }

    proptest! {
        #[test]
        fn lone_surrogates_are_what_serde_rejects(
            pieces in proptest::collection::vec(r#"a|🦀|\\\\|\\"|\\n|\\u[dD][89a-fA-F][0-9a-f]{2}|\\u[0-9a-f]{4}"#, 0..6)
        ) {
            let json = format!("\"{}\"", pieces.concat());
            prop_assert_eq!(has_lone_surrogate(&json), serde_json::from_str::<String>(&json).is_err());
        }
    }

    #[test]
    fn unclosed_nesting_is_unparseable() {
        let body = "[".repeat(60_000);
        assert!(matches!(decode::<Sample>(body.as_bytes()), Err(Problem::Unparseable(_))));
    }
}

//! Items: a key and named attributes.

use std::{borrow::Cow, collections::BTreeMap};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// A primary key: a partition key and a sort key. Built only in the crate `data`, except for [`Key::probe`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key {
    /// The partition key, `PK` in DynamoDB.
    #[serde(rename = "PK")]
    pub partition: String,
    /// The sort key, `SK` in DynamoDB. Ordered by its UTF-8 bytes.
    #[serde(rename = "SK")]
    pub sort: String,
}

impl Key {
    /// The key that a probe reads in every table. No item has it.
    pub fn probe() -> Self {
        Self { partition: "PROBE".to_owned(), sort: "PROBE".to_owned() }
    }
}

/// The value of an attribute. Its JSON form is DynamoDB's: `{"S":"text"}`, `{"N":"7"}`, `{"BOOL":true}`,
/// `{"B":"AAE="}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Value {
    /// A string, `S`.
    S(String),
    /// A whole number, `N`.
    N(#[serde(with = "number_as_text")] i64),
    /// A boolean, `BOOL`.
    #[serde(rename = "BOOL")]
    Bool(bool),
    /// Bytes, `B`.
    B(#[serde(with = "bytes_as_base64")] Bytes),
}

/// Numbers are serialized as text, since not every JSON reader keeps them exact.
mod number_as_text {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls")]
    pub fn serialize<S: Serializer>(number: &i64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(number)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

mod bytes_as_base64 {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use bytes::Bytes;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub fn serialize<S: Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        STANDARD.decode(String::deserialize(deserializer)?).map(Bytes::from).map_err(D::Error::custom)
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::S(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::S(value.to_owned())
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::N(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

/// Named attributes, without the key.
pub type Attributes = BTreeMap<Cow<'static, str>, Value>;

/// A stored item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The key.
    pub key: Key,
    /// The attributes.
    pub attributes: Attributes,
}

/// A stored item does not have the form that its reader expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a stored item lacks a well-formed `{attribute}`")]
pub struct MalformedItem {
    /// The attribute that is missing or malformed.
    pub attribute: &'static str,
}

impl Item {
    /// An item without attributes.
    pub const fn new(key: Key) -> Self {
        Self { key, attributes: Attributes::new() }
    }

    /// Adds an attribute.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.attributes.insert(Cow::Borrowed(name), value.into());
        self
    }

    /// Returns a string attribute.
    pub fn text(&self, attribute: &'static str) -> Result<&str, MalformedItem> {
        match self.attributes.get(attribute) {
            Some(Value::S(text)) => Ok(text),
            _ => Err(MalformedItem { attribute }),
        }
    }

    /// Returns an optional string attribute.
    pub fn text_if_any(&self, attribute: &'static str) -> Result<Option<&str>, MalformedItem> {
        match self.attributes.get(attribute) {
            None => Ok(None),
            Some(Value::S(text)) => Ok(Some(text)),
            Some(_) => Err(MalformedItem { attribute }),
        }
    }

    /// Returns a number attribute.
    pub fn number(&self, attribute: &'static str) -> Result<i64, MalformedItem> {
        self.number_if_any(attribute)?.ok_or(MalformedItem { attribute })
    }

    /// Returns an optional number attribute.
    pub fn number_if_any(&self, attribute: &'static str) -> Result<Option<i64>, MalformedItem> {
        match self.attributes.get(attribute) {
            None => Ok(None),
            Some(Value::N(number)) => Ok(Some(*number)),
            Some(_) => Err(MalformedItem { attribute }),
        }
    }

    /// Parses a string attribute.
    pub fn parsed<T: std::str::FromStr>(&self, attribute: &'static str) -> Result<T, MalformedItem> {
        self.text(attribute)?.parse().map_err(|_| MalformedItem { attribute })
    }

    /// Parses the sort key.
    pub fn parsed_sort<T: std::str::FromStr>(&self) -> Result<T, MalformedItem> {
        self.key.sort.parse().map_err(|_| MalformedItem { attribute: "SK" })
    }
}

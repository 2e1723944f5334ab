//! The binary encoding of items.
//!
//! A key is its partition, a NUL byte and its sort key. Partitions contain no NUL, so the items of a partition are
//! adjacent and ordered by the bytes of their sort keys.
//!
//! A value is a version byte and the attributes, ascending by name:
//!
//! ```text
//! kind (3 bits) and length of the name (5 bits; 31: a varint of the rest follows) · name · content
//! ```
//!
//! The content of a string or of bytes is a varint length and the bytes, of a number a zigzag varint, of a boolean
//! nothing. A feed entry with one attribute of 36 characters (`author`) takes 45 bytes.

use std::borrow::Cow;

use bytes::Bytes;

use domain::limits;
use ports::store::{Attributes, Item, Key, Value};

/// The only version so far.
const VERSION: u8 = 1;
/// Separates partition and sort key.
const SEPARATOR: u8 = 0;
/// The maximum name length in the head byte; the rest follows as a varint.
const LONG_NAME: u8 = 31;

const KIND_STRING: u8 = 0;
const KIND_NUMBER: u8 = 1;
const KIND_FALSE: u8 = 2;
const KIND_TRUE: u8 = 3;
const KIND_BYTES: u8 = 4;

/// An invalid key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// The partition is empty, too long or contains a NUL.
    #[error("a partition key has 1 to 2,048 bytes and no NUL")]
    Partition,
    /// The sort key is empty or too long.
    #[error("a sort key has 1 to 1,024 bytes")]
    Sort,
}

/// Stored bytes are not a valid key or value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("stored bytes are malformed")]
pub struct Corrupt;

/// Encodes a key into `into`, replacing its content.
pub fn encode_key(partition: &str, sort: &str, into: &mut Vec<u8>) -> Result<(), InvalidKey> {
    if sort.is_empty() || sort.len() > limits::MAX_SORT_BYTES {
        return Err(InvalidKey::Sort);
    }
    encode_partition(partition, into)?;
    into.extend_from_slice(sort.as_bytes());
    Ok(())
}

/// Encodes the common prefix of a partition's keys into `into`, replacing its content.
pub fn encode_partition(partition: &str, into: &mut Vec<u8>) -> Result<(), InvalidKey> {
    let length = partition.len();
    if length == 0 || length > limits::MAX_PARTITION_BYTES || partition.as_bytes().contains(&SEPARATOR) {
        return Err(InvalidKey::Partition);
    }
    into.clear();
    into.extend_from_slice(partition.as_bytes());
    into.push(SEPARATOR);
    Ok(())
}

/// Decodes a key.
pub fn decode_key(bytes: &[u8]) -> Result<Key, Corrupt> {
    let end = bytes.iter().position(|byte| *byte == SEPARATOR).ok_or(Corrupt)?;
    Ok(Key { partition: text(&bytes[..end])?, sort: text(&bytes[end + 1..])? })
}

/// Encodes attributes into `into`, replacing its content.
pub fn encode_attributes(attributes: &Attributes, into: &mut Vec<u8>) {
    into.clear();
    into.push(VERSION);
    for (name, value) in attributes {
        encode_name(kind_of(value), name, into);
        match value {
            Value::S(text) => encode_bytes(text.as_bytes(), into),
            Value::B(bytes) => encode_bytes(bytes, into),
            Value::N(number) => encode_varint(zigzag(*number), into),
            Value::Bool(_) => {}
        }
    }
}

/// Decodes attributes.
pub fn decode_attributes(bytes: &[u8]) -> Result<Attributes, Corrupt> {
    let (version, mut rest) = bytes.split_first().ok_or(Corrupt)?;
    if *version != VERSION {
        return Err(Corrupt);
    }
    let mut attributes = Attributes::new();
    while !rest.is_empty() {
        let (kind, name) = decode_name(&mut rest)?;
        let value = decode_value(kind, &mut rest)?;
        attributes.insert(Cow::Owned(name), value);
    }
    Ok(attributes)
}

/// Finds the number under a name, without decoding the other attributes.
pub fn find_number(bytes: &[u8], wanted: &str) -> Result<Option<i64>, Corrupt> {
    let (version, mut rest) = bytes.split_first().ok_or(Corrupt)?;
    if *version != VERSION {
        return Err(Corrupt);
    }
    while !rest.is_empty() {
        let (kind, name) = take_name(&mut rest)?;
        match kind {
            KIND_NUMBER if name == wanted.as_bytes() => return Ok(Some(unzigzag(decode_varint(&mut rest)?))),
            KIND_NUMBER => drop(decode_varint(&mut rest)?),
            KIND_STRING | KIND_BYTES => {
                let length = decode_length(&mut rest)?;
                let _skipped = take(&mut rest, length)?;
            }
            KIND_FALSE | KIND_TRUE => {}
            _ => return Err(Corrupt),
        }
    }
    Ok(None)
}

/// Decodes an item.
pub fn decode_item(key: &[u8], value: &[u8]) -> Result<Item, Corrupt> {
    Ok(Item { key: decode_key(key)?, attributes: decode_attributes(value)? })
}

fn kind_of(value: &Value) -> u8 {
    match value {
        Value::S(_) => KIND_STRING,
        Value::N(_) => KIND_NUMBER,
        Value::Bool(false) => KIND_FALSE,
        Value::Bool(true) => KIND_TRUE,
        Value::B(_) => KIND_BYTES,
    }
}

fn encode_name(kind: u8, name: &str, into: &mut Vec<u8>) {
    let short = u8::try_from(name.len()).unwrap_or(LONG_NAME).min(LONG_NAME);
    into.push(kind << 5 | short);
    if short == LONG_NAME {
        encode_varint(name.len() as u64 - u64::from(LONG_NAME), into);
    }
    into.extend_from_slice(name.as_bytes());
}

fn decode_name(rest: &mut &[u8]) -> Result<(u8, String), Corrupt> {
    let (kind, name) = take_name(rest)?;
    Ok((kind, text(name)?))
}

fn take_name<'a>(rest: &mut &'a [u8]) -> Result<(u8, &'a [u8]), Corrupt> {
    let head = take(rest, 1)?[0];
    let mut length = usize::from(head & LONG_NAME);
    if length == usize::from(LONG_NAME) {
        length = decode_length(rest)?.checked_add(length).ok_or(Corrupt)?;
    }
    Ok((head >> 5, take(rest, length)?))
}

fn decode_value(kind: u8, rest: &mut &[u8]) -> Result<Value, Corrupt> {
    Ok(match kind {
        KIND_STRING => {
            let length = decode_length(rest)?;
            Value::S(text(take(rest, length)?)?)
        }
        KIND_BYTES => {
            let length = decode_length(rest)?;
            Value::B(Bytes::copy_from_slice(take(rest, length)?))
        }
        KIND_NUMBER => Value::N(unzigzag(decode_varint(rest)?)),
        KIND_FALSE => Value::Bool(false),
        KIND_TRUE => Value::Bool(true),
        _ => return Err(Corrupt),
    })
}

/// Appends a length and the bytes.
pub(super) fn encode_bytes(bytes: &[u8], into: &mut Vec<u8>) {
    encode_varint(bytes.len() as u64, into);
    into.extend_from_slice(bytes);
}

/// Decodes a length.
pub(super) fn decode_length(rest: &mut &[u8]) -> Result<usize, Corrupt> {
    usize::try_from(decode_varint(rest)?).map_err(|_| Corrupt)
}

/// Splits off the first `length` bytes.
pub(super) fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], Corrupt> {
    let (taken, left) = rest.split_at_checked(length).ok_or(Corrupt)?;
    *rest = left;
    Ok(taken)
}

/// Decodes bytes as UTF-8.
pub(super) fn text(bytes: &[u8]) -> Result<String, Corrupt> {
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| Corrupt)
}

/// LEB128: 7 bits per byte, lowest first.
pub(super) fn encode_varint(mut number: u64, into: &mut Vec<u8>) {
    while number >= 0x80 {
        into.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    into.push(number.to_le_bytes()[0]);
}

fn decode_varint(rest: &mut &[u8]) -> Result<u64, Corrupt> {
    let mut number = 0_u64;
    for shift in (0..u64::BITS).step_by(7) {
        let byte = take(rest, 1)?[0];
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(Corrupt)
}

/// Maps small numbers of either sign to small unsigned ones.
const fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}

const fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -((number & 1).cast_signed())
}

#[cfg(test)]
mod tests {
    use proptest::{collection::btree_map, prelude::*};

    use super::*;

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            any::<String>().prop_map(Value::S),
            any::<i64>().prop_map(Value::N),
            any::<bool>().prop_map(Value::Bool),
            any::<Vec<u8>>().prop_map(|bytes| Value::B(bytes.into())),
        ]
    }

    fn encoded_key(partition: &str, sort: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode_key(partition, sort, &mut bytes).expect("a valid key");
        bytes
    }

    proptest! {
        #[test]
        fn attributes_round_trip(attributes in btree_map(".{0,40}", value(), 0..8)) {
            let attributes: Attributes = attributes.into_iter().map(|(name, value)| (Cow::Owned(name), value)).collect();
            let mut bytes = Vec::new();
            encode_attributes(&attributes, &mut bytes);
            for (name, value) in &attributes {
                let number = if let Value::N(number) = value { Some(*number) } else { None };
                prop_assert_eq!(find_number(&bytes, name), Ok(number));
            }
            prop_assert_eq!(find_number(&bytes, "x".repeat(41).as_str()), Ok(None));
            prop_assert_eq!(decode_attributes(&bytes), Ok(attributes));
        }

        #[test]
        fn keys_round_trip_and_keep_their_order(
            a in ("[^\0]{1,5}", ".{1,5}"), b in ("[^\0]{1,5}", ".{1,5}"),
        ) {
            let (left, right) = (encoded_key(&a.0, &a.1), encoded_key(&b.0, &b.1));
            prop_assert_eq!(left.cmp(&right), a.cmp(&b));
            prop_assert_eq!(decode_key(&left), Ok(Key { partition: a.0, sort: a.1 }));
        }

        #[test]
        fn decoding_never_panics(bytes: Vec<u8>) {
            let _ = (decode_attributes(&bytes), decode_key(&bytes), find_number(&bytes, "expires_at"));
        }
    }

    #[test]
    fn a_feed_entry_takes_45_bytes() {
        let item = Item::new(Key { partition: String::new(), sort: String::new() }).with("author", "x".repeat(36));
        let mut bytes = Vec::new();
        encode_attributes(&item.attributes, &mut bytes);
        assert_eq!(bytes.len(), 45);
    }

    #[test]
    fn invalid_keys_are_rejected() {
        let mut bytes = Vec::new();
        assert_eq!(encode_key("a\0b", "c", &mut bytes), Err(InvalidKey::Partition));
        assert_eq!(encode_key("", "c", &mut bytes), Err(InvalidKey::Partition));
        assert_eq!(encode_key("a", "", &mut bytes), Err(InvalidKey::Sort));
        assert_eq!(encode_key("a", &"s".repeat(1025), &mut bytes), Err(InvalidKey::Sort));
    }
}

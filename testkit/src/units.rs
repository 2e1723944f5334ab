//! DynamoDB's read units, by its published rules (Developer Guide: item sizes and formats, read operations).

use ports::store::{Consistency, Item, Key, Value};

/// Bytes per strongly consistent read unit.
const READ_UNIT_BYTES: u64 = 4_096;

/// Halves of the units of one read of this many bytes: an eventually consistent read takes one, and so does a read that
/// finds nothing.
pub fn read_halves(bytes: u64, consistency: Consistency) -> u64 {
    let halves = match consistency {
        Consistency::Strong => 2,
        Consistency::Eventual => 1,
    };
    bytes.max(1).div_ceil(READ_UNIT_BYTES) * halves
}

/// The size of an item in bytes: names and values of all attributes, those of the key included.
pub fn item_bytes(item: &Item) -> u64 {
    let attribute = |(name, value): (&std::borrow::Cow<'static, str>, &Value)| name.len() as u64 + value_bytes(value);
    key_bytes(&item.key) + item.attributes.iter().map(attribute).sum::<u64>()
}

fn key_bytes(key: &Key) -> u64 {
    ("PK".len() + key.partition.len() + "SK".len() + key.sort.len()) as u64
}

fn value_bytes(value: &Value) -> u64 {
    match value {
        Value::S(text) => text.len() as u64,
        Value::B(bytes) => bytes.len() as u64,
        Value::Bool(_) => 1,
        // One byte per two significant digits, one more, and another for a sign.
        Value::N(number) => {
            let digits = number.unsigned_abs().to_string();
            (digits.trim_end_matches('0').len() as u64).div_ceil(2) + 1 + u64::from(*number < 0)
        }
    }
}

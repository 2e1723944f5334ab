//! The units of a call: DynamoDB's request units and SQS's requests, by their published rules (DynamoDB Developer
//! Guide: item sizes and formats, read and write operations; SQS pricing).

use std::ops::AddAssign;

use ports::store::{Attributes, Consistency, Item, Key, Value};

/// Write units of one addition to counts, in a transaction.
pub const COUNT_UNITS: u64 = 2;
/// Bytes of one write unit.
const WRITE_UNIT_BYTES: u64 = 1_024;
/// Bytes per strongly consistent read unit.
const READ_UNIT_BYTES: u64 = 4_096;
/// A transaction prepares and commits: twice the units of the write.
const TRANSACTION: u64 = 2;
/// Bytes per SQS request.
const SQS_REQUEST_BYTES: u64 = 64 * 1_024;

/// Request units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Units {
    /// Write request units.
    pub writes: u64,
    /// Halves of read request units: an eventually consistent read takes one of them.
    pub read_halves: u64,
}

impl Units {
    /// Write units.
    pub const fn written(writes: u64) -> Self {
        Self { writes, read_halves: 0 }
    }

    /// A read of this many bytes at once.
    pub fn read(bytes: u64, consistency: Consistency) -> Self {
        let halves = match consistency {
            Consistency::Strong => 2,
            Consistency::Eventual => 1,
        };
        Self { writes: 0, read_halves: bytes.max(1).div_ceil(READ_UNIT_BYTES) * halves }
    }

    /// Read request units.
    #[expect(clippy::cast_precision_loss, reason = "numbers of reads")]
    pub fn reads(&self) -> f64 {
        self.read_halves as f64 / 2.0
    }

    /// The units in a transaction.
    #[must_use]
    pub const fn in_transaction(self) -> Self {
        Self { writes: self.writes * TRANSACTION, read_halves: self.read_halves * TRANSACTION }
    }
}

impl AddAssign for Units {
    fn add_assign(&mut self, other: Self) {
        self.writes += other.writes;
        self.read_halves += other.read_halves;
    }
}

/// Units to write, change or remove an item: by the larger of its sizes before and after; at least one.
pub fn write(before: u64, after: u64) -> Units {
    Units::written(before.max(after).max(1).div_ceil(WRITE_UNIT_BYTES))
}

/// The size of an item in bytes: names and values of all attributes, those of the key included.
pub fn item_bytes(item: &Item) -> u64 {
    key_bytes(&item.key) + attribute_bytes(&item.attributes)
}

/// The size of a key in bytes: `PK` and `SK`, and their values.
pub fn key_bytes(key: &Key) -> u64 {
    ("PK".len() + key.partition.len() + "SK".len() + key.sort.len()) as u64
}

/// The size of attributes in bytes, without the key.
pub fn attribute_bytes(attributes: &Attributes) -> u64 {
    attributes.iter().map(|(name, value)| name.len() as u64 + value_bytes(value)).sum()
}

fn value_bytes(value: &Value) -> u64 {
    match value {
        Value::S(text) => text.len() as u64,
        Value::B(bytes) => bytes.len() as u64,
        Value::Bool(_) => 1,
        Value::N(number) => number_bytes(*number),
    }
}

/// Approximate: one byte per two significant digits and one more, and another for the sign of a negative number.
fn number_bytes(number: i64) -> u64 {
    let digits = number.unsigned_abs().to_string();
    let significant = digits.trim_end_matches('0').len() as u64;
    significant.div_ceil(2) + 1 + u64::from(number < 0)
}

/// Requests of one call to SQS with messages of this total size.
pub fn sqs_requests(bytes: u64) -> u64 {
    bytes.max(1).div_ceil(SQS_REQUEST_BYTES)
}

#[cfg(test)]
mod tests {
    use data::{Feeds, Follows};
    use domain::{IdGenerator, Timestamp, UserId};

    use super::*;

    /// In half units.
    fn strong(bytes: u64) -> u64 {
        Units::read(bytes, Consistency::Strong).read_halves
    }

    fn eventual(bytes: u64) -> u64 {
        Units::read(bytes, Consistency::Eventual).read_halves
    }

    #[test]
    fn reads_round_up_to_4_kb() {
        // The Developer Guide's examples: 3,500 bytes as 4 KB; an item of 8 KB takes 2, 1 eventually consistent.
        assert_eq!([strong(3_500), strong(4_096), strong(4_097), strong(8_192)], [2, 2, 4, 4]);
        assert_eq!([eventual(3_500), eventual(8_192)], [1, 2]);
        // A missing item costs as much as the smallest one.
        assert_eq!([strong(0), eventual(0)], [2, 1]);
    }

    #[test]
    fn a_query_is_rounded_once() {
        // The Developer Guide's example: items of 1,500 and 64 bytes: 1.5 KB, one unit.
        assert_eq!(strong(1_500 + 64), 2);
        // And of BatchGetItem, rounded item by item: 1.5 KB and 6.5 KB take 1 + 2.
        assert_eq!(strong(1_536) + strong(6_656), 2 * 3);
    }

    #[test]
    fn writes_round_up_the_larger_size() {
        // The Developer Guide's examples: 500 bytes as 1 KB; 512 bytes one unit; 2 KB two units, four in a transaction.
        assert_eq!([write(0, 500), write(0, 1_024), write(0, 1_025)].map(|it| it.writes), [1, 1, 2]);
        assert_eq!(write(0, 2_048).in_transaction().writes, 4);
        assert_eq!(write(3_000, 100).writes, 3);
        // Removing a missing item.
        assert_eq!(write(0, 0).writes, 1);
    }

    #[test]
    fn numbers_take_a_byte_per_two_digits() {
        assert_eq!([0, 5, 10, 27, 100, 461].map(number_bytes), [1, 2, 2, 2, 2, 3]);
        assert_eq!([number_bytes(-27), number_bytes(1_763_700_000_001)], [3, 8]);
    }

    #[test]
    fn item_sizes_include_names_and_values() {
        let item = Item::new(Key { partition: "P".into(), sort: "SS".into() })
            .with("text", "ä")
            .with("number", 27)
            .with("flag", true);
        assert_eq!(item_bytes(&item), (2 + 1) + (2 + 2) + (4 + 2) + (6 + 2) + (4 + 1));
    }

    #[test]
    fn about_25_edges_are_read_with_one_unit() {
        let [_, edge] =
            Follows::both_sides(UserId::random(), UserId::random(), Timestamp::from_millis(1_763_700_000_001));
        assert_eq!(item_bytes(&edge), 105);
    }

    #[test]
    fn a_feed_entry_is_written_with_one_unit() {
        let post = IdGenerator::new().next_post_id(Timestamp::from_millis(1_763_700_001_000));
        let entry = Feeds::entry(UserId::random(), post);
        assert_eq!(key_bytes(&entry.key), 76);
        assert_eq!(item_bytes(&entry), 76 + "expires_at".len() as u64 + 6);
        assert_eq!(write(0, item_bytes(&entry)).writes, 1);
    }

    #[test]
    fn an_sqs_request_covers_64_kb() {
        assert_eq!([0, 1, 65_536, 65_537, 1_048_576].map(sqs_requests), [1, 1, 1, 2, 16]);
    }
}

//! The format of a queue on disk.
//!
//! ```text
//! messages  tag of the queue · sequence  ->  version · id (16) · sent at (8) · due (8) · length · group · body
//! receives  tag of the queue · sequence  ->  times received (4) · 1 in flight, 0 returned
//! receives  0                            ->  the sequence from which the next start may continue
//! ```
//!
//! Numbers are big-endian, times in milliseconds. The first byte of a message's value is a version.

use std::ops::Bound;

use fjall::{Readable, UserKey};
use uuid::Uuid;

use super::super::{
    codec::{self, Corrupt},
    database::Database,
    failure::Failure,
};
use domain::Timestamp;
use ports::queue::{OutgoingMessage, QueueName};

/// A stored message, for operator commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMessage {
    /// Its sequence: rises in the order of sending. The next [`super::EmbeddedQueue::browse`] continues after it.
    pub sequence: u64,
    /// The message's id.
    pub message_id: String,
    /// The body.
    pub body: String,
    /// The group it was sent with.
    pub group: String,
    /// How often it has been received.
    pub receive_count: u32,
    /// When it was sent.
    pub sent_at: Timestamp,
}

const VERSION: u8 = 1;

/// The key of the row with the reserved sequence.
pub const RESERVED: [u8; 1] = [0];

/// Part of the format on disk: must never change.
const fn tag_of(queue: QueueName) -> u8 {
    match queue {
        QueueName::PostQ => 1,
        QueueName::JobQ => 2,
        QueueName::PostDlq => 3,
        QueueName::JobDlq => 4,
        QueueName::ChangeQ => 5,
        QueueName::ChangeDlq => 6,
        QueueName::MediaQ => 7,
        QueueName::MediaDlq => 8,
    }
}

/// The key of a message, in both keyspaces.
pub fn key_of(queue: QueueName, sequence: u64) -> UserKey {
    let mut key = [tag_of(queue); 9];
    key[1..].copy_from_slice(&sequence.to_be_bytes());
    UserKey::from(key)
}

/// The sequence of a key.
pub fn sequence_of(key: &[u8]) -> Result<u64, Corrupt> {
    let (_, sequence) = key.split_first().ok_or(Corrupt)?;
    Ok(u64::from_be_bytes(sequence.try_into().map_err(|_| Corrupt)?))
}

/// The part of a row before the body.
pub struct Head<'a> {
    pub id: Uuid,
    pub sent_at: Timestamp,
    pub due: Timestamp,
    pub group: &'a str,
    pub body: &'a [u8],
}

/// Encodes a message.
pub fn encode(message: &OutgoingMessage, id: Uuid, now: Timestamp) -> Vec<u8> {
    let mut row = Vec::with_capacity(40 + message.group.len() + message.body.len());
    row.push(VERSION);
    row.extend_from_slice(id.as_bytes());
    row.extend_from_slice(&now.as_millis().to_be_bytes());
    row.extend_from_slice(&now.plus(message.delay).as_millis().to_be_bytes());
    codec::encode_bytes(message.group.as_bytes(), &mut row);
    row.extend_from_slice(message.body.as_bytes());
    row
}

/// Decodes a message's row.
pub fn decode(row: &[u8]) -> Result<Head<'_>, Corrupt> {
    let mut rest = row;
    if codec::take(&mut rest, 1)? != [VERSION] {
        return Err(Corrupt);
    }
    let id = Uuid::from_slice(codec::take(&mut rest, 16)?).map_err(|_| Corrupt)?;
    let (sent_at, due) = (time(&mut rest)?, time(&mut rest)?);
    let length = codec::decode_length(&mut rest)?;
    let group = std::str::from_utf8(codec::take(&mut rest, length)?).map_err(|_| Corrupt)?;
    Ok(Head { id, sent_at, due, group, body: rest })
}

fn time(rest: &mut &[u8]) -> Result<Timestamp, Corrupt> {
    let bytes = codec::take(rest, 8)?.try_into().map_err(|_| Corrupt)?;
    Ok(Timestamp::from_millis(u64::from_be_bytes(bytes)))
}

/// The number of receives of a message, and whether it is in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Receives {
    pub times: u32,
    pub in_flight: bool,
}

impl Receives {
    pub fn encode(self) -> [u8; 5] {
        let mut row = [u8::from(self.in_flight); 5];
        row[..4].copy_from_slice(&self.times.to_be_bytes());
        row
    }

    pub fn decode(row: &[u8]) -> Result<Self, Corrupt> {
        let (times, flags) = row.split_first_chunk::<4>().ok_or(Corrupt)?;
        Ok(Self { times: u32::from_be_bytes(*times), in_flight: flags == [1] })
    }
}

/// The reserved sequence; 0 in a new database.
pub fn reserved(database: &Database) -> Result<u64, Failure> {
    let Some(row) = database.receives.get(RESERVED)? else { return Ok(0) };
    Ok(u64::from_be_bytes(row.as_ref().try_into().map_err(|_| Corrupt)?))
}

/// The number of receives of the message.
pub fn receives(database: &Database, key: &[u8]) -> Result<Receives, Failure> {
    let row = database.receives.get(key)?;
    Ok(row.map(|row| Receives::decode(&row)).transpose()?.unwrap_or_default())
}

/// Calls `visit` with each message of a queue, in ascending order of sequence.
pub fn each(
    database: &Database,
    queue: QueueName,
    mut visit: impl FnMut(u64, &Head<'_>, Receives),
) -> Result<(), Failure> {
    let snapshot = database.snapshot();
    // Both keyspaces have the same order, so the counts are read along instead of looked up.
    let mut counts = Counts { rows: snapshot.prefix(&database.receives, [tag_of(queue)]), ahead: None };
    for row in snapshot.prefix(&database.messages, [tag_of(queue)]) {
        let (key, value) = row.into_inner()?;
        let sequence = sequence_of(&key)?;
        visit(sequence, &decode(&value)?, counts.of(sequence)?);
    }
    Ok(())
}

/// Rows of receive counts, merged with the messages.
struct Counts {
    rows: fjall::Iter,
    ahead: Option<(u64, Receives)>,
}

impl Counts {
    /// The receives of a message; must be called in ascending order of sequence.
    fn of(&mut self, sequence: u64) -> Result<Receives, Failure> {
        while self.ahead.is_none_or(|(at, _)| at < sequence) {
            let Some(row) = self.rows.next() else { return Ok(Receives::default()) };
            let (key, value) = row.into_inner()?;
            self.ahead = Some((sequence_of(&key)?, Receives::decode(&value)?));
        }
        Ok(self.ahead.filter(|(at, _)| *at == sequence).map(|(_, receives)| receives).unwrap_or_default())
    }
}

/// Returns a page of a queue, for operators.
pub fn browse(
    database: &Database,
    queue: QueueName,
    after: Option<u64>,
    limit: usize,
) -> Result<Vec<StoredMessage>, Failure> {
    let from = after.map_or(Bound::Included(key_of(queue, 0)), |sequence| Bound::Excluded(key_of(queue, sequence)));
    let to = Bound::Included(key_of(queue, u64::MAX));
    let rows = database.snapshot().range(&database.messages, (from, to));
    rows.take(limit)
        .map(|row| {
            let (key, value) = row.into_inner()?;
            let head = decode(&value)?;
            Ok(StoredMessage {
                sequence: sequence_of(&key)?,
                message_id: head.id.to_string(),
                body: codec::text(head.body)?,
                group: head.group.to_owned(),
                receive_count: receives(database, &key)?.times,
                sent_at: head.sent_at,
            })
        })
        .collect()
}

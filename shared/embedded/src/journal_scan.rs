//! Reads fjall's journal without fjall, to find its whole batches.
//!
//! ```text
//! batch  1 · items (4) · sequence number (8), then its items, then 3 · xxh3 of the items (8) · "FJL" · 3
//! item   2 · kind (1) · compression (1) · keyspace (8) · length of the key (2) · of the value (4), twice · key · value
//!        4 · keyspace (8)
//! ```
//!
//! Numbers are little-endian. At the first bytes that are not a batch, fjall silently ends its replay, truncates the
//! journal and continues, whatever followed. So this scan looks for such bytes before fjall opens a journal.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom},
};

use xxhash_rust::xxh3::Xxh3;

const START: u8 = 1;
const ITEM: u8 = 2;
const END: u8 = 3;
const CLEAR: u8 = 4;
const TRAILER: [u8; 4] = *b"FJL\x03";
/// Sizes in bytes, without the tag: of the head of a batch, of an item and of a clearing, and of a batch's end.
const START_BYTES: usize = 12;
const ITEM_BYTES: usize = 20;
const CLEAR_BYTES: usize = 8;
const END_BYTES: usize = 12;
/// The compression code of fjall built without compression.
const UNCOMPRESSED: u8 = 0;
/// Read buffer: small, as only a few new batches are read between two syncs.
const FOLLOW_BUFFER_BYTES: usize = 16 * 1024;
const CHECK_BUFFER_BYTES: usize = 256 * 1024;

/// The whole batches at the beginning of a journal.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Batches {
    /// The end of the last one.
    pub bytes: u64,
    /// The newest sequence number in them, by keyspace number.
    pub newest: BTreeMap<u64, u64>,
}

/// The bytes after the last whole batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behind {
    /// The end of the file or a zero: preallocated space.
    Nothing,
    /// An incomplete batch.
    Torn,
}

impl Batches {
    /// Reads all whole batches of a journal and verifies their checksums.
    pub fn check(journal: &File) -> io::Result<(Self, Behind)> {
        let mut batches = Self::default();
        let mut reader = BufReader::with_capacity(CHECK_BUFFER_BYTES, journal);
        let behind = batches.extend(&mut reader, Some(Xxh3::new()))?;
        Ok((batches, behind))
    }

    /// Reads on over the batches written since. Skips their checksums, as fjall has just written these bytes. A batch
    /// still being written is read the next time.
    pub fn follow(&mut self, journal: &File) -> io::Result<()> {
        let mut reader = BufReader::with_capacity(FOLLOW_BUFFER_BYTES, journal);
        self.extend(&mut reader, None).map(drop)
    }

    fn extend(&mut self, reader: &mut BufReader<&File>, mut hash: Option<Xxh3>) -> io::Result<Behind> {
        reader.seek(SeekFrom::Start(self.bytes))?;
        loop {
            let mut tag = [0];
            if reader.read(&mut tag)? == 0 || tag == [0] {
                return Ok(Behind::Nothing);
            }
            match Batch::read(tag[0], reader, hash.as_mut()) {
                Ok(Some(batch)) => self.add(&batch, reader.stream_position()?),
                Ok(None) => return Ok(Behind::Torn),
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(Behind::Torn),
                Err(error) => return Err(error),
            }
        }
    }

    fn add(&mut self, batch: &Batch, end: u64) {
        self.bytes = end;
        for keyspace in &batch.keyspaces {
            let newest = self.newest.entry(*keyspace).or_default();
            *newest = batch.sequence.max(*newest);
        }
    }
}

/// Whether a file holds only zeros from `start` on.
pub fn is_zero_from(file: &File, start: u64) -> io::Result<bool> {
    let mut reader = file;
    reader.seek(SeekFrom::Start(start))?;
    let mut buffer = vec![0; CHECK_BUFFER_BYTES];
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(true),
            read if buffer[..read].iter().any(|byte| *byte != 0) => return Ok(false),
            _ => {}
        }
    }
}

struct Batch {
    sequence: u64,
    keyspaces: Vec<u64>,
}

impl Batch {
    /// Reads a batch after its tag. `None` if it is malformed.
    fn read(tag: u8, reader: &mut BufReader<&File>, mut hash: Option<&mut Xxh3>) -> io::Result<Option<Self>> {
        if tag != START {
            return Ok(None);
        }
        let head: [u8; START_BYTES] = read_array(reader)?;
        let (items, sequence) = (u32_at(&head, 0), u64_at(&head, 4));
        if let Some(hash) = hash.as_deref_mut() {
            hash.reset();
        }
        let mut keyspaces = Vec::new();
        for _ in 0..items {
            let Some(keyspace) = read_item(reader, hash.as_deref_mut())? else { return Ok(None) };
            // Most batches write to one keyspace, or alternate between few.
            if !keyspaces.contains(&keyspace) {
                keyspaces.push(keyspace);
            }
        }
        let [end] = read_array(reader)?;
        let tail: [u8; END_BYTES] = read_array(reader)?;
        let is_whole = end == END && tail.ends_with(&TRAILER) && hash.is_none_or(|it| it.digest() == u64_at(&tail, 0));
        Ok(is_whole.then_some(Self { sequence, keyspaces }))
    }
}

/// Reads an item and returns its keyspace. `None` if it is malformed.
fn read_item(reader: &mut BufReader<&File>, mut hash: Option<&mut Xxh3>) -> io::Result<Option<u64>> {
    let [tag] = read_array(reader)?;
    let mut update = |bytes: &[u8]| {
        if let Some(hash) = hash.as_deref_mut() {
            hash.update(bytes);
        }
    };
    update(&[tag]);
    match tag {
        ITEM => {
            let head: [u8; ITEM_BYTES] = read_array(reader)?;
            if head[1] != UNCOMPRESSED {
                return Ok(None);
            }
            update(&head);
            let keyspace = u64_at(&head, 2);
            let length = u64::from(u16::from_le_bytes([head[10], head[11]])) + u64::from(u32_at(&head, 16));
            read_over(reader, length, hash)?;
            Ok(Some(keyspace))
        }
        CLEAR => {
            let head: [u8; CLEAR_BYTES] = read_array(reader)?;
            update(&head);
            Ok(Some(u64_at(&head, 0)))
        }
        _ => Ok(None),
    }
}

/// Skips `length` bytes. Without a checksum they are not even read; past the end of the file the next read fails.
fn read_over(reader: &mut BufReader<&File>, length: u64, hash: Option<&mut Xxh3>) -> io::Result<()> {
    let Some(hash) = hash else {
        return reader.seek_relative(i64::try_from(length).map_err(io::Error::other)?);
    };
    let mut rest = length;
    let mut buffer = [0; 4096];
    while rest > 0 {
        let part = usize::try_from(rest).unwrap_or(usize::MAX).min(buffer.len());
        reader.read_exact(&mut buffer[..part])?;
        hash.update(&buffer[..part]);
        rest -= part as u64;
    }
    Ok(())
}

fn read_array<const N: usize>(reader: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes[at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

//! The format of an object's file:
//!
//! ```text
//! magic          8 bytes
//! checksum       8 bytes, XXH3 of the content, little-endian
//! size           8 bytes, of the content, little-endian
//! type's length  1 byte
//! type           a media type
//! content
//! ```

use std::{
    fmt,
    fs::File,
    io::{self, Read as _, Write as _},
    os::unix::fs::FileExt as _,
    path::Path,
};

use bytes::Bytes;
use ports::blobs::Blob;
use tempfile::NamedTempFile;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::Served;

const MAGIC: [u8; 8] = *b"TWBLOB01";
/// Where the checksum stands in a file.
const CHECKSUM_AT: u64 = 8;
/// Bytes before the type.
const FIXED: usize = 25;

/// An object's open file, positioned at the content.
#[derive(Debug)]
pub(super) struct StoredBlob {
    file: File,
    pub(super) bytes: u64,
    pub(super) content_type: String,
    checksum: u64,
}

impl StoredBlob {
    /// Reads the head of a file.
    pub(super) fn open(mut file: File) -> io::Result<Self> {
        let mut fixed = [0; FIXED];
        file.read_exact(&mut fixed).map_err(truncated)?;
        let number = |at: usize| fixed[at..at + 8].try_into().map_or(0, u64::from_le_bytes);
        if fixed[..8] != MAGIC {
            return Err(damaged("it is not an object's file"));
        }
        let mut content_type = vec![0; usize::from(fixed[FIXED - 1])];
        file.read_exact(&mut content_type).map_err(truncated)?;
        let content_type = String::from_utf8(content_type).map_err(|_| damaged("its type is not UTF-8"))?;
        let head = (FIXED + content_type.len()) as u64;
        let stored = Self { bytes: number(16), checksum: number(8), content_type, file };
        if stored.file.metadata()?.len() != head + stored.bytes {
            return Err(damaged("its size is not the recorded one"));
        }
        Ok(stored)
    }

    /// Reads the content and compares it with its checksum.
    pub(super) fn read(mut self) -> io::Result<Blob> {
        let mut body = Vec::with_capacity(usize::try_from(self.bytes).unwrap_or(0));
        self.file.read_to_end(&mut body)?;
        if xxh3_64(&body) != self.checksum {
            return Err(damaged("its content does not match its checksum"));
        }
        Ok(Blob { body: Bytes::from(body), content_type: self.content_type })
    }

    pub(super) fn into_served(self) -> Served {
        let Self { file, bytes, content_type, checksum } = self;
        Served { file, bytes, content_type, checksum: format!("{checksum:016x}") }
    }
}

/// A file being written; dropped unfinished, it is removed.
pub(super) struct FreshFile {
    file: NamedTempFile,
    hash: Box<Xxh3>,
    /// Bytes of the content still to come.
    left: u64,
}

impl fmt::Debug for FreshFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FreshFile").field("left", &self.left).finish_non_exhaustive()
    }
}

impl FreshFile {
    /// Creates a file for a content of this size in `folder`.
    pub(super) fn create(folder: &Path, content_type: &str, bytes: u64) -> io::Result<Self> {
        let too_long = |_| io::Error::new(io::ErrorKind::InvalidData, "a media type has at most 255 bytes");
        let mut head = Vec::with_capacity(FIXED + content_type.len());
        head.extend(MAGIC);
        head.extend([0; 8]);
        head.extend(bytes.to_le_bytes());
        head.push(u8::try_from(content_type.len()).map_err(too_long)?);
        head.extend(content_type.as_bytes());
        let mut file = NamedTempFile::new_in(folder)?;
        file.write_all(&head)?;
        Ok(Self { file, hash: Box::default(), left: bytes })
    }

    /// Appends a part of the content.
    ///
    /// # Errors
    /// `InvalidData` if the content exceeds its size.
    pub(super) fn append(&mut self, part: &[u8]) -> io::Result<()> {
        let left = self.left.checked_sub(part.len() as u64);
        self.left = left.ok_or_else(|| damaged("the content is longer than announced"))?;
        self.hash.update(part);
        self.file.write_all(part)
    }

    /// Records the checksum and makes the file durable.
    ///
    /// # Errors
    /// `InvalidData` if the content is shorter than its size.
    pub(super) fn finish(self) -> io::Result<NamedTempFile> {
        if self.left > 0 {
            return Err(damaged("the content is shorter than announced"));
        }
        self.file.as_file().write_all_at(&self.hash.digest().to_le_bytes(), CHECKSUM_AT)?;
        self.file.as_file().sync_all()?;
        Ok(self.file)
    }
}

fn damaged(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

fn truncated(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::UnexpectedEof { damaged("it ends within its head") } else { error }
}

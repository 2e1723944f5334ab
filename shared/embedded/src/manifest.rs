//! A record of the database's parts, kept beside it, so that a missing part is noticed when it opens.
//!
//! - The *manifest* names the keyspaces and the journals. It is replaced atomically (written beside, synced, renamed)
//!   when the database is opened, when a journal was sealed, and at a clean close.
//! - The *position* records after each sync how far the newest journal is synced. Its 40 bytes lie within one sector
//!   and are overwritten in place, without a sync: after a power loss it holds this or an earlier value, neither of
//!   which claims more than was synced.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use domain::random;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_64;

use super::journal_files::path_of;

/// The manifest's name where none is given.
pub const MANIFEST: &str = "manifest.json";
/// The name of the position file in the database's folder.
pub const POSITION: &str = "position";
/// The version of both formats.
const FORMAT: u32 = 1;
/// Instance id (16), journal number (8), bytes (8) and a checksum of these (8).
const POSITION_BYTES: usize = 40;

/// The synced part of a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Synced {
    /// The journal's number.
    pub number: u64,
    /// Its synced bytes.
    pub bytes: u64,
}

/// A journal that fjall has sealed, and so synced completely.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// The journal's number.
    pub number: u64,
    /// Its length in bytes.
    pub bytes: u64,
    /// The newest sequence number in it, by keyspace number: fjall removes the journal when the tables of each keyspace
    /// include that number.
    pub newest: BTreeMap<u64, u64>,
}

/// The parts of the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT`].
    format: u32,
    /// The id of this database on this disk. A copy gets another id.
    pub instance: Uuid,
    /// The keyspaces' numbers by name: folders in `keyspaces`.
    pub keyspaces: BTreeMap<String, u64>,
    /// The synced part of the newest journal when this was written.
    pub synced: Synced,
    /// Earlier journals that may still exist.
    pub sealed: Vec<Sealed>,
}

/// The part of a manifest common to all versions.
#[derive(Deserialize)]
struct Head {
    format: u32,
}

/// Why there is no usable manifest.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The file cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The file is not a manifest.
    #[error("{0}")]
    Unreadable(#[from] serde_json::Error),
    /// The file was written by a later version.
    #[error("its format is {0}, and this version reads format {FORMAT}")]
    Unknown(u32),
}

impl Manifest {
    /// A manifest for a database without one.
    pub fn new(keyspaces: BTreeMap<String, u64>, synced: Synced, sealed: Vec<Sealed>) -> Self {
        Self { format: FORMAT, instance: random::uuid(), keyspaces, synced, sealed }
    }

    /// Reads the file; `None` if it does not exist.
    pub fn read(path: &Path) -> Result<Option<Self>, ManifestError> {
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let Head { format } = serde_json::from_slice(&text)?;
        if format != FORMAT {
            return Err(ManifestError::Unknown(format));
        }
        Ok(Some(serde_json::from_slice(&text)?))
    }

    /// Replaces the file atomically and durably.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let mut text = serde_json::to_vec_pretty(self).map_err(io::Error::other)?;
        text.push(b'\n');
        let fresh = path.with_extension("new");
        let mut file = private(OpenOptions::new().write(true).create(true).truncate(true)).open(&fresh)?;
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(fresh, path)?;
        sync_folder_of(path)
    }
}

/// The open position file.
pub struct Position {
    file: File,
    instance: Uuid,
}

impl Position {
    /// Opens or creates the file in the database's folder and writes a first position durably.
    pub fn open(folder: &Path, instance: Uuid, synced: Synced) -> io::Result<Self> {
        let path = folder.join(POSITION);
        let file = private(OpenOptions::new().write(true).create(true).truncate(false)).open(&path)?;
        let mut position = Self { file, instance };
        position.write(synced)?;
        position.file.sync_all()?;
        sync_folder_of(&path)?;
        Ok(position)
    }

    /// Overwrites the position, without a sync.
    pub fn write(&mut self, Synced { number, bytes }: Synced) -> io::Result<()> {
        let claim = [self.instance.as_bytes().as_slice(), &number.to_le_bytes(), &bytes.to_le_bytes()].concat();
        let checksum = xxh3_64(&claim).to_le_bytes();
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&[&claim, checksum.as_slice()].concat())
    }

    /// Reads the position and its instance id from the database's folder. `None` if missing or unreadable.
    pub fn read(folder: &Path) -> io::Result<Option<(Uuid, Synced)>> {
        let mut bytes = Vec::new();
        match File::open(folder.join(POSITION)) {
            Ok(file) => file.take(POSITION_BYTES as u64).read_to_end(&mut bytes)?,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(parse(&bytes))
    }
}

fn parse(bytes: &[u8]) -> Option<(Uuid, Synced)> {
    let bytes: &[u8; POSITION_BYTES] = bytes.try_into().ok()?;
    let number_at = |at: usize| bytes[at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    let is_whole = xxh3_64(&bytes[..POSITION_BYTES - 8]) == number_at(POSITION_BYTES - 8);
    let instance = Uuid::from_slice(&bytes[..16]).ok()?;
    is_whole.then_some((instance, Synced { number: number_at(16), bytes: number_at(24) }))
}

/// Keeps manifest and position up to date while the database is open.
pub struct Record {
    path: PathBuf,
    manifest: Manifest,
    position: Position,
    /// Whether the file is older than `manifest`.
    is_stale: bool,
    /// Whether the last write failed and was reported.
    has_failed: bool,
}

impl Record {
    /// Writes both files for a database that has just been opened.
    pub fn start(manifest: Manifest, path: PathBuf, folder: &Path) -> io::Result<Self> {
        // Manifest first: a manifest without a position is valid on its own, a position without a manifest is damage.
        manifest.write(&path)?;
        let position = Position::open(folder, manifest.instance, manifest.synced)?;
        Ok(Self { path, manifest, position, is_stale: false, has_failed: false })
    }

    /// Records the extent of a sync, and the journals sealed since the last one.
    ///
    /// A failure is logged and loses no write: synced data stays synced, but its loss would go unnoticed.
    pub fn synced(&mut self, folder: &Path, synced: Synced, sealed: Vec<Sealed>) {
        self.manifest.synced = synced;
        let is_new = !sealed.is_empty();
        self.is_stale |= is_new;
        self.manifest.sealed.extend(sealed);
        let mut written = self.position.write(synced);
        if written.is_ok() && self.is_stale {
            written = self.write_manifest(folder);
        }
        self.report(written);
    }

    /// Records a clean close, after the last sync.
    pub fn close(&mut self, folder: &Path) {
        let written = self.write_manifest(folder);
        self.report(written);
    }

    fn write_manifest(&mut self, folder: &Path) -> io::Result<()> {
        // fjall has removed the others, as their writes are in tables.
        self.manifest.sealed.retain(|journal| path_of(folder, journal.number).exists());
        self.manifest.write(&self.path)?;
        self.is_stale = false;
        Ok(())
    }

    fn report(&mut self, written: io::Result<()>) {
        match written {
            Ok(()) => self.has_failed = false,
            Err(error) if !self.has_failed => {
                self.has_failed = true;
                tracing::warn!(
                    error = telemetry::chain(&error),
                    "Could not record the synced position: {error}; will retry after the next sync"
                );
            }
            Err(_) => {}
        }
    }
}

#[cfg(unix)]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.mode(0o600)
}

#[cfg(not(unix))]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

/// Makes a new or renamed directory entry durable.
fn sync_folder_of(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if cfg!(unix) && !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ if cfg!(unix) => File::open(".")?.sync_all(),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_position_is_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let (instance, synced) = (random::uuid(), Synced { number: 7, bytes: 1_234 });
        drop(Position::open(folder.path(), instance, synced).expect("made"));
        assert_eq!(Position::read(folder.path()).expect("read"), Some((instance, synced)));
        let path = folder.path().join(POSITION);
        let whole = fs::read(&path).expect("bytes");
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            assert_eq!(parse(&bytes), None, "byte {at}");
        }
        assert_eq!(parse(&whole[..39]), None);
        fs::remove_file(path).expect("removed");
        assert_eq!(Position::read(folder.path()).expect("read"), None);
    }

    #[test]
    fn a_manifest_of_a_later_version_is_rejected() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(MANIFEST);
        fs::write(&path, r#"{"format": 2, "shape": "unlike this"}"#).expect("written");
        let error = Manifest::read(&path).expect_err("unknown");
        assert_eq!(error.to_string(), "its format is 2, and this version reads format 1");
    }
}

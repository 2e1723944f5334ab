//! Copies an open database as of one instant, and computes checksums of a database.

use std::{collections::BTreeMap, fs::File, io, ops::ControlFlow, path::Path};

use fjall::{Keyspace, PersistMode, Readable as _, Snapshot};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use super::{
    database::{database_builder, own_keyspace_options},
    engine::Engine,
    failure::Failure,
};

/// Rows between two progress reports.
const ROWS_A_REPORT: u64 = 4_096;

/// The content of a keyspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sum {
    /// The number of rows.
    pub rows: u64,
    /// The bytes of their keys and values.
    pub bytes: u64,
    /// XXH3 of their keys and values in order, in hexadecimal.
    pub xxh3: String,
}

/// The content of a database, by keyspace.
pub type Contents = BTreeMap<String, Sum>;

/// The progress of a long operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Rows processed.
    pub rows: u64,
    /// Total rows, approximate.
    pub of_about: u64,
}

/// A callback that receives progress and may cancel the operation.
pub type Report<'a> = &'a mut dyn FnMut(Progress) -> ControlFlow<()>;

/// Why copying or summing failed.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// A file cannot be written or read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The database failed.
    #[error("the database failed: {0}")]
    Database(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The progress callback cancelled the operation.
    #[error("it was interrupted")]
    Interrupted,
}

impl From<fjall::Error> for CopyError {
    fn from(error: fjall::Error) -> Self {
        match error {
            fjall::Error::Io(error) => Self::Io(error),
            other => Self::Database(other.into()),
        }
    }
}

impl From<Failure> for CopyError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Database(error) => error.into(),
            other => Self::Database(other.into()),
        }
    }
}

impl Engine {
    /// Creates a database in `folder`, which is empty or does not exist, with everything committed before one instant
    /// during the call and nothing after it, consistent across keyspaces. Concurrent writes continue. Memory is
    /// bounded. Blocks. The copy is durable when this returns.
    ///
    /// # Errors
    /// Leaves an incomplete copy in place.
    pub fn copy_to(&self, folder: &Path, report: Report<'_>) -> Result<Contents, CopyError> {
        let database = self.database();
        let copy = database_builder(folder).open()?;
        let snapshot = database.snapshot();
        let contents = sum_up(&snapshot, &database.keyspaces()?, report, |keyspace, rows| {
            let copied = copy.keyspace(keyspace.name(), own_keyspace_options)?;
            let mut ingestion = copied.start_ingestion()?;
            for row in rows {
                let (key, value) = row?;
                ingestion.write(key, value)?;
            }
            Ok(ingestion.finish()?)
        })?;
        copy.persist(PersistMode::SyncAll)?;
        Ok(contents)
    }

    /// Sums up everything committed at one instant during the call. Blocks.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn contents(&self, report: Report<'_>) -> Result<Contents, CopyError> {
        let database = self.database();
        sum_up(&database.snapshot(), &database.keyspaces()?, report, |_, rows| {
            for row in rows {
                row?;
            }
            Ok(())
        })
    }
}

type Row = (fjall::UserKey, fjall::UserValue);

/// Passes all rows of each keyspace to `take` and sums them up.
fn sum_up(
    snapshot: &Snapshot,
    keyspaces: &[Keyspace],
    report: Report<'_>,
    take: impl Fn(&Keyspace, &mut dyn Iterator<Item = Result<Row, CopyError>>) -> Result<(), CopyError>,
) -> Result<Contents, CopyError> {
    let of_about = keyspaces.iter().map(|keyspace| keyspace.approximate_len() as u64).sum();
    let mut progress = Progress { rows: 0, of_about };
    let mut contents = Contents::new();
    for keyspace in keyspaces {
        let (mut rows, mut bytes, mut hash) = (0, 0, Xxh3::new());
        let mut read = snapshot.iter(keyspace).map(|row| {
            let (key, value) = row.into_inner()?;
            for part in [&key[..], &value[..]] {
                hash.update(&(part.len() as u64).to_le_bytes());
                hash.update(part);
                bytes += part.len() as u64;
            }
            rows += 1;
            progress.rows += 1;
            if progress.rows.is_multiple_of(ROWS_A_REPORT) && report(progress).is_break() {
                return Err(CopyError::Interrupted);
            }
            Ok((key, value))
        });
        take(keyspace, &mut read)?;
        drop(read);
        contents.insert(keyspace.name().to_string(), Sum { rows, bytes, xxh3: format!("{:016x}", hash.digest()) });
    }
    // Reports at least once, even for a small database.
    match report(progress) {
        ControlFlow::Continue(()) => Ok(contents),
        ControlFlow::Break(()) => Err(CopyError::Interrupted),
    }
}

/// Makes a folder with all its contents durable.
///
/// # Errors
/// If a file cannot be opened or synced.
pub fn sync_all(folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            sync_all(&entry.path())?;
        } else if kind.is_file() {
            File::open(entry.path())?.sync_all()?;
        }
    }
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

//! Errors of opening a database.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use super::failure::Failure;

/// fjall's folder of keyspaces.
pub(super) const KEYSPACES: &str = "keyspaces";

/// Why the engine could not be opened. Displays as one line for the operator.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("the database in {} is in use by another process; stop it, or name another data directory", .0.display())]
    Locked(PathBuf),
    /// The folder cannot be created, read or written.
    #[error("cannot use the database folder {}: {}", .0.display(), .1)]
    Unwritable(PathBuf, #[source] io::Error),
    /// The folder's content is not a database of this version.
    #[error("the database in {} cannot be read: {}; restore a backup with `tweeter restore`, or start with --accept-data-loss to continue without the unreadable data", .0.display(), .1)]
    Corrupt(PathBuf, #[source] Box<dyn std::error::Error + Send + Sync>),
    /// Parts of the database are missing or unreadable. Nothing was changed.
    #[error(
        "the database in {} is damaged: {}; restore a backup with `tweeter restore`, or start with --accept-data-loss to \
         continue without the missing data",
        .0.display(), list(.1)
    )]
    Damaged(PathBuf, Vec<Damage>),
}

/// The first damage, and the number of further ones.
fn list(damage: &[Damage]) -> String {
    match damage {
        [] => String::new(),
        [only] => only.to_string(),
        [first, more @ ..] => format!("{first}, and {} more", more.len()),
    }
}

impl OpenError {
    fn of(path: &Path, error: fjall::Error) -> Self {
        match error {
            fjall::Error::Locked => Self::Locked(path.to_owned()),
            fjall::Error::Io(error) | fjall::Error::Storage(fjall::LsmError::Io(error)) => Self::of_io(path, error),
            other => Self::Corrupt(path.to_owned(), other.into()),
        }
    }

    pub(super) fn of_failure(path: &Path, failure: Failure) -> Self {
        match failure {
            Failure::Database(error) => Self::of(path, error),
            other => Self::Corrupt(path.to_owned(), other.into()),
        }
    }

    /// The folder exists at this point, so a missing file is a part of the database.
    pub(super) fn of_io(path: &Path, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::InvalidData
            | io::ErrorKind::InvalidInput
            | io::ErrorKind::UnexpectedEof
            | io::ErrorKind::NotFound => Self::Corrupt(path.to_owned(), error.into()),
            _ => Self::Unwritable(path.to_owned(), error),
        }
    }
}

/// A missing or unreadable part of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Damage {
    /// The manifest is missing, although the database had one.
    NoManifest,
    /// The manifest is invalid.
    Manifest(String),
    /// The manifest belongs to another database.
    OtherInstance,
    /// A file or folder that every database has is missing.
    Missing(&'static str),
    /// A keyspace's tables are missing.
    Keyspace {
        /// Its name.
        name: String,
        /// Its folder in `keyspaces`.
        number: u64,
    },
    /// A keyspace's tables exist, but the engine cannot open them.
    KeyspaceUnreadable {
        /// Its name.
        name: String,
        /// Its folder in `keyspaces`.
        number: u64,
        /// The engine's reason.
        why: String,
    },
    /// The position is missing or unreadable, and the newest journal ends in bytes that are not a batch, among which
    /// there may be synced writes.
    NoPosition,
    /// A journal is missing whose writes are in no table.
    JournalMissing(u64),
    /// A journal holds less than was synced.
    JournalCut {
        /// The journal's number.
        number: u64,
        /// The readable bytes.
        readable: u64,
        /// The synced bytes.
        synced: u64,
    },
    /// A journal has more data after unreadable bytes.
    JournalHole {
        /// The journal's number.
        number: u64,
        /// The readable bytes before these.
        readable: u64,
    },
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoManifest => f.write_str(
                "the manifest is missing (if that is all, no data is lost: --accept-data-loss creates a new one)",
            ),
            Self::Manifest(why) => write!(f, "the manifest cannot be read: {why}"),
            Self::OtherInstance => f.write_str("the manifest belongs to another database"),
            Self::Missing(name) => {
                write!(f, "`{name}` is missing or unreadable, and the database is unusable without it")
            }
            Self::Keyspace { name, number } => write!(f, "keyspace {name} (`{KEYSPACES}/{number}`) is missing"),
            Self::KeyspaceUnreadable { name, number, why } => {
                write!(f, "keyspace {name} (`{KEYSPACES}/{number}`) cannot be read: {why}")
            }
            Self::NoPosition => {
                f.write_str("the position is missing, and the newest journal cannot be read to its end")
            }
            Self::JournalMissing(number) => write!(f, "journal `{number}.jnl` is missing"),
            Self::JournalCut { number, readable, synced } => {
                write!(
                    f,
                    "journal `{number}.jnl` is readable up to byte {readable}, but was synced up to byte {synced}"
                )
            }
            Self::JournalHole { number, readable } => {
                write!(f, "journal `{number}.jnl` is unreadable at byte {readable}, before later writes")
            }
        }
    }
}

impl Damage {
    /// The journal at which the readable part ends, and its readable bytes; `None` if it is missing.
    pub(super) const fn journal(&self) -> Option<(u64, Option<u64>)> {
        match self {
            Self::JournalMissing(number) => Some((*number, None)),
            Self::JournalCut { number, readable, .. } | Self::JournalHole { number, readable } => {
                Some((*number, Some(*readable)))
            }
            _ => None,
        }
    }
}

//! Why a database does not open.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use super::failure::Failure;

/// fjall's folder of keyspaces.
pub(super) const KEYSPACES: &str = "keyspaces";

/// Why the engine did not open. Displays as one line that an operator can act on.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("the database in {} is in use by another process", .0.display())]
    Locked(PathBuf),
    /// The folder cannot be made, read or written.
    #[error("the database folder {} cannot be used: {}", .0.display(), .1)]
    Unwritable(PathBuf, #[source] io::Error),
    /// What is in the folder is not a database of this version.
    #[error("the database in {} cannot be read: {}; restore a backup with `tweeter restore`, or start with --accept-data-loss to go on without what cannot be read", .0.display(), .1)]
    Corrupt(PathBuf, #[source] Box<dyn std::error::Error + Send + Sync>),
    /// Parts of it are missing or cannot be read. Nothing was changed.
    #[error(
        "the database in {} is damaged: {}; restore a backup with `tweeter restore`, or start with --accept-data-loss to \
         go on without what is missing",
        .0.display(), list(.1)
    )]
    Damaged(PathBuf, Vec<Damage>),
}

/// The first of them, and how many more there are.
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

    /// The folder is there by now, so what is not found is a part of the database.
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

/// One part of a database that is missing or cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Damage {
    /// The manifest is not there, although the database had one.
    NoManifest,
    /// The manifest is none.
    Manifest(String),
    /// The manifest is that of another database.
    OtherInstance,
    /// A file or folder that every database has is not there.
    Missing(&'static str),
    /// A keyspace's tables are not there.
    Keyspace {
        /// Its name.
        name: String,
        /// Its folder in `keyspaces`.
        number: u64,
    },
    /// A keyspace's tables are there, but the engine cannot open them.
    KeyspaceUnreadable {
        /// Its name.
        name: String,
        /// Its folder in `keyspaces`.
        number: u64,
        /// The engine's reason.
        why: String,
    },
    /// The position is not there or unreadable, and the newest journal ends in bytes that are no batch: synced writes may be
    /// among them.
    NoPosition,
    /// A journal is not there whose writes are in no table.
    JournalMissing(u64),
    /// A journal holds less than was synced.
    JournalCut {
        /// The journal's number.
        number: u64,
        /// How far it can be read.
        readable: u64,
        /// How far it was synced.
        synced: u64,
    },
    /// A journal has more behind bytes that cannot be read.
    JournalHole {
        /// The journal's number.
        number: u64,
        /// How far it can be read.
        readable: u64,
    },
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoManifest => f.write_str(
                "the manifest is missing (alone that loses nothing: --accept-data-loss then makes a new one)",
            ),
            Self::Manifest(why) => write!(f, "the manifest cannot be read: {why}"),
            Self::OtherInstance => f.write_str("the manifest is that of another database"),
            Self::Missing(name) => write!(f, "`{name}` is missing or unreadable, and without it nothing can be used"),
            Self::Keyspace { name, number } => write!(f, "keyspace {name} (`{KEYSPACES}/{number}`) is missing"),
            Self::KeyspaceUnreadable { name, number, why } => {
                write!(f, "keyspace {name} (`{KEYSPACES}/{number}`) cannot be read: {why}")
            }
            Self::NoPosition => {
                f.write_str("the position is missing, and the newest journal cannot be read to its end")
            }
            Self::JournalMissing(number) => write!(f, "journal `{number}.jnl` is missing"),
            Self::JournalCut { number, readable, synced } => {
                write!(f, "journal `{number}.jnl` can be read up to byte {readable} of {synced} that were synced")
            }
            Self::JournalHole { number, readable } => {
                write!(f, "journal `{number}.jnl` cannot be read from byte {readable} on, and more was written behind")
            }
        }
    }
}

impl Damage {
    /// The journal that ends the readable ones, and how far it can be read itself; `None` where it is missing.
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

//! `tweeter backup`: copies the data directory as of one instant to another directory, without blocking writes.
//!
//! ```text
//! DIR  db/            the database, copied row by row from a snapshot and read back
//!      manifest.json  the parts of the database
//!      blobs/         uploads and pictures, read back too
//!      signing-key    and all other files of the data directory
//!      backup.json    summary and time of the copy: written last, so that only a finished backup has it
//! ```

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, ErrorKind, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use domain::Timestamp;
use embedded::{
    EmbeddedBlobs, Engine, EngineOptions, OpenError,
    blobs::backup::{copy_unused, sum_of},
    copy::{Contents, CopyError, Report, Sum, sync_all},
    manifest::MANIFEST,
};
use serde::{Deserialize, Serialize};

use crate::layout::{BLOBS, DATABASE, SET_ASIDE, SOCKET};

/// The file that makes a directory a backup.
pub(crate) const SUMMARY: &str = "backup.json";
/// The version of [`Summary`].
pub(crate) const FORMAT: u32 = 1;
/// Entries of a data directory that are not data, or are copied separately.
const NOT_COPIED: [&str; 5] = [DATABASE, BLOBS, MANIFEST, SUMMARY, SOCKET];

/// The contents of `backup.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// [`FORMAT`].
    pub format: u32,
    /// The instant of the backup, RFC 3339.
    pub taken_at: String,
    /// The version of `tweeter` that took it.
    pub version: String,
    /// The contents of each keyspace.
    pub contents: Contents,
    /// The uploads and pictures; `None` from a version without them.
    #[serde(default)]
    pub files: Option<Sum>,
}

/// A completed backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackedUp {
    /// The backup's directory.
    pub dir: String,
    /// The instant, RFC 3339; every post acknowledged before it is in the backup.
    pub taken_at: String,
    /// Rows of the database.
    pub rows: u64,
    /// Bytes of their keys and values, and of the files.
    pub bytes: u64,
    /// Files of uploads and pictures.
    #[serde(default)]
    pub files: u64,
}

/// Why a backup or restore failed.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A directory is unsuitable.
    #[error("{0}")]
    Directory(String),
    /// A file cannot be read or written.
    #[error("cannot use {}: {error}", path.display())]
    Io {
        /// The file or its directory.
        path: PathBuf,
        /// The I/O error.
        #[source]
        error: io::Error,
    },
    /// The database cannot be copied or read.
    #[error("cannot copy the database: {0}")]
    Copy(#[from] CopyError),
    /// The copy cannot be opened.
    #[error("cannot open the copy: {0}")]
    Open(#[from] OpenError),
    /// The copy differs from the original.
    #[error("the copy in {} differs from the original in keyspace {keyspace}; the disk or the memory may be failing", dir.display())]
    Differs {
        /// The copy's directory.
        dir: PathBuf,
        /// The first keyspace that differs.
        keyspace: String,
    },
    /// The copies of pictures differ from the originals.
    #[error("the pictures in {} differ from the originals; the disk or the memory may be failing", dir.display())]
    PicturesDiffer {
        /// The copy's directory.
        dir: PathBuf,
    },
}

impl BackupError {
    /// Whether a different command line would help, rather than a different disk.
    pub const fn is_usage(&self) -> bool {
        matches!(self, Self::Directory(_))
    }

    pub(crate) fn io(path: &Path) -> impl Fn(io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::Io { path: path.clone(), error }
    }
}

/// Backs up an open data directory.
#[derive(Debug, Clone)]
pub struct Backup {
    /// The database.
    pub engine: Engine,
    /// Object storage; `None` if no process uses it.
    pub blobs: Option<EmbeddedBlobs>,
    /// The data directory.
    pub data_dir: PathBuf,
}

impl Backup {
    /// Takes a backup and reads it back. Blocks. A failed backup removes its partial copy.
    ///
    /// # Errors
    /// When `to` is not empty or is inside the data directory, or the copy fails or differs.
    pub fn run(&self, to: &Path, now: Timestamp, report: Report<'_>) -> Result<BackedUp, BackupError> {
        self.check_target(to)?;
        let was_there = to.exists();
        let done = self.copy(to, now, report);
        if done.is_err() {
            remove(to, was_there);
        }
        done
    }

    fn check_target(&self, to: &Path) -> Result<(), BackupError> {
        let data_dir = fs::canonicalize(&self.data_dir).map_err(BackupError::io(&self.data_dir))?;
        // The nearest existing directory, as the target may have to be created.
        let there = to.ancestors().find_map(|path| fs::canonicalize(path).ok());
        if there.is_some_and(|path| path.starts_with(&data_dir)) {
            let text = format!("{} is inside the data directory; name a directory outside it", to.display());
            return Err(BackupError::Directory(text));
        }
        match fs::read_dir(to).map(|mut entries| entries.next().is_none()) {
            Ok(true) => Ok(()),
            Ok(false) => {
                let text = format!("{} is not empty; name an empty or new directory", to.display());
                Err(BackupError::Directory(text))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(BackupError::io(to)(error)),
        }
    }

    fn copy(&self, to: &Path, now: Timestamp, report: Report<'_>) -> Result<BackedUp, BackupError> {
        make_private(to).map_err(BackupError::io(to))?;
        let database = to.join(DATABASE);
        make_private(&database).map_err(BackupError::io(&database))?;
        // Begun before the database's instant: a picture removed later may be in the copied database.
        let kept = self.blobs.as_ref().map(EmbeddedBlobs::keep);
        let contents = self.engine.copy_to(&database, report)?;
        let files = match &kept {
            Some(kept) => kept.copy_to(&to.join(BLOBS), report),
            None => copy_unused(&self.data_dir.join(BLOBS), &to.join(BLOBS), report),
        }?;
        drop(kept);
        copy_files(&self.data_dir, to)?;
        verify(to, &contents, Some(&files), report)?;
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let summary = Summary { format: FORMAT, taken_at: now.to_string(), version, contents, files: Some(files) };
        close_to_others(to).and_then(|()| sync_all(to)).map_err(BackupError::io(to))?;
        write_summary(to, &summary).map_err(BackupError::io(to))?;
        Ok(BackedUp {
            dir: to.display().to_string(),
            taken_at: summary.taken_at,
            rows: summary.contents.values().map(|sum| sum.rows).sum(),
            bytes: summary.contents.values().chain(&summary.files).map(|sum| sum.bytes).sum(),
            files: summary.files.map_or(0, |sum| sum.rows),
        })
    }
}

/// Opens the copied database and compares its contents, and the files, with what was copied.
pub(crate) fn verify(
    dir: &Path,
    expected: &Contents,
    files: Option<&Sum>,
    report: Report<'_>,
) -> Result<(), BackupError> {
    if let Some(files) = files
        && sum_of(&dir.join(BLOBS), report)? != *files
    {
        return Err(BackupError::PicturesDiffer { dir: dir.to_owned() });
    }
    let engine = Engine::open(EngineOptions { manifest: dir.join(MANIFEST), ..EngineOptions::at(dir.join(DATABASE)) })?;
    let contents = engine.contents(report);
    engine.close();
    drop(engine);
    let contents = contents?;
    let names = expected.keys().chain(contents.keys());
    match names.into_iter().find(|name| expected.get(*name) != contents.get(*name)) {
        None => Ok(()),
        Some(keyspace) => Err(BackupError::Differs { dir: dir.to_owned(), keyspace: keyspace.clone() }),
    }
}

/// Copies the other files of a data directory or backup: the signing key, and files of later versions.
pub(crate) fn copy_files(from: &Path, to: &Path) -> Result<(), BackupError> {
    for entry in fs::read_dir(from).map_err(BackupError::io(from))? {
        let entry = entry.map_err(BackupError::io(from))?;
        let name = entry.file_name();
        let text = name.to_string_lossy();
        // Leftovers of a restore, and a socket being created, begin with a dot.
        if NOT_COPIED.contains(&&*text) || text.starts_with(SET_ASIDE) || text.starts_with('.') {
            continue;
        }
        copy_tree(&entry.path(), &to.join(&name))?;
    }
    Ok(())
}

/// Copies a file, or a directory recursively. Skips sockets, pipes and links, as they are not data.
pub(crate) fn copy_tree(from: &Path, to: &Path) -> Result<(), BackupError> {
    let io_error = BackupError::io(from);
    let kind = fs::symlink_metadata(from).map_err(&io_error)?.file_type();
    if kind.is_file() {
        fs::copy(from, to).map_err(&io_error)?;
    } else if kind.is_dir() {
        make_private(to).map_err(BackupError::io(to))?;
        for entry in fs::read_dir(from).map_err(&io_error)? {
            let name = entry.map_err(&io_error)?.file_name();
            copy_tree(&from.join(&name), &to.join(&name))?;
        }
    }
    Ok(())
}

pub(crate) fn make_private(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    fs::set_permissions(dir, Permissions::from_mode(0o700))
}

/// Makes files and directories accessible to their owner only, whatever their mode was.
pub(crate) fn close_to_others(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            close_to_others(&entry.path())?;
        } else if kind.is_file() {
            fs::set_permissions(entry.path(), Permissions::from_mode(0o600))?;
        }
    }
    fs::set_permissions(dir, Permissions::from_mode(0o700))
}

fn write_summary(dir: &Path, summary: &Summary) -> io::Result<()> {
    let fresh = dir.join(format!(".{SUMMARY}"));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    writeln!(file, "{}", serde_json::to_string_pretty(summary)?)?;
    file.sync_all()?;
    fs::rename(fresh, dir.join(SUMMARY))?;
    File::open(dir)?.sync_all()
}

/// Removes the partial copy of a failed backup from a directory that was empty or absent before.
fn remove(dir: &Path, was_there: bool) {
    let removed = if was_there { empty(dir) } else { fs::remove_dir_all(dir) };
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            tracing::warn!(
                error = telemetry::chain(&error),
                "Could not remove the unfinished backup in {}; delete it by hand (it has no {SUMMARY})",
                dir.display()
            );
        }
        _ => {}
    }
}

fn empty(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() { fs::remove_dir_all(entry.path())? } else { fs::remove_file(entry.path())? }
    }
    Ok(())
}

//! `tweeter restore`: restores a backup into a data directory that no process uses.
//!
//! The backup is first copied into the data directory under another name and verified there, then moved into place by
//! renames, the database last: a restore interrupted in between leaves a manifest without its database, which prevents
//! a start.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use embedded::{
    OpenError,
    copy::{Report, sync_all},
    engine::take_lock,
    manifest::MANIFEST,
};
use serde::{Deserialize, Serialize};

use crate::{
    backup::{BackupError, FORMAT, SUMMARY, Summary, close_to_others, copy_files, copy_tree, make_private, verify},
    layout::{BLOBS, DATABASE, SET_ASIDE, SOCKET},
};

/// Where a restore is prepared in the data directory.
const STAGE: &str = ".restore";

/// A completed restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoredBackup {
    /// The data directory.
    pub data_dir: String,
    /// The instant of the backup, RFC 3339; later writes are not in it.
    pub taken_at: String,
    /// Rows of the database.
    pub rows: u64,
    /// Where the earlier data was moved, if there was any.
    pub set_aside: Option<String>,
}

/// Restores a backup. Existing data is moved aside with `replace`, and refused without. Blocks.
///
/// # Errors
/// When `from` is not a finished backup, a process uses the data directory, the directory holds data, or the copy
/// differs from the backup. The data directory is then unchanged.
pub fn restore(from: &Path, data_dir: &Path, replace: bool, report: Report<'_>) -> Result<RestoredBackup, BackupError> {
    let summary = read_summary(from)?;
    make_private(data_dir).map_err(BackupError::io(data_dir))?;
    // Held until the data is in place: the lock belongs to the database that is moved aside.
    let _lock = refuse_running(data_dir)?;
    let (backup, target) = (from.canonicalize(), data_dir.canonicalize());
    if let (Ok(backup), Ok(target)) = (backup, target)
        && (backup.starts_with(&target) || target.starts_with(&backup))
    {
        let text = format!(
            "one of {} and {} is inside the other; restore into another data directory",
            from.display(),
            data_dir.display()
        );
        return Err(BackupError::Directory(text));
    }
    let present = entries(data_dir).map_err(BackupError::io(data_dir))?;
    if !present.is_empty() && !replace {
        let text = format!(
            "{} holds data; name an empty data directory, or pass --replace to move the data aside",
            data_dir.display()
        );
        return Err(BackupError::Directory(text));
    }
    let stage = stage(from, data_dir, &summary, report).inspect_err(|_| {
        // The next attempt creates it again.
        let _ = fs::remove_dir_all(data_dir.join(STAGE));
    })?;
    let set_aside = put_in_place(&stage, data_dir, &present).map_err(BackupError::io(data_dir))?;
    Ok(RestoredBackup {
        data_dir: data_dir.display().to_string(),
        taken_at: summary.taken_at,
        rows: summary.contents.values().map(|sum| sum.rows).sum(),
        set_aside: set_aside.map(|path| path.display().to_string()),
    })
}

fn read_summary(from: &Path) -> Result<Summary, BackupError> {
    let refused = |why: String| BackupError::Directory(format!("{} is not a finished backup: {why}", from.display()));
    let text = fs::read(from.join(SUMMARY)).map_err(|error| refused(format!("{SUMMARY}: {error}")))?;
    let summary: Summary = serde_json::from_slice(&text).map_err(|error| refused(format!("{SUMMARY}: {error}")))?;
    if summary.format != FORMAT {
        return Err(refused(format!("its format is {}, and this version reads format {FORMAT}", summary.format)));
    }
    Ok(summary)
}

fn refuse_running(data_dir: &Path) -> Result<Option<fs::File>, BackupError> {
    let database = data_dir.join(DATABASE);
    if !database.is_dir() {
        return Ok(None);
    }
    match take_lock(&database) {
        Ok(lock) => Ok(Some(lock)),
        Err(OpenError::Locked(_)) => {
            let text = format!("a process is using {}; stop it first", data_dir.display());
            Err(BackupError::Directory(text))
        }
        Err(error) => Err(error.into()),
    }
}

/// The entries of the data directory, except a dead process's socket and leftovers of earlier restores.
fn entries(data_dir: &Path) -> io::Result<Vec<std::ffi::OsString>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(data_dir)? {
        let name = entry?.file_name();
        let text = name.to_string_lossy();
        if text != SOCKET && text != STAGE && !text.starts_with(SET_ASIDE) {
            names.push(name);
        }
    }
    Ok(names)
}

/// Prepares a complete data directory next to the existing one, and verifies it.
fn stage(from: &Path, data_dir: &Path, summary: &Summary, report: Report<'_>) -> Result<PathBuf, BackupError> {
    let stage = data_dir.join(STAGE);
    if stage.exists() {
        fs::remove_dir_all(&stage).map_err(BackupError::io(&stage))?;
    }
    make_private(&stage).map_err(BackupError::io(&stage))?;
    for name in [DATABASE, MANIFEST].into_iter().chain(summary.files.as_ref().map(|_| BLOBS)) {
        copy_tree(&from.join(name), &stage.join(name))?;
    }
    copy_files(from, &stage)?;
    close_to_others(&stage).map_err(BackupError::io(&stage))?;
    verify(&stage, &summary.contents, summary.files.as_ref(), report)?;
    close_to_others(&stage).and_then(|()| sync_all(&stage)).map_err(BackupError::io(&stage))?;
    Ok(stage)
}

/// Moves the data into place. Until the last step, a start finds a manifest whose database is missing and refuses.
fn put_in_place(stage: &Path, data_dir: &Path, present: &[std::ffi::OsString]) -> io::Result<Option<PathBuf>> {
    let aside = if present.is_empty() { None } else { Some(new_folder(data_dir)?) };
    if let Some(aside) = &aside {
        set_aside(data_dir, aside, present)?;
    }
    fs::rename(stage.join(MANIFEST), data_dir.join(MANIFEST))?;
    sync(data_dir)?;
    for name in entries(stage)? {
        if name != DATABASE {
            fs::rename(stage.join(&name), data_dir.join(&name))?;
        }
    }
    sync(data_dir)?;
    fs::rename(stage.join(DATABASE), data_dir.join(DATABASE))?;
    fs::remove_dir(stage)?;
    sync(data_dir)?;
    Ok(aside)
}

/// Copies the manifest; the one in place is then replaced by the backup's.
fn set_aside(data_dir: &Path, aside: &Path, present: &[std::ffi::OsString]) -> io::Result<()> {
    let manifest = data_dir.join(MANIFEST);
    if manifest.exists() {
        fs::copy(&manifest, aside.join(MANIFEST))?;
    } else if present.iter().any(|name| name == DATABASE) {
        // The existing database predates manifests: the backup's manifest stands in until its database follows.
        fs::copy(data_dir.join(STAGE).join(MANIFEST), &manifest)?;
    }
    for name in present {
        if name != MANIFEST {
            fs::rename(data_dir.join(name), aside.join(name))?;
        }
    }
    sync_all(aside)
}

fn new_folder(data_dir: &Path) -> io::Result<PathBuf> {
    let mut number = 1_u32;
    loop {
        let aside = data_dir.join(format!("{SET_ASIDE}{number}"));
        match fs::create_dir(&aside) {
            Ok(()) => {
                make_private(&aside)?;
                return Ok(aside);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(error),
        }
    }
}

fn sync(dir: &Path) -> io::Result<()> {
    fs::File::open(dir)?.sync_all()
}

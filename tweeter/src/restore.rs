//! `tweeter restore`: a backup back into a data directory in which no process runs.
//!
//! The backup is copied into the data directory under another name and read there. Only then does it take its place, by
//! renames, the database last: a restore that is interrupted between them leaves a manifest without its database, with
//! which nothing starts.

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
    layout::{DATABASE, SET_ASIDE, SOCKET},
};

/// Where a restore is made ready in the data directory.
const STAGE: &str = ".restore";

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoredBackup {
    /// Into this data directory.
    pub data_dir: String,
    /// The instant of the backup, RFC 3339: what was acknowledged after it is not there.
    pub taken_at: String,
    /// Rows of the database.
    pub rows: u64,
    /// Where the data is that was there before.
    pub set_aside: Option<String>,
}

/// Restores a backup. Data that is there is moved aside with `replace`, and refused without. Blocks.
///
/// # Errors
/// When `from` is no finished backup, a process runs on the data directory or it holds data, or the copy differs from
/// the backup. The data directory is as it was then.
pub fn restore(from: &Path, data_dir: &Path, replace: bool, report: Report<'_>) -> Result<RestoredBackup, BackupError> {
    let summary = read_summary(from)?;
    make_private(data_dir).map_err(BackupError::io(data_dir))?;
    // Held until the data is in its place: it is the lock of the database that is moved aside.
    let _lock = refuse_running(data_dir)?;
    let (backup, target) = (from.canonicalize(), data_dir.canonicalize());
    if let (Ok(backup), Ok(target)) = (backup, target)
        && (backup.starts_with(&target) || target.starts_with(&backup))
    {
        let text = format!(
            "{} and {} lie in each other; restore into another data directory",
            from.display(),
            data_dir.display()
        );
        return Err(BackupError::Directory(text));
    }
    let present = entries(data_dir).map_err(BackupError::io(data_dir))?;
    if !present.is_empty() && !replace {
        let text = format!(
            "{} holds data; name an empty data directory, or move the data aside with --replace",
            data_dir.display()
        );
        return Err(BackupError::Directory(text));
    }
    let stage = stage(from, data_dir, &summary, report).inspect_err(|_| {
        // It is made again by the next try.
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
    let refused = |why: String| BackupError::Directory(format!("{} is no finished backup: {why}", from.display()));
    let text = fs::read(from.join(SUMMARY)).map_err(|error| refused(format!("{SUMMARY}: {error}")))?;
    let summary: Summary = serde_json::from_slice(&text).map_err(|error| refused(format!("{SUMMARY}: {error}")))?;
    if summary.format != FORMAT {
        return Err(refused(format!("it has format {}, and this version knows format {FORMAT}", summary.format)));
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
            let text = format!("a process runs on {}; stop it first", data_dir.display());
            Err(BackupError::Directory(text))
        }
        Err(error) => Err(error.into()),
    }
}

/// What lies in the data directory, but for a dead process's socket and what earlier restores have left.
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

/// Makes a whole data directory beside the one that is there, and reads it.
fn stage(from: &Path, data_dir: &Path, summary: &Summary, report: Report<'_>) -> Result<PathBuf, BackupError> {
    let stage = data_dir.join(STAGE);
    if stage.exists() {
        fs::remove_dir_all(&stage).map_err(BackupError::io(&stage))?;
    }
    make_private(&stage).map_err(BackupError::io(&stage))?;
    for name in [DATABASE, MANIFEST] {
        copy_tree(&from.join(name), &stage.join(name))?;
    }
    copy_files(from, &stage)?;
    close_to_others(&stage).map_err(BackupError::io(&stage))?;
    verify(&stage, &summary.contents, report)?;
    close_to_others(&stage).and_then(|()| sync_all(&stage)).map_err(BackupError::io(&stage))?;
    Ok(stage)
}

/// At each step a start finds a manifest that misses its database, until the last.
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

/// The manifest is copied: the one in its place is replaced by the backup's.
fn set_aside(data_dir: &Path, aside: &Path, present: &[std::ffi::OsString]) -> io::Result<()> {
    let manifest = data_dir.join(MANIFEST);
    if manifest.exists() {
        fs::copy(&manifest, aside.join(MANIFEST))?;
    } else if present.iter().any(|name| name == DATABASE) {
        // A database from before manifests: the backup's own stands in until its database follows.
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

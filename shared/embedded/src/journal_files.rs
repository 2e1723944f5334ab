//! The files of fjall's journals, which are numbered.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Listings without a journal after which there is none.
const LISTINGS: usize = 3;

pub(super) fn path_of(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number}.jnl"))
}

pub(super) fn number_of(path: &Path) -> Option<u64> {
    (path.extension()? == "jnl").then(|| path.file_stem()?.to_str()?.parse().ok())?
}

pub(super) fn journals(folder: &Path) -> io::Result<impl Iterator<Item = io::Result<u64>>> {
    let entries = fs::read_dir(folder)?;
    Ok(entries.filter_map(|entry| entry.map(|entry| number_of(&entry.path())).transpose()))
}

/// The largest number in a listing. One listing may see no journal although there always is one: made too late to be
/// seen, removed too early. Several in a row cannot, as 64 MB are written in between.
pub(super) fn newest(folder: &Path) -> io::Result<u64> {
    for _ in 0..LISTINGS {
        let mut newest = None;
        for number in journals(folder)? {
            newest = newest.max(Some(number?));
        }
        if let Some(newest) = newest {
            return Ok(newest);
        }
    }
    Err(io::Error::new(io::ErrorKind::NotFound, "the database has no journal"))
}

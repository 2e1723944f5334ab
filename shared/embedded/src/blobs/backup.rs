//! Copies objects as they are at one instant, although objects are removed meanwhile.
//!
//! A file never changes, so its content is kept by a second name when it is removed or replaced during a backup.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs::{self, File},
    io::{self, Read as _, Write as _},
    ops::ControlFlow,
    path::Path,
};

use parking_lot::MutexGuard;
use ports::blobs::Bucket;
use xxhash_rust::xxh3::Xxh3;

use super::{
    EmbeddedBlobs,
    folder::{Folder, SHARDS, kept_in, make_dir, shard_of},
};
use crate::copy::{CopyError, Progress, Report, Sum};

/// Bytes that are copied together.
const BUFFER: usize = 256 * 1024;

/// Keeps every object of the instant at which it was made, until it is dropped.
#[derive(Debug)]
pub struct KeptBlobs<'a> {
    folder: &'a Folder,
    _alone: MutexGuard<'a, ()>,
}

impl EmbeddedBlobs {
    /// Begins a backup; waits for another one to end. Blocks.
    pub fn keep(&self) -> KeptBlobs<'_> {
        let alone = self.folder.backup.lock();
        *self.folder.keeping.write() = true;
        KeptBlobs { folder: &self.folder, _alone: alone }
    }
}

impl KeptBlobs<'_> {
    /// Copies the objects to `to`, which does not exist: all of that instant, and perhaps some written since. Blocks. The
    /// copy is not synced.
    ///
    /// # Errors
    /// Leaves an incomplete copy in place.
    pub fn copy_to(&self, to: &Path, report: Report<'_>) -> Result<Sum, CopyError> {
        read_all(self.folder.path(), Some(to), report)
    }
}

impl Drop for KeptBlobs<'_> {
    fn drop(&mut self) {
        *self.folder.keeping.write() = false;
        if let Err(error) = self.folder.drop_kept() {
            tracing::warn!(
                error = telemetry::chain(&error),
                "Could not remove objects that were kept for a backup; the next start will"
            );
        }
    }
}

/// Copies a folder of objects that no process uses to `to`, which does not exist. Blocks. The copy is not synced.
///
/// # Errors
/// Leaves an incomplete copy in place.
pub fn copy_unused(folder: &Path, to: &Path, report: Report<'_>) -> Result<Sum, CopyError> {
    read_all(folder, Some(to), report)
}

/// Sums up a folder of objects that no process uses. Blocks.
///
/// # Errors
/// If a file cannot be read.
pub fn sum_of(folder: &Path, report: Report<'_>) -> Result<Sum, CopyError> {
    read_all(folder, None, report)
}

/// Reads every object, as it is kept or else as it is, and copies it to `to`.
fn read_all(folder: &Path, to: Option<&Path>, report: Report<'_>) -> Result<Sum, CopyError> {
    let mut sum = Summing::new(report);
    for (bucket, shard) in shards() {
        let from = shard_of(folder, bucket, shard);
        let kept = kept_in(folder, &from);
        let to = to.map(|to| shard_of(to, bucket, shard));
        to.as_deref().map_or(Ok(()), make_dir)?;
        let mut names = names_in(&from)?;
        names.extend(names_in(&kept)?);
        for name in names {
            if let Some(file) = open_either(&kept.join(&name), &from.join(&name))? {
                let copy = to.as_ref().map(|to| File::create_new(to.join(&name))).transpose()?;
                sum.add(&name, file, copy)?;
            }
        }
    }
    sum.finish()
}

/// Opens an object as it was when keeping began. `None` if it was written and removed since.
fn open_either(kept: &Path, current: &Path) -> io::Result<Option<File>> {
    // The last look finds an object that was removed after the first.
    [kept, current, kept].into_iter().find_map(|path| open(path).transpose()).transpose()
}

/// The sum of the files seen so far, in order: one row per object.
struct Summing<'a> {
    report: Report<'a>,
    rows: u64,
    bytes: u64,
    hash: Xxh3,
    buffer: Vec<u8>,
}

impl<'a> Summing<'a> {
    fn new(report: Report<'a>) -> Self {
        Self { report, rows: 0, bytes: 0, hash: Xxh3::new(), buffer: vec![0; BUFFER] }
    }

    /// Adds a file, and copies it to `copy`.
    fn add(&mut self, name: &OsString, mut file: File, mut copy: Option<File>) -> Result<(), CopyError> {
        self.hash.update(name.as_encoded_bytes());
        self.hash.update(&file.metadata()?.len().to_le_bytes());
        loop {
            let read = file.read(&mut self.buffer)?;
            if read == 0 {
                break;
            }
            self.hash.update(&self.buffer[..read]);
            self.bytes += read as u64;
            copy.as_mut().map_or(Ok(()), |copy| copy.write_all(&self.buffer[..read]))?;
        }
        self.rows += 1;
        self.report()
    }

    fn report(&mut self) -> Result<(), CopyError> {
        match (self.report)(Progress { rows: self.rows, of_about: self.rows }) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(CopyError::Interrupted),
        }
    }

    fn finish(mut self) -> Result<Sum, CopyError> {
        // Reports at least once, even for an empty folder.
        self.report()?;
        Ok(Sum { rows: self.rows, bytes: self.bytes, xxh3: format!("{:016x}", self.hash.digest()) })
    }
}

fn shards() -> impl Iterator<Item = (Bucket, u8)> {
    Bucket::ALL.into_iter().flat_map(|bucket| SHARDS.map(move |shard| (bucket, shard)))
}

/// The names in a directory, in order; none if it does not exist.
fn names_in(directory: &Path) -> io::Result<BTreeSet<OsString>> {
    match fs::read_dir(directory) {
        Ok(entries) => entries.map(|entry| Ok(entry?.file_name())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeSet::new()),
        Err(error) => Err(error),
    }
}

fn open(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

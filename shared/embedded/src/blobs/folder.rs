//! The objects in the folder, by bucket and key. All calls block.

use std::{
    fmt,
    fs::{self, DirBuilder, File},
    io,
    ops::Range,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    time::SystemTime,
};

use domain::Timestamp;
use parking_lot::{Mutex, RwLock};
use ports::blobs::{Blob, Bucket};
use xxhash_rust::xxh3::xxh3_64;

use super::{
    BeforeWrite,
    file::{FreshFile, StoredBlob},
};

/// The directories of a bucket, by a hash of the key: a directory with millions of files is slow to list.
pub(super) const SHARDS: Range<u8> = 0..16;
const UNFINISHED: &str = "unfinished";
const KEPT: &str = "kept";

/// The folder. It exists with all its directories.
pub(super) struct Folder {
    path: PathBuf,
    before_write: BeforeWrite,
    /// Whether a backup is being taken: objects are then kept when they are removed or replaced. Locked for reading
    /// while one is.
    pub(super) keeping: RwLock<bool>,
    /// Held by the backup being taken.
    pub(super) backup: Mutex<()>,
}

impl fmt::Debug for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Folder").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Folder {
    pub(super) fn open(path: PathBuf, before_write: BeforeWrite) -> io::Result<Self> {
        let is_new = !path.exists();
        for bucket in Bucket::ALL {
            for shard in SHARDS {
                make_dir(&shard_of(&path, bucket, shard))?;
            }
            sync(&path.join(bucket.name()))?;
        }
        make_dir(&path.join(UNFINISHED))?;
        sync(&path)?;
        if is_new && let Some(parent) = path.parent() {
            sync(if parent.as_os_str().is_empty() { Path::new(".") } else { parent })?;
        }
        let folder = Self { path, before_write, keeping: RwLock::new(false), backup: Mutex::new(()) };
        for file in fs::read_dir(folder.path.join(UNFINISHED))? {
            fs::remove_file(file?.path())?;
        }
        folder.drop_kept()?;
        Ok(folder)
    }

    pub(super) fn find(&self, bucket: Bucket, key: &str) -> io::Result<Option<StoredBlob>> {
        match File::open(self.path_of(bucket, key)) {
            Ok(file) => StoredBlob::open(file).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether the key has an object.
    pub(super) fn has(&self, bucket: Bucket, key: &str) -> io::Result<bool> {
        self.path_of(bucket, key).try_exists()
    }

    pub(super) fn put(&self, bucket: Bucket, key: &str, blob: &Blob) -> io::Result<()> {
        let mut fresh = self.create(&blob.content_type, blob.body.len() as u64)?;
        self.append(&mut fresh, &blob.body)?;
        self.publish(fresh, bucket, key)
    }

    /// Creates a file for an object.
    pub(super) fn create(&self, content_type: &str, bytes: u64) -> io::Result<FreshFile> {
        (self.before_write)()?;
        FreshFile::create(&self.path.join(UNFINISHED), content_type, bytes)
    }

    /// Appends to a file.
    pub(super) fn append(&self, fresh: &mut FreshFile, part: &[u8]) -> io::Result<()> {
        (self.before_write)()?;
        fresh.append(part)
    }

    /// Makes a complete file an object, durably, replacing any of the same key.
    fn publish(&self, fresh: FreshFile, bucket: Bucket, key: &str) -> io::Result<()> {
        let (file, to) = (fresh.finish()?, self.path_of(bucket, key));
        let keeping = self.keeping.read();
        self.keep(*keeping, &to)?;
        file.persist(&to).map_err(|error| error.error)?;
        drop(keeping);
        sync_parent(&to)
    }

    /// Makes a complete file an object, durably, unless the key has one. Returns whether it did.
    pub(super) fn publish_new(&self, fresh: FreshFile, bucket: Bucket, key: &str) -> io::Result<bool> {
        let to = self.path_of(bucket, key);
        match fresh.finish()?.persist_noclobber(&to) {
            Ok(_) => sync_parent(&to).map(|()| true),
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error.error),
        }
    }

    pub(super) fn remove(&self, bucket: Bucket, keys: &[String]) -> io::Result<()> {
        self.remove_files(keys.iter().map(|key| self.path_of(bucket, key)))
    }

    /// Removes the objects of one shard that were last written before `before`.
    pub(super) fn remove_older(&self, bucket: Bucket, shard: u8, before: Timestamp) -> io::Result<()> {
        let mut old = Vec::new();
        for entry in fs::read_dir(shard_of(&self.path, bucket, shard))? {
            let path = entry?.path();
            match fs::metadata(&path).and_then(|file| file.modified()) {
                Ok(written) if millis(written) < before.as_millis() => old.push(path),
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        self.remove_files(old)
    }

    fn remove_files(&self, paths: impl IntoIterator<Item = PathBuf>) -> io::Result<()> {
        let mut changed: Vec<PathBuf> = Vec::new();
        for path in paths {
            let keeping = self.keeping.read();
            self.keep(*keeping, &path)?;
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            drop(keeping);
            let shard = path.parent().unwrap_or(&self.path);
            if !changed.iter().any(|other| other == shard) {
                changed.push(shard.to_owned());
            }
        }
        changed.iter().try_for_each(|shard| sync(shard))
    }

    /// Copies an object as a second name of its file, which needs no room: files never change.
    pub(super) fn copy(&self, bucket: Bucket, from: &str, to: &str) -> io::Result<bool> {
        let (from, to) = (self.path_of(bucket, from), self.path_of(bucket, to));
        let aside = self.path.join(UNFINISHED).join(domain::random::uuid().simple().to_string());
        match fs::hard_link(&from, &aside) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            linked => linked?,
        }
        let keeping = self.keeping.read();
        let renamed = self.keep(*keeping, &to).and_then(|()| fs::rename(&aside, &to));
        drop(keeping);
        // A rename of one name of a file to another does nothing.
        match fs::remove_file(&aside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => renamed?,
        }
        sync_parent(&to)?;
        Ok(true)
    }

    /// Gives a file that is about to be removed a second name, if a backup needs it.
    fn keep(&self, keeping: bool, path: &Path) -> io::Result<()> {
        if !keeping {
            return Ok(());
        }
        let kept = kept_in(&self.path, path);
        make_dir(kept.parent().unwrap_or(&self.path))?;
        match fs::hard_link(path, kept) {
            // It did not exist, or its state at the beginning of the backup is already kept.
            Err(error) if [io::ErrorKind::NotFound, io::ErrorKind::AlreadyExists].contains(&error.kind()) => Ok(()),
            linked => linked,
        }
    }

    pub(super) fn drop_kept(&self) -> io::Result<()> {
        match fs::remove_dir_all(self.path.join(KEPT)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn path_of(&self, bucket: Bucket, key: &str) -> PathBuf {
        // The first digit of the hash.
        let shard = xxh3_64(key.as_bytes()).to_be_bytes()[0] >> 4;
        shard_of(&self.path, bucket, shard).join(key.replace('/', "+"))
    }
}

/// The directory of a shard.
pub(super) fn shard_of(folder: &Path, bucket: Bucket, shard: u8) -> PathBuf {
    folder.join(bucket.name()).join(format!("{shard:x}"))
}

/// Where a file of the folder, or a directory of them, is kept.
pub(super) fn kept_in(folder: &Path, path: &Path) -> PathBuf {
    folder.join(KEPT).join(path.strip_prefix(folder).unwrap_or(path))
}

/// Creates a directory for its owner only, as pictures that are not served are private.
pub(super) fn make_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

fn sync_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), sync)
}

fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

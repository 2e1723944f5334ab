//! The secret that signs access tokens: created on first start, kept in the data directory, never shown.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, ErrorKind, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use domain::random;
use ports::signing::{SECRET_BYTES, TokenKeys};

/// The file's name in the data directory.
const FILE: &str = "signing-key";

/// The keys that sign and verify access tokens.
pub struct SigningKeys {
    /// Signs and verifies.
    pub current: [u8; SECRET_BYTES],
    /// Only verifies: the file's second line, present after an operator put a new key above the old one.
    pub previous: Option<[u8; SECRET_BYTES]>,
}

impl std::fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKeys").finish_non_exhaustive()
    }
}

/// Why the signing key is unavailable.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file's content is invalid.
    #[error("the signing key in {} is damaged: restore the file, or delete it to sign all users out", .0.display())]
    Damaged(PathBuf),
    /// The file cannot be read or created.
    #[error("cannot read or create the signing key in {}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The I/O error.
        #[source]
        error: io::Error,
    },
}

impl From<SigningKeys> for TokenKeys {
    fn from(keys: SigningKeys) -> Self {
        let tokens = Self::new(keys.current);
        match keys.previous {
            Some(previous) => tokens.with_previous(previous),
            None => tokens,
        }
    }
}

/// The keys in `data_dir`, created if missing. The caller holds the directory's lock.
pub fn load_or_create(data_dir: &Path) -> Result<SigningKeys, SecretError> {
    let path = data_dir.join(FILE);
    let io_error = |error| SecretError::Io { path: path.clone(), error };
    match fs::read_to_string(&path) {
        Ok(text) => {
            // A copy or a backup may not have kept the mode.
            fs::set_permissions(&path, Permissions::from_mode(0o600)).map_err(io_error)?;
            parse(&text).ok_or(SecretError::Damaged(path))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => create(data_dir, &path).map_err(io_error),
        Err(error) if error.kind() == ErrorKind::InvalidData => Err(SecretError::Damaged(path)),
        Err(error) => Err(io_error(error)),
    }
}

/// Writes a new key to a temporary file, syncs and renames it: the file appears complete or not at all.
fn create(data_dir: &Path, path: &Path) -> io::Result<SigningKeys> {
    let current = random::bytes::<SECRET_BYTES>();
    let unfinished = path.with_extension("new");
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    writeln!(file, "{}", hex::encode(current))?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    File::open(data_dir)?.sync_all()?;
    Ok(SigningKeys { current, previous: None })
}

/// Parses one key per line, in hexadecimal: the current one, and optionally the previous one.
fn parse(text: &str) -> Option<SigningKeys> {
    let mut lines = text.lines().map(|line| {
        let mut key = [0; SECRET_BYTES];
        hex::decode_to_slice(line.trim(), &mut key).ok().map(|()| key)
    });
    let current = lines.next()??;
    let previous = match lines.next() {
        Some(key) => Some(key?),
        None => None,
    };
    lines.next().is_none().then_some(SigningKeys { current, previous })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_made_once_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let first = load_or_create(dir.path()).unwrap();
        let again = load_or_create(dir.path()).unwrap();
        assert_eq!(first.current, again.current);
        let mode = fs::metadata(dir.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_second_line_is_the_previous_key() {
        let keys = parse(&format!("{}\n{}\n", "ab".repeat(32), "cd".repeat(32))).unwrap();
        assert_eq!((keys.current, keys.previous), ([0xab; 32], Some([0xcd; 32])));
    }

    #[test]
    fn a_damaged_file_is_named_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        for content in ["", "\n", "abcd\n", "zz", &format!("{0}\n{0}\n{0}\n", "ab".repeat(32))] {
            fs::write(dir.path().join(FILE), content).unwrap();
            let error = load_or_create(dir.path()).unwrap_err();
            assert!(matches!(&error, SecretError::Damaged(path) if path.ends_with(FILE)), "{error}");
            assert_eq!(fs::read_to_string(dir.path().join(FILE)).unwrap(), content);
        }
    }

    #[test]
    fn a_debug_print_shows_no_key() {
        let keys = SigningKeys { current: [0xab; 32], previous: None };
        assert_eq!(format!("{keys:?}"), "SigningKeys { .. }");
    }
}

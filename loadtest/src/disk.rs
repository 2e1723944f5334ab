//! Bytes on disk: those of a directory, and those written by this process.

use std::{fs, io, path::Path};

/// The size of all files in a directory and its subdirectories, in bytes. Files that disappear meanwhile are left out.
///
/// # Errors
/// If a directory or file cannot be read.
pub fn size_of(directory: &Path) -> io::Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let size = match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => size_of(&entry.path()),
            Ok(metadata) => Ok(metadata.len()),
            Err(error) => Err(error),
        };
        match size {
            Ok(size) => sum += size,
            // A compaction removes its input.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(sum)
}

/// Bytes that this process has had written to storage so far (`write_bytes` of `/proc/self/io`); `None` if the system
/// does not count them, as for a file system in memory.
pub fn written() -> Option<u64> {
    written_in(&fs::read_to_string("/proc/self/io").ok()?).filter(|bytes| *bytes > 0)
}

fn written_in(io: &str) -> Option<u64> {
    io.lines().find_map(|line| line.strip_prefix("write_bytes:"))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_includes_its_subdirectories() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("inner")).unwrap();
        fs::write(directory.path().join("a"), [0; 10]).unwrap();
        fs::write(directory.path().join("inner/b"), [0; 32]).unwrap();
        assert_eq!(size_of(directory.path()).unwrap(), 42);
        assert!(size_of(&directory.path().join("absent")).is_err());
    }

    #[test]
    fn written_bytes_are_parsed_from_the_kernels_text() {
        let io = "rchar: 1\nwchar: 2\nread_bytes: 4096\nwrite_bytes: 8192\ncancelled_write_bytes: 512\n";
        assert_eq!(written_in(io), Some(8_192));
        assert_eq!(written_in("rchar: 1\n"), None);
    }
}

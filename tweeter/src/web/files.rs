//! The files of the web client: in the binary, or in a directory.

use std::{io, path::PathBuf, sync::Arc};

use bytes::Bytes;

/// A file in the binary, written by `build.rs`.
struct Embedded {
    path: &'static str,
    hash: &'static str,
    bytes: &'static [u8],
    brotli: &'static [u8],
}

/// A file under its name in `OUT_DIR`.
macro_rules! embedded {
    ($path:literal, $hash:literal, $name:literal) => {
        Embedded {
            path: $path,
            hash: $hash,
            bytes: include_bytes!(concat!(env!("OUT_DIR"), "/", $name)),
            brotli: include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".br")),
        }
    };
}

include!(concat!(env!("OUT_DIR"), "/web_files.rs"));

/// A file to send.
#[derive(Debug)]
pub(super) struct File {
    /// The path below the client's root, of which the extension is the type.
    pub(super) name: String,
    /// The contents.
    pub(super) bytes: Bytes,
    /// The contents in brotli, if they are smaller.
    pub(super) brotli: Option<Bytes>,
    /// The entity tag, unless the contents may change at any time.
    pub(super) etag: Option<String>,
    /// Whether the path names these very contents for ever.
    pub(super) is_immutable: bool,
}

/// The source of files.
#[derive(Debug, Clone)]
pub(super) enum Files {
    /// The binary.
    Embedded,
    /// A directory.
    Directory(Arc<PathBuf>),
}

impl Files {
    pub(super) const fn embedded() -> Self {
        Self::Embedded
    }

    pub(super) fn in_directory(root: PathBuf) -> Self {
        Self::Directory(Arc::new(root))
    }

    /// The file of this name, if there is one.
    pub(super) async fn find(&self, name: &str) -> io::Result<Option<File>> {
        match self {
            Self::Embedded => Ok(embedded(name)),
            Self::Directory(root) => read(root.join(name), name).await,
        }
    }
}

/// A file of the binary by its own name, or by that of its version: `app-VERSION/main.js` is `app/main.js`.
fn embedded(name: &str) -> Option<File> {
    let plain = name.strip_prefix("app-").and_then(|rest| rest.strip_prefix(VERSION));
    let (path, is_immutable) = match plain {
        Some(rest) => (format!("app{rest}"), true),
        None => (name.to_owned(), false),
    };
    let index = FILES.binary_search_by(|file| file.path.cmp(&path)).ok()?;
    let file = &FILES[index];
    let is_smaller = file.brotli.len() < file.bytes.len();
    Some(File {
        name: path,
        bytes: Bytes::from_static(file.bytes),
        brotli: is_smaller.then(|| Bytes::from_static(file.brotli)),
        etag: Some(format!("W/\"{}\"", file.hash)),
        is_immutable,
    })
}

async fn read(path: PathBuf, name: &str) -> io::Result<Option<File>> {
    match tokio::fs::read(path).await {
        Ok(bytes) => {
            let name = name.to_owned();
            Ok(Some(File { name, bytes: bytes.into(), brotli: None, etag: None, is_immutable: false }))
        }
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::IsADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

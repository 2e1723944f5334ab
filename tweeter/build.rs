//! Embeds the web client: compresses the files of `web/` and lists them in `$OUT_DIR/web_files.rs`.

use std::{
    env,
    error::Error,
    fmt::Write as _,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

/// The served files; the rest of `web/` is for checks and tests.
const SERVED: [&str; 5] = ["index.html", "manifest.webmanifest", "sw.js", "icon.svg", "app"];
/// The folder whose files get immutable names.
const APP: &str = "/app/";
/// Bytes of a hash that are kept: 64 bits tell the versions of a file apart.
const HASH_BYTES: usize = 8;

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../web");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let mut paths = Vec::new();
    for name in SERVED {
        println!("cargo::rerun-if-changed={}", root.join(name).display());
        collect(&root, &root.join(name), &mut paths)?;
    }
    paths.sort();

    let mut files = Vec::new();
    for path in paths {
        let bytes = fs::read(root.join(&path))?;
        files.push((path, bytes));
    }
    let version = version(&files);
    let mut list = format!("const VERSION: &str = {version:?};\nstatic FILES: &[Embedded] = &[\n");
    for (number, (path, bytes)) in files.into_iter().enumerate() {
        let bytes = with_immutable_names(&path, bytes, &version)?;
        let name = format!("web-{number}");
        fs::write(out.join(&name), &bytes)?;
        fs::write(out.join(format!("{name}.br")), brotli(&bytes)?)?;
        writeln!(list, "embedded!({path:?}, {:?}, {name:?}),", hash(&bytes))?;
    }
    list.push_str("];\n");
    fs::write(out.join("web_files.rs"), list)?;
    Ok(())
}

/// Adds the files at `path`, relative to `root`.
fn collect(root: &Path, path: &Path, paths: &mut Vec<String>) -> Result<(), Box<dyn Error>> {
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            collect(root, &entry?.path(), paths)?;
        }
    } else {
        let relative = path.strip_prefix(root)?.to_str().ok_or("a file's name is not UTF-8")?;
        paths.push(relative.to_owned());
    }
    Ok(())
}

/// A hash of all files: one changed module changes the names of all, so that no page mixes two versions.
fn version(files: &[(String, Vec<u8>)]) -> String {
    let mut all = Sha256::new();
    for (path, bytes) in files {
        all.update(path.as_bytes());
        all.update(Sha256::digest(bytes));
    }
    hex::encode(&all.finalize()[..HASH_BYTES])
}

/// Makes the page and the service worker name the modules by version.
fn with_immutable_names(path: &str, bytes: Vec<u8>, version: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    if !["index.html", "sw.js"].contains(&path) {
        return Ok(bytes);
    }
    Ok(String::from_utf8(bytes)?.replace(APP, &format!("/app-{version}/")).into_bytes())
}

fn hash(bytes: &[u8]) -> String {
    hex::encode(&Sha256::digest(bytes)[..HASH_BYTES])
}

fn brotli(bytes: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut compressed = Vec::new();
    // Buffer, quality and window (2^22 bytes): the most that the format offers to every browser.
    brotli::CompressorWriter::new(&mut compressed, 4096, 11, 22).write_all(bytes)?;
    Ok(compressed)
}

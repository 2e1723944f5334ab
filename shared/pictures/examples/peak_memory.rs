//! Peak memory of a process that makes the three sizes of one upload of 50 megapixels (Linux).
//!
//! ```text
//! cargo run --release -p pictures --example peak_memory -- make jpeg /tmp/50.jpg
//! cargo run --release -p pictures --example peak_memory -- measure /tmp/50.jpg
//! ```
//!
//! Kinds: `jpeg`, `progressive` (4:4:4), `cmyk`, `png` (RGBA), `webp` (lossless RGB). Two commands, because making a file takes
//! memory too.

#![expect(clippy::cast_possible_truncation, reason = "shades may wrap")]

#[path = "../tests/it/files/jpeg.rs"]
#[expect(dead_code, reason = "the tests use all of it")]
mod jpeg;
#[path = "../tests/it/files/png.rs"]
#[expect(dead_code, reason = "the tests use all of it")]
mod png_files;
#[path = "../tests/it/files/webp.rs"]
#[expect(dead_code, reason = "the tests use all of it")]
mod webp;

use std::{env, error::Error, fs, io::Write};

use jpeg::Jpeg;
use pictures::{Announced, process};

const WIDTH: u16 = 8_660;
const HEIGHT: u16 = 5_773;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["make", kind, path] => fs::write(path, make(kind)?)?,
        ["measure", path] => measure(&fs::read(path)?)?,
        _ => return Err("usage: make KIND FILE | measure FILE".into()),
    }
    Ok(())
}

fn make(kind: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let jpeg = |components| Jpeg::new(WIDTH, HEIGHT, components, |_, column, row| (column + row) as u8);
    match kind {
        "jpeg" => Ok(jpeg(3).write()),
        "progressive" => Ok(Jpeg { progressive: true, ..jpeg(3) }.write()),
        "cmyk" => Ok(jpeg(4).with_adobe(0).write()),
        "png" => {
            let (width, height) = (WIDTH.into(), HEIGHT.into());
            Ok(png_files::plain(width, height, png::ColorType::Rgba, png::BitDepth::Eight, &[1, 2, 3, 4]))
        }
        "webp" => Ok(webp::plain(WIDTH.into(), HEIGHT.into(), [1, 2, 3])),
        _ => Err("unknown kind".into()),
    }
}

fn measure(file: &[u8]) -> Result<(), Box<dyn Error>> {
    let result = process(file, Announced { bytes: file.len() as u64 });
    let status = fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    let outcome = result.map_or_else(|rejection| rejection.to_string(), |_| "accepted".to_owned());
    writeln!(std::io::stdout(), "{} bytes: {outcome}, peak memory {}", file.len(), peak.trim())?;
    Ok(())
}

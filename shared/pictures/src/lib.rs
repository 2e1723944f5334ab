//! From an upload's bytes to the three JPEGs that are served.
//!
//! A pure function of the bytes: no I/O, no clock, no state. The media handler calls it once per upload:
//!
//! ```text
//! upload -> judge (format) -> decode -> scale to 2048 -> sRGB (colour) -> upright -> 640 -> 150 -> encode
//! ```
//!
//! Colours are converted and the picture is turned after the first scaling: at most four megapixels instead of fifty.
//!
//! Modules in reading order: [`limits`], [`Rejection`], `format`, `decode`, `scale`, `colour`, `derive`.

mod colour;
mod decode;
mod derive;
mod format;
pub mod limits;
mod rejection;
mod scale;

use std::panic::catch_unwind;

pub use derive::{Derivative, Processed};
pub use format::{Format, Unsupported};
pub use rejection::Rejection;

/// The promise of the client when it asked for the upload. Its content type is no part: the bytes decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announced {
    /// Size of the upload in bytes.
    pub bytes: u64,
}

/// Makes the three sizes of an uploaded picture, or gives the reason against it.
///
/// Deterministic: the same bytes give the same result, so a redelivered message changes nothing. It runs for up to
/// seconds and must stay off async threads. Memory is bounded by [`limits::MAX_PIXELS`]: at most four bytes per pixel for
/// the decoded picture, plus the decoder's own; `examples/peak_memory.rs` measures it.
///
/// # Errors
/// A [`Rejection`], final for these bytes.
pub fn process(bytes: &[u8], announced: Announced) -> Result<Processed, Rejection> {
    let received = bytes.len() as u64;
    if received != announced.bytes {
        return Err(Rejection::OtherSize { announced: announced.bytes, received });
    }
    let format = format::judge(bytes)?;
    // A panic of a decoder is a property of the bytes: a retry would end the same way. The panic hook has logged it.
    catch_unwind(|| {
        let decoded = decode::decode(format, bytes)?;
        derive::derive(format, decoded)
    })
    .unwrap_or(Err(Rejection::Damaged))
}

#[cfg(test)]
extern crate self as pictures;
#[cfg(test)]
#[path = "../tests/it/main.rs"]
mod it;

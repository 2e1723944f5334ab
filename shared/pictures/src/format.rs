//! Judges the type by the bytes. File names and content types are no evidence.

use std::fmt;

use crate::{
    limits::{MAX_PIXELS, MAX_SIDE},
    rejection::Rejection,
};

/// A type of picture that is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// `image/jpeg`
    Jpeg,
    /// `image/png`
    Png,
    /// `image/webp`
    WebP,
}

impl Format {
    /// The media type, as in `Content-Type`.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::WebP => "image/webp",
        }
    }
}

/// A kind of file that is not accepted, named to give the user a hint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unsupported {
    /// HEIC or HEIF, the format of iPhones.
    Heic,
    /// AVIF.
    Avif,
    /// GIF, animated or not.
    Gif,
    /// SVG: it may contain scripts.
    Svg,
    /// HTML.
    Html,
    /// None of the known types, or an empty file.
    Unknown,
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Heic => "a HEIC picture",
            Self::Avif => "an AVIF picture",
            Self::Gif => "a GIF picture",
            Self::Svg => "an SVG drawing",
            Self::Html => "an HTML page",
            Self::Unknown => "a file of this type",
        })
    }
}

/// Number of bytes searched for the root element of SVG and HTML.
const MARKUP_BYTES: usize = 1024;

/// Finds the format, or names the kind of file that it is instead.
pub fn judge(bytes: &[u8]) -> Result<Format, Rejection> {
    match bytes {
        [0xFF, 0xD8, 0xFF, ..] => Ok(Format::Jpeg),
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n', ..] => Ok(Format::Png),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Ok(Format::WebP),
        _ => Err(Rejection::Unsupported(name(bytes))),
    }
}

fn name(bytes: &[u8]) -> Unsupported {
    match bytes {
        [b'G', b'I', b'F', b'8', ..] => Unsupported::Gif,
        [_, _, _, _, b'f', b't', b'y', b'p', b'a', b'v', b'i', b'f' | b's', ..] => Unsupported::Avif,
        [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..] if is_heif(brand) => Unsupported::Heic,
        _ => name_markup(bytes),
    }
}

fn is_heif(brand: &[u8]) -> bool {
    const BRANDS: [&[u8]; 8] = [b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"];
    BRANDS.iter().any(|known| brand.starts_with(known))
}

fn name_markup(bytes: &[u8]) -> Unsupported {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(MARKUP_BYTES)]).to_ascii_lowercase();
    if head.contains("<html") || head.contains("<!doctype html") {
        Unsupported::Html
    } else if head.contains("<svg") {
        Unsupported::Svg
    } else {
        Unsupported::Unknown
    }
}

/// Checks the dimensions in a header, before memory is reserved for the pixels.
pub fn check_dimensions(width: u32, height: u32) -> Result<(), Rejection> {
    if width == 0 || height == 0 {
        Err(Rejection::Damaged)
    } else if u64::from(width) * u64::from(height) > MAX_PIXELS {
        Err(Rejection::TooManyPixels)
    } else if width.max(height) > MAX_SIDE {
        Err(Rejection::TooLong)
    } else {
        Ok(())
    }
}

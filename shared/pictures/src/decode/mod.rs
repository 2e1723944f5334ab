//! Decoders: one file per format, each with the same result.

mod jpeg;
mod png;
mod webp;

use image::metadata::Orientation;

use crate::{format::Format, rejection::Rejection};

/// The meaning of a pixel's channels, one byte each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channels {
    Grey,
    Rgb,
    /// 255 = full ink; the other way round if `inverted`, as Adobe's programs store it.
    Cmyk {
        inverted: bool,
    },
    /// CMYK as Adobe's programs store it: C, M and Y as `YCbCr` of their complements, K inverted.
    Ycck,
}

impl Channels {
    /// Bytes per pixel.
    pub const fn count(self) -> usize {
        match self {
            Self::Grey => 1,
            Self::Rgb => 3,
            Self::Cmyk { .. } | Self::Ycck => 4,
        }
    }
}

/// Pixels row by row, without padding: `width * height * channels.count()` bytes.
#[derive(Debug)]
pub struct Pixels {
    pub width: u32,
    pub height: u32,
    pub channels: Channels,
    pub data: Vec<u8>,
}

/// A decoded picture as it was stored, and the metadata needed to show it right.
#[derive(Debug)]
pub struct Decoded {
    pub pixels: Pixels,
    pub icc_profile: Option<Vec<u8>>,
    pub orientation: Orientation,
}

pub fn decode(format: Format, bytes: &[u8]) -> Result<Decoded, Rejection> {
    match format {
        Format::Jpeg => jpeg::decode(bytes),
        Format::Png => png::decode(bytes),
        Format::WebP => webp::decode(bytes),
    }
}

/// The orientation in an EXIF block. A block that cannot be read means upright: the pixels are sound all the same.
fn orientation(exif: Option<&[u8]>) -> Orientation {
    exif.map(|exif| exif.strip_prefix(b"Exif\0\0").unwrap_or(exif))
        .and_then(Orientation::from_exif_chunk)
        .unwrap_or(Orientation::NoTransforms)
}

/// Puts pixels with a last channel of opacity on white, in place, and drops that channel.
fn flatten(data: &mut Vec<u8>, colours: usize) {
    let pixels = data.len() / (colours + 1);
    for pixel in 0..pixels {
        let from = pixel * (colours + 1);
        let alpha = u32::from(data[from + colours]);
        for colour in 0..colours {
            let value = u32::from(data[from + colour]) * alpha + 255 * (255 - alpha);
            let shown = (value + 127) / 255;
            data[pixel * colours + colour] = u8::try_from(shown).expect("the weighted mean of two bytes");
        }
    }
    data.truncate(pixels * colours);
}

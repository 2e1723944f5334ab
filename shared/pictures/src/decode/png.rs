//! PNG: every colour type and depth becomes grey or RGB of 8 bits.

use std::io::Cursor;

use image::metadata::Orientation;
use png::{ColorType, Decoder, DecodingError, Info, Limits, Reader, Transformations};

use super::{Channels, Decoded, Pixels, flatten, orientation};
use crate::{format::check_dimensions, limits::MAX_PNG_METADATA, rejection::Rejection};

impl From<DecodingError> for Rejection {
    fn from(_: DecodingError) -> Self {
        Self::Damaged
    }
}

pub fn decode(bytes: &[u8]) -> Result<Decoded, Rejection> {
    let mut reader = open(bytes)?;
    let mut data = vec![0; reader.output_buffer_size().ok_or(Rejection::TooManyPixels)?];
    reader.next_frame(&mut data)?;
    // The profile and EXIF may stand after the pixels, and a file without its end is cut off.
    reader.finish()?;
    let channels = to_opaque(reader.output_color_type().0, &mut data)?;
    let (icc_profile, orientation) = metadata(reader.info());
    let pixels = Pixels { width: reader.info().width, height: reader.info().height, channels, data };
    Ok(Decoded { pixels, icc_profile, orientation })
}

fn open(bytes: &[u8]) -> Result<Reader<Cursor<&[u8]>>, Rejection> {
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), Limits { bytes: MAX_PNG_METADATA });
    decoder.set_transformations(Transformations::normalize_to_color8());
    decoder.set_ignore_text_chunk(true);
    let header = decoder.read_header_info()?;
    check_dimensions(header.width, header.height)?;
    let reader = decoder.read_info()?;
    if reader.info().is_animated() {
        return Err(Rejection::Animated);
    }
    Ok(reader)
}

fn to_opaque(stored: ColorType, data: &mut Vec<u8>) -> Result<Channels, Rejection> {
    match stored {
        ColorType::Grayscale => Ok(Channels::Grey),
        ColorType::Rgb => Ok(Channels::Rgb),
        ColorType::GrayscaleAlpha => {
            flatten(data, 1);
            Ok(Channels::Grey)
        }
        ColorType::Rgba => {
            flatten(data, 3);
            Ok(Channels::Rgb)
        }
        // The transformation has expanded palettes.
        ColorType::Indexed => Err(Rejection::Damaged),
    }
}

fn metadata(info: &Info<'_>) -> (Option<Vec<u8>>, Orientation) {
    (info.icc_profile.as_deref().map(<[u8]>::to_vec), orientation(info.exif_metadata.as_deref()))
}

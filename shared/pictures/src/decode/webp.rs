//! WebP, lossy and lossless.

use std::io::Cursor;

use image_webp::{DecodingError, WebPDecoder};

use super::{Channels, Decoded, Pixels, flatten, orientation};
use crate::{format::check_dimensions, rejection::Rejection};

impl From<DecodingError> for Rejection {
    fn from(_: DecodingError) -> Self {
        Self::Damaged
    }
}

pub fn decode(bytes: &[u8]) -> Result<Decoded, Rejection> {
    check_length(bytes)?;
    check_lossy_frames(bytes)?;
    let mut decoder = WebPDecoder::new(Cursor::new(bytes))?;
    if decoder.is_animated() {
        return Err(Rejection::Animated);
    }
    let (width, height) = decoder.dimensions();
    check_dimensions(width, height)?;
    let mut data = vec![0; decoder.output_buffer_size().ok_or(Rejection::TooManyPixels)?];
    decoder.read_image(&mut data)?;
    if decoder.has_alpha() {
        flatten(&mut data, 3);
    }
    let icc_profile = decoder.icc_profile()?;
    let orientation = orientation(decoder.exif_metadata()?.as_deref());
    Ok(Decoded { pixels: Pixels { width, height, channels: Channels::Rgb, data }, icc_profile, orientation })
}

/// Checks that the file is as long as its header says. The decoder ignores chunks that are cut off.
fn check_length(bytes: &[u8]) -> Result<(), Rejection> {
    let [_, _, _, _, s0, s1, s2, s3, body @ ..] = bytes else { return Err(Rejection::Damaged) };
    let complete = body.len() >= u32::from_le_bytes([*s0, *s1, *s2, *s3]) as usize;
    complete.then_some(()).ok_or(Rejection::Damaged)
}

/// Checks the dimensions of each lossy frame. The decoder reserves memory by them before it compares them with those of
/// the canvas, so a canvas of one pixel could hide a frame of 268 megapixels.
fn check_lossy_frames(bytes: &[u8]) -> Result<(), Rejection> {
    let mut rest = bytes.get(12..).ok_or(Rejection::Damaged)?;
    while let [f0, f1, f2, f3, s0, s1, s2, s3, body @ ..] = rest {
        if [*f0, *f1, *f2, *f3] == *b"VP8 " {
            check_lossy_frame(body)?;
        }
        let size = u32::from_le_bytes([*s0, *s1, *s2, *s3]) as usize;
        // Chunks are padded to an even size.
        rest = body.get(size.saturating_add(size % 2)..).unwrap_or_default();
    }
    Ok(())
}

/// RFC 6386, 9.1: a tag of three bytes, a start code of three, then width and height of 14 bits each.
fn check_lossy_frame(body: &[u8]) -> Result<(), Rejection> {
    let [_, _, _, _, _, _, w0, w1, h0, h1, ..] = body else { return Err(Rejection::Damaged) };
    let side = |low: u8, high: u8| u32::from(u16::from_le_bytes([low, high]) & 0x3FFF);
    check_dimensions(side(*w0, *w1), side(*h0, *h1))
}

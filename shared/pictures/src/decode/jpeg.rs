//! JPEG, baseline and progressive: grey, RGB, `YCbCr`, CMYK, YCCK.

use std::borrow::Cow;

use zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions};
use zune_jpeg::{JpegDecoder, errors::DecodeErrors};

use super::{Channels, Decoded, Pixels, orientation};
use crate::{
    format::check_dimensions,
    limits::{MAX_SCANS, MAX_SIDE},
    rejection::Rejection,
};

impl From<DecodeErrors> for Rejection {
    fn from(_: DecodeErrors) -> Self {
        Self::Damaged
    }
}

pub fn decode(bytes: &[u8]) -> Result<Decoded, Rejection> {
    let header = Header::read(bytes).ok_or(Rejection::Damaged)?;
    check_dimensions(header.width, header.height)?;
    let bytes = header.readable(bytes);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(&*bytes), options(ColorSpace::RGB));
    decoder.decode_headers()?;
    let stored = decoder.input_colorspace().ok_or(Rejection::Damaged)?;
    let (channels, decoded) = header.channels(stored)?;
    decoder.set_options(options(decoded));
    let mut data = vec![0; decoder.output_buffer_size().ok_or(Rejection::Damaged)?];
    decoder.decode_into(&mut data)?;
    let pixels = Pixels { width: header.width, height: header.height, channels, data };
    let orientation = orientation(decoder.exif().map(Vec::as_slice));
    Ok(Decoded { pixels, icc_profile: decoder.icc_profile(), orientation })
}

/// Strict, because otherwise the decoder fills the missing part of a truncated picture with grey and succeeds.
fn options(colours: ColorSpace) -> DecoderOptions {
    DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(MAX_SIDE as usize)
        .set_max_height(MAX_SIDE as usize)
        .jpeg_set_max_scans(MAX_SCANS)
        .jpeg_set_out_colorspace(colours)
}

/// The parts of the header that the decoder does not expose.
#[derive(Debug, Default)]
struct Header {
    width: u32,
    height: u32,
    /// The ids of the components.
    components: Vec<u8>,
    /// Position and value of the colour transform in the `Adobe` segment.
    adobe: Option<(usize, u8)>,
}

impl Header {
    /// Reads the segments up to the first scan. None if one is cut off, there is no frame, or no end of the picture
    /// follows: the decoder misses an end within the last row of blocks.
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut header = Self::default();
        let mut at = 2;
        loop {
            let marker = next_marker(bytes, &mut at)?;
            if let 0x01 | 0xD0..=0xD8 = marker {
                continue;
            }
            let size = usize::from(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
            let body = bytes.get(at + 2..at + size)?;
            match marker {
                // Every kind of frame; C4, C8 and CC are no frames.
                0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF => header.read_frame(body)?,
                0xEE if body.starts_with(b"Adobe") && body.len() >= 12 => header.adobe = Some((at + 2 + 11, body[11])),
                0xDA => break,
                _ => {}
            }
            at += size;
        }
        let ended = bytes[at..].windows(2).any(|pair| pair == [0xFF, 0xD9]);
        (ended && !header.components.is_empty()).then_some(header)
    }

    /// Precision, height, width, number of components, three bytes for each.
    fn read_frame(&mut self, body: &[u8]) -> Option<()> {
        let [_, h0, h1, w0, w1, _, components @ ..] = body else { return None };
        self.height = u32::from(u16::from_be_bytes([*h0, *h1]));
        self.width = u32::from(u16::from_be_bytes([*w0, *w1]));
        self.components = components.chunks_exact(3).map(|component| component[0]).collect();
        Some(())
    }

    /// RGB as Photoshop saves it: three components without a transform. The decoder takes it for CMYK and refuses it,
    /// unless the components are named R, G, B.
    fn is_adobe_rgb(&self) -> bool {
        matches!(self.adobe, Some((_, 0))) && self.components.len() == 3 && self.components != *b"RGB"
    }

    /// The bytes as the decoder can read them: with RGB declared as `YCbCr`, which [`Header::channels`] leaves as it is.
    fn readable<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        match self.adobe {
            Some((at, _)) if self.is_adobe_rgb() => {
                let mut bytes = bytes.to_vec();
                bytes[at] = 1;
                Cow::Owned(bytes)
            }
            _ => Cow::Borrowed(bytes),
        }
    }

    /// The meaning of the decoded channels, and the colour space to ask the decoder for. Four channels stay as they are
    /// stored, because the decoder's own conversion to RGB ignores profiles.
    fn channels(&self, stored: ColorSpace) -> Result<(Channels, ColorSpace), Rejection> {
        match stored {
            _ if self.is_adobe_rgb() => Ok((Channels::Rgb, ColorSpace::YCbCr)),
            ColorSpace::Luma => Ok((Channels::Grey, ColorSpace::Luma)),
            ColorSpace::RGB | ColorSpace::YCbCr => Ok((Channels::Rgb, ColorSpace::RGB)),
            ColorSpace::CMYK => Ok((Channels::Cmyk { inverted: self.adobe.is_some() }, ColorSpace::CMYK)),
            ColorSpace::YCCK => Ok((Channels::Ycck, ColorSpace::YCCK)),
            _ => Err(Rejection::Damaged),
        }
    }
}

/// Moves to the byte after the next marker and returns the marker. Fill bytes and padding before it are skipped, as
/// decoders do.
fn next_marker(bytes: &[u8], at: &mut usize) -> Option<u8> {
    loop {
        let pair = bytes.get(*at..*at + 2)?;
        *at += 1;
        if pair[0] == 0xFF && !matches!(pair[1], 0x00 | 0xFF) {
            *at += 1;
            return Some(pair[1]);
        }
    }
}

//! The three sizes of a decoded picture.

use image::{DynamicImage, ExtendedColorType, RgbImage, codecs::jpeg::JpegEncoder, metadata::Orientation};

use crate::{
    colour,
    decode::{Channels, Decoded, Pixels},
    format::Format,
    limits::{
        BLURHASH_COMPONENTS, MEDIUM_QUALITY, MEDIUM_SIDE, ORIGINAL_QUALITY, ORIGINAL_SIDE, THUMBNAIL_QUALITY,
        THUMBNAIL_SIDE,
    },
    rejection::Rejection,
    scale,
};

/// One size of a picture: upright, in sRGB, without metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Derivative {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// The JPEG file.
    pub jpeg: Vec<u8>,
}

/// The files made of an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Processed {
    /// The format of the upload, by its bytes. The three sizes are JPEGs whatever it was.
    pub uploaded: Format,
    /// The size that fits into [`ORIGINAL_SIDE`]. Its width and height are the picture's in the API.
    pub original: Derivative,
    /// The size that fits into [`MEDIUM_SIDE`].
    pub medium: Derivative,
    /// The size that fits into [`THUMBNAIL_SIDE`].
    pub thumbnail: Derivative,
    /// A blurred preview as text, 28 characters: <https://blurha.sh>.
    pub blurhash: String,
}

/// Scales, converts, turns and encodes a decoded picture.
///
/// # Errors
/// [`Rejection::Damaged`] if it cannot be encoded, which no decoded picture within the limits causes.
pub fn derive(uploaded: Format, decoded: Decoded) -> Result<Processed, Rejection> {
    let original = upright_srgb(decoded);
    let medium = scale::fit(&original, MEDIUM_SIDE);
    let medium = medium.as_ref().unwrap_or(&original);
    let thumbnail = scale::fit(medium, THUMBNAIL_SIDE);
    let thumbnail = thumbnail.as_ref().unwrap_or(medium);
    Ok(Processed {
        uploaded,
        blurhash: blurhash(thumbnail)?,
        original: encode(&original, ORIGINAL_QUALITY)?,
        medium: encode(medium, MEDIUM_QUALITY)?,
        thumbnail: encode(thumbnail, THUMBNAIL_QUALITY)?,
    })
}

/// Frees the decoded picture before it converts the scaled one.
fn upright_srgb(decoded: Decoded) -> Pixels {
    let Decoded { pixels, icc_profile, orientation } = decoded;
    let scaled = scale::fit(&pixels, ORIGINAL_SIDE).unwrap_or(pixels);
    turn(colour::to_srgb(scaled, icc_profile.as_deref()), orientation)
}

fn turn(pixels: Pixels, orientation: Orientation) -> Pixels {
    let picture = RgbImage::from_raw(pixels.width, pixels.height, pixels.data).expect("three bytes per pixel");
    let mut picture = DynamicImage::ImageRgb8(picture);
    picture.apply_orientation(orientation);
    let (width, height) = (picture.width(), picture.height());
    Pixels { width, height, channels: Channels::Rgb, data: picture.into_bytes() }
}

fn encode(pixels: &Pixels, quality: u8) -> Result<Derivative, Rejection> {
    let Pixels { width, height, .. } = *pixels;
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, quality)
        .encode(&pixels.data, width, height, ExtendedColorType::Rgb8)
        .map_err(|_| Rejection::Damaged)?;
    Ok(Derivative { width, height, jpeg })
}

fn blurhash(pixels: &Pixels) -> Result<String, Rejection> {
    let rgba: Vec<u8> = pixels.data.chunks_exact(3).flat_map(|rgb| [rgb[0], rgb[1], rgb[2], 255]).collect();
    let (across, down) = BLURHASH_COMPONENTS;
    ::blurhash::encode(across, down, pixels.width, pixels.height, &rgba).map_err(|_| Rejection::Damaged)
}

//! Conversion to sRGB.

use moxcms::{ColorProfile, DataColorSpace, Layout, TransformOptions};

use crate::decode::{Channels, Pixels};

/// Converts pixels to RGB in sRGB, by the embedded profile.
///
/// A profile that cannot be read, or of another colour model than the pixels, is ignored, as browsers do: grey and RGB
/// are then taken for sRGB, and CMYK for ideal inks.
pub fn to_srgb(mut pixels: Pixels, icc_profile: Option<&[u8]>) -> Pixels {
    to_plain_cmyk(&mut pixels);
    let profile = icc_profile.and_then(|bytes| ColorProfile::new_from_slice(bytes).ok());
    if pixels.channels == Channels::Grey && !is_of(profile.as_ref(), DataColorSpace::Gray) {
        pixels = Pixels { channels: Channels::Rgb, data: grey_to_rgb(&pixels.data), ..pixels };
    }
    let data = profile.and_then(|profile| by_profile(&pixels, &profile)).unwrap_or_else(|| without_profile(&pixels));
    Pixels { channels: Channels::Rgb, data, ..pixels }
}

fn is_of(profile: Option<&ColorProfile>, space: DataColorSpace) -> bool {
    profile.is_some_and(|profile| profile.color_space == space)
}

/// None if the profile does not fit the pixels or cannot be applied.
fn by_profile(pixels: &Pixels, profile: &ColorProfile) -> Option<Vec<u8>> {
    let (space, layout) = match pixels.channels {
        Channels::Grey => (DataColorSpace::Gray, Layout::Gray),
        Channels::Rgb => (DataColorSpace::Rgb, Layout::Rgb),
        // Any layout of four channels.
        Channels::Cmyk { .. } | Channels::Ycck => (DataColorSpace::Cmyk, Layout::Rgba),
    };
    if profile.color_space != space {
        return None;
    }
    let srgb = ColorProfile::new_srgb();
    let transform = profile.create_transform_8bit(layout, &srgb, Layout::Rgb, TransformOptions::default()).ok()?;
    let mut converted = vec![0; pixels.data.len() / pixels.channels.count() * 3];
    transform.transform(&pixels.data, &mut converted).ok()?;
    Some(converted)
}

fn without_profile(pixels: &Pixels) -> Vec<u8> {
    match pixels.channels {
        Channels::Grey => grey_to_rgb(&pixels.data),
        Channels::Rgb => pixels.data.clone(),
        Channels::Cmyk { .. } | Channels::Ycck => pixels.data.chunks_exact(4).flat_map(ideal_inks).collect(),
    }
}

fn grey_to_rgb(data: &[u8]) -> Vec<u8> {
    data.iter().flat_map(|grey| [*grey; 3]).collect()
}

/// The colour of inks that each absorb one third of the spectrum.
fn ideal_inks(cmyk: &[u8]) -> [u8; 3] {
    let light = |ink: u8| u32::from(255 - ink);
    [0, 1, 2].map(|ink| {
        let shown = (light(cmyk[ink]) * light(cmyk[3]) + 127) / 255;
        u8::try_from(shown).expect("at most 255: the product of two fractions of 255")
    })
}

/// Turns both of Adobe's encodings of CMYK into that of profiles, in which 255 is full ink.
fn to_plain_cmyk(pixels: &mut Pixels) {
    match pixels.channels {
        Channels::Cmyk { inverted: true } => pixels.data.iter_mut().for_each(|ink| *ink = 255 - *ink),
        Channels::Ycck => pixels.data.chunks_exact_mut(4).for_each(ycck_to_cmyk),
        Channels::Grey | Channels::Rgb | Channels::Cmyk { inverted: false } => return,
    }
    pixels.channels = Channels::Cmyk { inverted: false };
}

/// The equations of JFIF give the complements of C, M and Y as they are stored; these are inverted in turn, and so is K.
fn ycck_to_cmyk(pixel: &mut [u8]) {
    let [y, cb, cr] = [f32::from(pixel[0]), f32::from(pixel[1]) - 128.0, f32::from(pixel[2]) - 128.0];
    let inks = [y + 1.402 * cr, y - 0.344_136 * cb - 0.714_136 * cr, y + 1.772 * cb];
    for (stored, ink) in pixel.iter_mut().zip(inks) {
        *stored = saturated(ink);
    }
    pixel[3] = 255 - pixel[3];
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates at 0 and 255")]
fn saturated(value: f32) -> u8 {
    value.round() as u8
}

//! Scaling down.

use fast_image_resize::{
    FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer,
    images::{Image, ImageRef},
};

use crate::decode::{Channels, Pixels};

/// Fits pixels into a square, keeping the proportions. None if they fit already: nothing is enlarged.
pub fn fit(pixels: &Pixels, side: u32) -> Option<Pixels> {
    let (width, height) = fitted(pixels.width, pixels.height, side)?;
    let kind = match pixels.channels {
        Channels::Grey => PixelType::U8,
        Channels::Rgb => PixelType::U8x3,
        Channels::Cmyk { .. } | Channels::Ycck => PixelType::U8x4,
    };
    let source = ImageRef::new(pixels.width, pixels.height, &pixels.data, kind)
        .expect("`Pixels` hold width * height * channels bytes");
    let mut target = Image::new(width, height, kind);
    // The fourth channel is black ink, not opacity.
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3)).use_alpha(false);
    Resizer::new().resize(&source, &mut target, &options).expect("both pictures have the same type of pixels");
    Some(Pixels { width, height, channels: pixels.channels, data: target.into_vec() })
}

/// The scaled dimensions, rounded, at least one pixel each. None if the picture fits.
fn fitted(width: u32, height: u32, side: u32) -> Option<(u32, u32)> {
    let longest = width.max(height);
    let scaled = |length: u32| {
        let rounded = (u64::from(length) * u64::from(side) + u64::from(longest / 2)) / u64::from(longest);
        u32::try_from(rounded.max(1)).expect("at most `side`")
    };
    (longest > side).then(|| (scaled(width), scaled(height)))
}

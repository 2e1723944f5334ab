//! PNG files for tests.

use std::borrow::Cow;

use png::{BitDepth, ColorType, Encoder, Info};

/// A header: depth and colour type of a picture.
pub fn info(width: u32, height: u32, colours: ColorType, depth: BitDepth) -> Info<'static> {
    let mut info = Info::with_size(width, height);
    (info.color_type, info.bit_depth) = (colours, depth);
    info
}

/// A file with a header and the bytes of its pixels.
pub fn write(info: Info<'_>, data: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut writer = Encoder::with_info(&mut file, info).expect("a header").write_header().expect("written");
    writer.write_image_data(data).expect("written");
    writer.finish().expect("written");
    file
}

/// A file of one colour, given as the bytes of one pixel.
pub fn plain(width: u32, height: u32, colours: ColorType, depth: BitDepth, pixel: &[u8]) -> Vec<u8> {
    write(info(width, height, colours, depth), &pixel.repeat((width * height) as usize))
}

/// A file of one colour with an ICC profile.
pub fn with_profile(pixel: [u8; 3], profile: Vec<u8>) -> Vec<u8> {
    let mut info = info(64, 64, ColorType::Rgb, BitDepth::Eight);
    info.icc_profile = Some(Cow::Owned(profile));
    write(info, &pixel.repeat(64 * 64))
}

/// An animation of two frames.
pub fn animated() -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, 8, 8);
    encoder.set_animated(2, 0).expect("frames");
    let mut writer = encoder.write_header().expect("written");
    for shade in [0, 255] {
        writer.write_image_data(&[shade; 64]).expect("written");
    }
    writer.finish().expect("written");
    file
}

//! WebP files for tests.

use image_webp::{ColorType, WebPEncoder};

/// A lossless file of one colour.
pub fn plain(width: u32, height: u32, pixel: [u8; 3]) -> Vec<u8> {
    encode(width, height, ColorType::Rgb8, &pixel)
}

/// A lossless file of one colour with opacity.
pub fn transparent(pixel: [u8; 4]) -> Vec<u8> {
    encode(32, 32, ColorType::Rgba8, &pixel)
}

fn encode(width: u32, height: u32, colours: ColorType, pixel: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    let data = pixel.repeat((width * height) as usize);
    WebPEncoder::new(&mut file).encode(&data, width, height, colours).expect("encoded");
    file
}

/// A lossy file of 64 x 64 pixels in (200, 100, 50), made by `cwebp -q 95`: no crate writes lossy files.
pub const LOSSY: &[u8] = include_bytes!("made/lossy.webp");
/// The same in (200, 100, 0) with an opacity of 128.
pub const LOSSY_TRANSPARENT: &[u8] = include_bytes!("made/lossy-transparent.webp");

/// A lossless file with metadata: orientation 6, a profile and XMP.
pub fn with_metadata(exif: Vec<u8>, profile: Vec<u8>) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = WebPEncoder::new(&mut file);
    encoder.set_exif_metadata(exif);
    encoder.set_icc_profile(profile);
    encoder.set_xmp_metadata(b"<x:xmpmeta/>".to_vec());
    encoder.encode(&[200; 64 * 32 * 3], 64, 32, ColorType::Rgb8).expect("encoded");
    file
}

/// An animation: one frame of 8 x 8 pixels in the chunks of one.
pub fn animated() -> Vec<u8> {
    // After the header of the file, which has 12 bytes, the lossless frame is the only chunk.
    let frame = plain(8, 8, [10, 20, 30])[12..].to_vec();
    let mut animation_frame = vec![0; 6];
    animation_frame.extend([7, 0, 0, 7, 0, 0, 100, 0, 0, 0]);
    animation_frame.extend(frame);
    let canvas = [0b10, 0, 0, 0, 7, 0, 0, 7, 0, 0];
    riff(&[chunk(*b"VP8X", &canvas), chunk(*b"ANIM", &[0; 6]), chunk(*b"ANMF", &animation_frame)])
}

/// A canvas of one pixel with a lossy frame of 16,383 x 16,383.
pub fn hidden_bomb() -> Vec<u8> {
    let frame = [0x10, 0, 0, 0x9D, 0x01, 0x2A, 0xFF, 0x3F, 0xFF, 0x3F, 0, 0];
    riff(&[chunk(*b"VP8X", &[0; 10]), chunk(*b"VP8 ", &frame)])
}

fn riff(chunks: &[Vec<u8>]) -> Vec<u8> {
    chunk(*b"RIFF", &[&b"WEBP"[..], &chunks.concat()].concat())
}

fn chunk(name: [u8; 4], body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(body.len()).expect("a small chunk").to_le_bytes();
    let padding = &[0][..body.len() % 2];
    [&name[..], &size, body, padding].concat()
}

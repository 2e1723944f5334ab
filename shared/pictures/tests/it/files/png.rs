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

/// An interlaced grey file of 64 x 64 pixels, 50 in the left half and 200 in the right; the crate writes none.
pub fn interlaced() -> Vec<u8> {
    // The first column, the first row and the distances of columns and rows of each pass (Adam7).
    const PASSES: [[usize; 4]; 7] =
        [[0, 0, 8, 8], [4, 0, 8, 8], [0, 4, 4, 8], [2, 0, 4, 4], [0, 2, 2, 4], [1, 0, 2, 2], [0, 1, 1, 2]];
    let mut rows = Vec::new();
    for [left, top, across, down] in PASSES {
        for _ in (top..64).step_by(down) {
            rows.push(0);
            rows.extend((left..64).step_by(across).map(|x| if x < 32 { 50 } else { 200 }));
        }
    }
    let header = [0, 0, 0, 64, 0, 0, 0, 64, 8, 0, 0, 0, 1];
    let chunks = [chunk(*b"IHDR", &header), chunk(*b"IDAT", &zlib(&rows)), chunk(*b"IEND", &[])];
    [&b"\x89PNG\r\n\x1a\n"[..], &chunks.concat()].concat()
}

/// One block of stored bytes.
fn zlib(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("a small picture");
    let (low, high) = bytes.iter().fold((1, 0), |(low, high), byte| {
        let low = (low + u32::from(*byte)) % 65_521;
        (low, (high + low) % 65_521)
    });
    let checksum = (high << 16 | low).to_be_bytes();
    [&[0x78, 1, 1], &length.to_le_bytes()[..], &(!length).to_le_bytes(), bytes, &checksum].concat()
}

fn chunk(name: [u8; 4], body: &[u8]) -> Vec<u8> {
    let named = [&name[..], body].concat();
    let length = u32::try_from(body.len()).expect("a small chunk").to_be_bytes();
    [&length[..], &named, &crc32(&named).to_be_bytes()].concat()
}

/// The checksum of a chunk.
pub fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 * (crc & 1)))
    })
}

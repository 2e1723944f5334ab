//! Files that are refused, each with its reason.

use pictures::{Announced, Rejection, Unsupported, process};
use png::{BitDepth, ColorType};
use rstest::rstest;

use crate::it::{files, files::jpeg::Jpeg, run};

fn jpeg() -> Vec<u8> {
    Jpeg::new(640, 480, 3, |component, column, row| (component * 60 + column * 2 + row) as u8).write()
}

fn progressive_jpeg() -> Vec<u8> {
    let mut jpeg = Jpeg::new(640, 480, 3, |component, column, row| (component * 60 + column * 2 + row) as u8);
    jpeg.progressive = true;
    jpeg.write()
}

/// Noise, so that every part of the file matters.
fn png() -> Vec<u8> {
    let data: Vec<u8> = (0..64_u32 * 64).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    files::png::write(files::png::info(64, 64, ColorType::Grayscale, BitDepth::Eight), &data)
}

#[rstest]
#[case::jpeg(jpeg())]
#[case::progressive_jpeg(progressive_jpeg())]
#[case::png(png())]
#[case::webp(files::webp::with_metadata(files::exif(1), vec![1; 999]))]
#[case::lossy_webp(files::webp::LOSSY.to_vec())]
fn truncated_file_is_damaged(#[case] file: Vec<u8>) {
    assert!(run(&file).is_ok());
    for kept in [12, 40, file.len() / 3, file.len() / 2, file.len() * 9 / 10, file.len() - 3] {
        assert_eq!(run(&file[..kept]).err(), Some(Rejection::Damaged), "{kept} of {} bytes", file.len());
    }
}

#[test]
fn png_with_flipped_bits_is_damaged() {
    let mut file = png();
    let middle = file.len() / 2;
    file[middle] ^= 0xFF;
    assert_eq!(run(&file), Err(Rejection::Damaged));
}

#[rstest]
#[case::webp(files::webp::animated())]
#[case::png(files::png::animated())]
fn animation_is_refused(#[case] file: Vec<u8>) {
    assert_eq!(run(&file), Err(Rejection::Animated));
}

#[rstest]
#[case::heic(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", Unsupported::Heic)]
#[case::heif(b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", Unsupported::Heic)]
#[case::avif(b"\0\0\0\x18ftypavif\0\0\0\0mif1avif", Unsupported::Avif)]
#[case::gif(b"GIF89a\x01\0\x01\0", Unsupported::Gif)]
#[case::svg(b"<?xml version=\"1.0\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\"><script/></svg>", Unsupported::Svg)]
#[case::html(b"\n<!DOCTYPE HTML><html><script>alert(1)</script></html>", Unsupported::Html)]
#[case::html_with_svg(b"<html><svg/></html>", Unsupported::Html)]
#[case::text(b"holiday.jpg", Unsupported::Unknown)]
#[case::empty(b"", Unsupported::Unknown)]
fn other_type_is_named_and_refused(#[case] file: &[u8], #[case] expected: Unsupported) {
    assert_eq!(run(file), Err(Rejection::Unsupported(expected)));
}

#[rstest]
#[case::larger(1)]
#[case::smaller(-1)]
fn size_other_than_announced_is_refused(#[case] difference: i64) {
    let file = png();
    let received = file.len() as u64;
    let announced = received.saturating_add_signed(difference);
    let result = process(&file, Announced { bytes: announced });
    assert_eq!(result, Err(Rejection::OtherSize { announced, received }));
}

/// A PNG of one row whose header announces any dimensions. Refused by the header: the pixels would not fit into memory.
fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut file = files::png::plain(1, 1, ColorType::Grayscale, BitDepth::Eight, &[0]);
    file[16..20].copy_from_slice(&width.to_be_bytes());
    file[20..24].copy_from_slice(&height.to_be_bytes());
    let checksum = files::png::crc32(&file[12..29]);
    file[29..33].copy_from_slice(&checksum.to_be_bytes());
    file
}

#[rstest]
#[case::png(png_header(30_000, 30_000))]
#[case::png_of_the_largest_dimensions(png_header(i32::MAX as u32, i32::MAX as u32))]
#[case::png_just_above(png_header(10_000, 5_001))]
#[case::jpeg(Jpeg { height: 65_000, width: 65_000, ..small_jpeg() }.write_header_only())]
#[case::webp(files::webp::hidden_bomb())]
fn bomb_is_refused_by_its_header(#[case] file: Vec<u8>) {
    assert_eq!(run(&file), Err(Rejection::TooManyPixels));
}

fn small_jpeg() -> Jpeg {
    Jpeg::new(8, 8, 3, |_, _, _| 0)
}

#[test]
fn row_of_a_million_pixels_is_refused() {
    assert_eq!(run(&png_header(1_000_000, 1)), Err(Rejection::TooLong));
}

#[test]
fn scans_without_end_are_refused() {
    let mut jpeg = small_jpeg();
    jpeg.progressive = true;
    let file = jpeg.write();
    let scan = file.windows(2).position(|pair| pair == [0xFF, 0xDA]).expect("a scan");
    let end = file.len() - 2;
    let bomb = [&file[..scan], &file[scan..end].repeat(1000), &file[end..]].concat();
    assert!(run(&file).is_ok());
    assert_eq!(run(&bomb), Err(Rejection::Damaged));
}

#[test]
fn reasons_are_fit_to_show() {
    let reasons = [
        Rejection::OtherSize { announced: 5, received: 7 },
        Rejection::Unsupported(Unsupported::Heic),
        Rejection::Animated,
        Rejection::TooManyPixels,
        Rejection::TooLong,
        Rejection::Damaged,
    ];
    assert_eq!(
        reasons.map(|reason| reason.to_string()),
        [
            "the file has 7 bytes, but 5 were announced",
            "a HEIC picture cannot be used; send a JPEG, PNG or WebP picture",
            "animated pictures are not supported",
            "the picture has more than 50 megapixels",
            "the picture is wider or higher than 65535 pixels",
            "the file is damaged or incomplete",
        ]
    );
}

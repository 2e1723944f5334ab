//! EXIF orientations: the corners must be where the photographer saw them.

use rstest::rstest;

use crate::it::{accept, assert_colour, colour_at, files, files::jpeg::Jpeg, sizes};

const WHITE: [u8; 3] = [250; 3];
const LIGHT: [u8; 3] = [170; 3];
const DARK: [u8; 3] = [90; 3];
const BLACK: [u8; 3] = [10; 3];

/// Shades of the quarters as they are stored, in a picture of 10 x 4 blocks.
fn quarters(_: usize, column: usize, row: usize) -> u8 {
    match (column < 5, row < 2) {
        (true, true) => WHITE[0],
        (false, true) => LIGHT[0],
        (true, false) => DARK[0],
        (false, false) => BLACK[0],
    }
}

/// Expected from left to right, top to bottom.
#[rstest]
#[case(1, [WHITE, LIGHT, DARK, BLACK])]
#[case(2, [LIGHT, WHITE, BLACK, DARK])]
#[case(3, [BLACK, DARK, LIGHT, WHITE])]
#[case(4, [DARK, BLACK, WHITE, LIGHT])]
#[case(5, [WHITE, DARK, LIGHT, BLACK])]
#[case(6, [DARK, WHITE, BLACK, LIGHT])]
#[case(7, [BLACK, LIGHT, DARK, WHITE])]
#[case(8, [LIGHT, BLACK, WHITE, DARK])]
fn every_size_is_upright(#[case] orientation: u8, #[case] corners: [[u8; 3]; 4]) {
    let stored = Jpeg::new(80, 32, 1, quarters).with_exif(&files::exif(orientation));
    let processed = accept(&stored.write());
    for size in sizes(&processed) {
        let dimensions = if orientation < 5 { (80, 32) } else { (32, 80) };
        assert_eq!((size.width, size.height), dimensions);
        for (place, expected) in [(0.1, 0.1), (0.9, 0.1), (0.1, 0.9), (0.9, 0.9)].into_iter().zip(corners) {
            assert_colour(colour_at(size, place.0, place.1), expected);
        }
    }
}

#[rstest]
#[case::undefined(0)]
#[case::beyond_the_last(9)]
fn invalid_orientation_means_upright(#[case] orientation: u8) {
    let processed = accept(&Jpeg::new(80, 32, 1, quarters).with_exif(&files::exif(orientation)).write());
    assert_colour(colour_at(&processed.original, 0.1, 0.1), WHITE);
    assert_eq!((processed.original.width, processed.original.height), (80, 32));
}

#[test]
fn png_with_exif_is_upright() {
    let mut info = files::png::info(80, 32, png::ColorType::Grayscale, png::BitDepth::Eight);
    info.exif_metadata = Some(files::exif(6).into());
    let data: Vec<u8> = (0..32).flat_map(|y| (0..80).map(move |x| quarters(0, x / 8, y / 8))).collect();
    let processed = accept(&files::png::write(info, &data));
    assert_eq!((processed.original.width, processed.original.height), (32, 80));
    assert_colour(colour_at(&processed.original, 0.1, 0.1), DARK);
}

#[test]
fn webp_with_exif_is_upright() {
    let profile = moxcms::ColorProfile::new_srgb().encode().expect("a profile");
    let processed = accept(&files::webp::with_metadata(files::exif(6), profile));
    assert_eq!((processed.original.width, processed.original.height), (32, 64));
}

//! Dimensions of the three sizes.

use pictures::{Format, limits::MAX_PIXELS};
use png::{BitDepth, ColorType};
use rstest::rstest;

use crate::it::{accept, files, files::jpeg::Jpeg, sizes};

#[rstest]
#[case::large((4000, 3000), [(2048, 1536), (640, 480), (150, 113)])]
#[case::upright((300, 1000), [(300, 1000), (192, 640), (45, 150)])]
#[case::small((151, 40), [(151, 40), (151, 40), (150, 40)])]
#[case::tiny((149, 150), [(149, 150); 3])]
#[case::one_pixel((1, 1), [(1, 1); 3])]
#[case::thin((1, 20_000), [(1, 2048), (1, 640), (1, 150)])]
#[case::flat((20_000, 1), [(2048, 1), (640, 1), (150, 1)])]
fn sizes_fit_and_are_never_enlarged(#[case] stored: (u16, u16), #[case] expected: [(u32, u32); 3]) {
    let jpeg = Jpeg::new(stored.0, stored.1, 3, |_, column, _| column as u8).write();
    let png = files::png::plain(stored.0.into(), stored.1.into(), ColorType::Grayscale, BitDepth::Eight, &[77]);
    for file in [jpeg, png] {
        let processed = accept(&file);
        assert_eq!(sizes(&processed).map(|size| (size.width, size.height)), expected);
        assert_eq!(processed.blurhash.len(), 28);
    }
}

#[test]
fn exactly_fifty_megapixels_are_accepted() {
    let processed = accept(&Jpeg::new(10_000, 5_000, 1, |_, _, _| 128).write());
    assert_eq!(u64::from(processed.original.width) * 10_000 / 2048 * 5_000, MAX_PIXELS);
    assert_eq!((processed.original.width, processed.original.height), (2048, 1024));
}

#[test]
fn format_is_judged_by_the_bytes() {
    assert_eq!(accept(&Jpeg::new(8, 8, 1, |_, _, _| 0).write()).uploaded, Format::Jpeg);
    let png = files::png::plain(8, 8, ColorType::Grayscale, BitDepth::Eight, &[0]);
    assert_eq!(accept(&png).uploaded, Format::Png);
    assert_eq!(accept(&files::webp::plain(8, 8, [0; 3])).uploaded, Format::WebP);
}

#[test]
fn repeated_processing_gives_equal_bytes() {
    let file = Jpeg::new(700, 700, 3, |component, column, row| (component * 40 + column + row) as u8).write();
    assert_eq!(accept(&file), accept(&file));
}

//! Colours as a browser shows them, within 2/255 of the right ones.

use moxcms::{ColorProfile, DataColorSpace, LutDataType, LutStore, LutType, LutWarehouse, Matrix3d, ProfileClass};
use png::{BitDepth, ColorType};
use rstest::rstest;

use crate::it::{accept, assert_colour, assert_colour_of_all_sizes, colour_at, files, files::jpeg::Jpeg, sizes};

const SIDE: u16 = 160;

/// A picture of one colour, given as the stored components.
fn plain(components: u8, value: fn(usize, usize, usize) -> u8) -> Jpeg {
    Jpeg::new(SIDE, SIDE, components, value)
}

#[rstest]
#[case::baseline(false)]
#[case::progressive(true)]
fn jpeg_colours_are_right(#[case] progressive: bool) {
    let file = |jpeg: Jpeg| Jpeg { progressive, ..jpeg }.write();
    assert_colour_of_all_sizes(&file(plain(1, |_, _, _| 137)), [137; 3]);
    // JFIF's equations of (200, 100, 50).
    assert_colour_of_all_sizes(&file(plain(3, |component, _, _| [124, 86, 182][component])), [200, 100, 50]);
}

#[rstest]
#[case::baseline(false)]
#[case::progressive(true)]
fn photoshop_rgb_is_not_transformed(#[case] progressive: bool) {
    let jpeg = plain(3, |component, _, _| [200, 100, 50][component]).with_adobe(0);
    assert_colour_of_all_sizes(&Jpeg { progressive, ..jpeg }.write(), [200, 100, 50]);
}

/// Ink in 255ths: C 51, M 102, Y 204, K 25. The expected light is (255 - ink) * (255 - K) / 255.
const CMYK: [u8; 4] = [51, 102, 204, 25];
const CMYK_AS_RGB: [u8; 3] = [184, 138, 46];

#[rstest]
#[case::baseline(false)]
#[case::progressive(true)]
fn cmyk_jpeg_is_right(#[case] progressive: bool) {
    let inverted = plain(4, |component, _, _| 255 - CMYK[component]).with_adobe(0);
    assert_colour_of_all_sizes(&Jpeg { progressive, ..inverted }.write(), CMYK_AS_RGB);
    let as_it_is = plain(4, |component, _, _| CMYK[component]);
    assert_colour_of_all_sizes(&Jpeg { progressive, ..as_it_is }.write(), CMYK_AS_RGB);
}

/// `YCbCr` of C, M and Y, because Adobe stores 255 - C and transforms the complement of that; then 255 - K.
fn ycck(component: usize, _: usize, _: usize) -> u8 {
    let [c, m, y] = [CMYK[0], CMYK[1], CMYK[2]].map(f64::from);
    let luma = 0.299 * c + 0.587 * m + 0.114 * y;
    let stored = [luma, 128.0 + (y - luma) / 1.772, 128.0 + (c - luma) / 1.402, f64::from(255 - CMYK[3])];
    stored[component].round() as u8
}

#[rstest]
#[case::baseline(false)]
#[case::progressive(true)]
fn ycck_jpeg_is_right(#[case] progressive: bool) {
    let jpeg = plain(4, ycck).with_adobe(2);
    assert_colour_of_all_sizes(&Jpeg { progressive, ..jpeg }.write(), CMYK_AS_RGB);
}

#[test]
fn large_cmyk_jpeg_is_right() {
    let jpeg = Jpeg::new(2500, 800, 4, |component, _, _| 255 - CMYK[component]).with_adobe(0);
    assert_colour_of_all_sizes(&jpeg.write(), CMYK_AS_RGB);
}

#[rstest]
#[case::grey_16(ColorType::Grayscale, BitDepth::Sixteen, &[0x89, 0xAB], [0x89; 3])]
#[case::rgb_16(ColorType::Rgb, BitDepth::Sixteen, &[200, 9, 100, 250, 50, 0], [200, 100, 50])]
#[case::rgba_16(ColorType::Rgba, BitDepth::Sixteen, &[200, 0, 100, 0, 50, 0, 255, 255], [200, 100, 50])]
#[case::grey(ColorType::Grayscale, BitDepth::Eight, &[137], [137; 3])]
#[case::rgb(ColorType::Rgb, BitDepth::Eight, &[200, 100, 50], [200, 100, 50])]
#[case::half_transparent(ColorType::Rgba, BitDepth::Eight, &[200, 100, 0, 128], [227, 177, 127])]
#[case::invisible(ColorType::Rgba, BitDepth::Eight, &[200, 100, 0, 0], [255; 3])]
#[case::half_transparent_grey(ColorType::GrayscaleAlpha, BitDepth::Eight, &[0, 128], [127; 3])]
#[case::half_transparent_16(ColorType::GrayscaleAlpha, BitDepth::Sixteen, &[0, 0, 0x80, 0], [127; 3])]
fn png_colours_are_right(
    #[case] colours: ColorType,
    #[case] depth: BitDepth,
    #[case] pixel: &[u8],
    #[case] expected: [u8; 3],
) {
    assert_colour_of_all_sizes(&files::png::plain(200, 180, colours, depth, pixel), expected);
}

#[rstest]
#[case::one_bit(BitDepth::One, 0xFF)]
#[case::two_bits(BitDepth::Two, 0b0101_0101)]
#[case::four_bits(BitDepth::Four, 0x11)]
#[case::eight_bits(BitDepth::Eight, 1)]
fn palette_png_is_right(#[case] depth: BitDepth, #[case] byte: u8) {
    let mut info = files::png::info(64, 64, ColorType::Indexed, depth);
    info.palette = Some(vec![0, 0, 0, 200, 100, 0].into());
    let data = vec![byte; 64 * 64 * depth as usize / 8];
    assert_colour_of_all_sizes(&files::png::write(info.clone(), &data), [200, 100, 0]);
    info.trns = Some(vec![255, 128].into());
    assert_colour_of_all_sizes(&files::png::write(info, &data), [227, 177, 127]);
}

#[test]
fn interlaced_png_is_in_order() {
    for size in sizes(&accept(&files::png::interlaced())) {
        assert_colour(colour_at(size, 0.25, 0.5), [50; 3]);
        assert_colour(colour_at(size, 0.75, 0.5), [200; 3]);
    }
}

#[test]
fn webp_colours_are_right() {
    assert_colour_of_all_sizes(&files::webp::plain(200, 100, [200, 100, 50]), [200, 100, 50]);
    assert_colour_of_all_sizes(files::webp::LOSSY, [200, 100, 50]);
}

#[test]
fn transparent_webp_is_on_white() {
    assert_colour_of_all_sizes(&files::webp::transparent([200, 100, 0, 128]), [227, 177, 127]);
    assert_colour_of_all_sizes(files::webp::LOSSY_TRANSPARENT, [227, 177, 127]);
}

/// A wide colour space: its own light curve, and the matrix from its linear light to that of sRGB (both D65).
struct Space {
    profile: fn() -> ColorProfile,
    linear: fn(f64) -> f64,
    to_srgb: [[f64; 3]; 3],
}

/// Adobe RGB (1998), by its specification.
const ADOBE_RGB: Space = Space {
    profile: ColorProfile::new_adobe_rgb,
    linear: |value| value.powf(563.0 / 256.0),
    to_srgb: [[1.398_36, -0.398_36, 0.0], [0.0, 1.0, 0.0], [0.0, -0.042_93, 1.042_93]],
};

/// Display P3: the primaries of SMPTE RP 431-2, the curve of sRGB.
const DISPLAY_P3: Space = Space {
    profile: ColorProfile::new_display_p3,
    linear: |value| if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) },
    to_srgb: [[1.224_940, -0.224_940, 0.0], [-0.042_057, 1.042_057, 0.0], [-0.019_638, -0.078_636, 1.098_274]],
};

impl Space {
    fn expected(&self, colour: [u8; 3]) -> [u8; 3] {
        let linear = colour.map(|value| (self.linear)(f64::from(value) / 255.0));
        self.to_srgb.map(|row| {
            let light: f64 = row.iter().zip(linear).map(|(factor, light)| factor * light).sum();
            let light = light.clamp(0.0, 1.0);
            let value = if light <= 0.003_130_8 { light * 12.92 } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 };
            (value * 255.0).round() as u8
        })
    }
}

#[rstest]
fn wide_colours_are_converted(
    #[values(ADOBE_RGB, DISPLAY_P3)] space: Space,
    #[values([180, 120, 90], [90, 150, 120], [60, 60, 140], [128, 128, 128], [255, 255, 255], [0, 0, 0], [240, 30, 30])]
    colour: [u8; 3],
) {
    let profile = (space.profile)().encode().expect("a profile");
    assert_colour_of_all_sizes(&files::png::with_profile(colour, profile), space.expected(colour));
}

#[test]
fn jpeg_profile_is_applied() {
    let profile = ColorProfile::new_adobe_rgb().encode().expect("a profile");
    let jpeg = plain(3, |component, _, _| [124, 86, 182][component]).with_profile(&profile);
    assert_ne!(ADOBE_RGB.expected([200, 100, 50])[0].abs_diff(200), 0, "the profile makes a difference");
    assert_colour_of_all_sizes(&jpeg.write(), ADOBE_RGB.expected([200, 100, 50]));
}

#[test]
fn grey_profile_is_applied() {
    let profile = ColorProfile::new_gray_with_gamma(1.0).encode().expect("a profile");
    // Linear 0.2158605 is half of sRGB's scale.
    assert_colour_of_all_sizes(&plain(1, |_, _, _| 55).with_profile(&profile).write(), [128; 3]);
}

#[rstest]
#[case::unreadable(b"no profile".to_vec())]
#[case::of_another_colour_model(ColorProfile::new_gray_with_gamma(1.0).encode().expect("a profile"))]
fn useless_profile_is_ignored(#[case] profile: Vec<u8>) {
    let jpeg = plain(3, |component, _, _| [124, 86, 182][component]).with_profile(&profile);
    assert_colour_of_all_sizes(&jpeg.write(), [200, 100, 50]);
}

#[test]
fn cmyk_with_rgb_profile_takes_ideal_inks() {
    let profile = ColorProfile::new_adobe_rgb().encode().expect("a profile");
    let jpeg = plain(4, |component, _, _| CMYK[component]).with_profile(&profile);
    assert_colour_of_all_sizes(&jpeg.write(), CMYK_AS_RGB);
}

/// A printer whose black alone sets the lightness and whose magenta sets the redness: L* 100 to 0, a* 0 to 60.
fn printer() -> Vec<u8> {
    // The encoding of version 2: L* 100 is 0xFF00; a* and b* 0 are 0x8000, and one unit is 256.
    let corner = |corner: u16| {
        let (magenta, black) = (corner >> 2 & 1, corner & 1);
        [0xFF00 * (1 - black), 0x8000 + 256 * 60 * magenta, 0x8000]
    };
    let line = || LutStore::Store16([0, u16::MAX].repeat(4));
    let table = LutDataType {
        num_input_channels: 4,
        num_output_channels: 3,
        num_clut_grid_points: 2,
        matrix: Matrix3d::IDENTITY,
        num_input_table_entries: 2,
        num_output_table_entries: 2,
        input_table: line(),
        clut_table: LutStore::Store16((0..16).flat_map(corner).collect()),
        output_table: LutStore::Store16([0, u16::MAX].repeat(3)),
        lut_type: LutType::Lut16,
    };
    let mut profile = ColorProfile::new_lab();
    profile.profile_class = ProfileClass::OutputDevice;
    profile.color_space = DataColorSpace::Cmyk;
    profile.pcs = DataColorSpace::Lab;
    profile.lut_a_to_b_perceptual = Some(LutWarehouse::Lut(table.clone()));
    profile.lut_a_to_b_colorimetric = Some(LutWarehouse::Lut(table));
    profile.encode().expect("a profile")
}

/// K 128 is L* 49.8; M 64 is a* 15. By CIE's equations and the matrix from D50 to sRGB.
#[rstest]
#[case::black([0, 0, 0, 128], [118, 118, 118])]
#[case::magenta([0, 64, 0, 128], [143, 109, 119])]
fn cmyk_profile_is_applied(#[case] inks: [u8; 4], #[case] expected: [u8; 3]) {
    let value = if inks[1] == 0 {
        |component: usize, _: usize, _: usize| [255, 255, 255, 127][component]
    } else {
        |component: usize, _: usize, _: usize| [255, 191, 255, 127][component]
    };
    let jpeg = plain(4, value).with_adobe(0).with_profile(&printer());
    assert_colour_of_all_sizes(&jpeg.write(), expected);
}

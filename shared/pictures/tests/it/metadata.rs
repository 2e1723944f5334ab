//! Nothing of an upload's metadata may reach a reader: photos published with their location are the classic mistake.

use moxcms::ColorProfile;
use pictures::Processed;

use crate::it::{accept, files, files::jpeg::Jpeg, sizes};

/// Segments of a JPEG without pixels: applications (but JFIF), comments.
fn metadata_segments(jpeg: &[u8]) -> Vec<u8> {
    let mut found = Vec::new();
    let mut at = 2;
    while jpeg[at + 1] != 0xDA {
        let marker = jpeg[at + 1];
        if matches!(marker, 0xE1..=0xEF | 0xFE) {
            found.push(marker);
        }
        at += 2 + usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
    }
    found
}

#[track_caller]
fn assert_no_metadata(processed: &Processed) {
    for size in sizes(processed) {
        assert_eq!(metadata_segments(&size.jpeg), [] as [u8; 0]);
        for text in [&b"Exif"[..], b"GPS", b"II*\0", b"ICC_PROFILE", b"acsp", b"xmpmeta", b"xap/1.0", b"Adobe"] {
            assert!(!size.jpeg.windows(text.len()).any(|window| window == text), "{}", text.escape_ascii());
        }
    }
}

fn profile() -> Vec<u8> {
    ColorProfile::new_display_p3().encode().expect("a profile")
}

#[test]
fn jpeg_metadata_is_gone() {
    let mut file = Jpeg::new(64, 64, 3, |_, _, _| 128).with_exif(&files::exif(1)).with_xmp().with_profile(&profile());
    file.segments.push((0xFE, b"GPS in a comment".to_vec()));
    let file = file.with_adobe(1).write();
    assert_eq!(metadata_segments(&file), [0xE1, 0xE1, 0xE2, 0xFE, 0xEE]);
    assert_no_metadata(&accept(&file));
}

#[test]
fn png_metadata_is_gone() {
    let mut info = files::png::info(64, 64, png::ColorType::Rgb, png::BitDepth::Eight);
    info.exif_metadata = Some(files::exif(1).into());
    info.icc_profile = Some(profile().into());
    info.uncompressed_latin1_text.push(png::text_metadata::TEXtChunk::new("Comment", "GPS of home"));
    assert_no_metadata(&accept(&files::png::write(info, &[99; 64 * 64 * 3])));
}

#[test]
fn webp_metadata_is_gone() {
    assert_no_metadata(&accept(&files::webp::with_metadata(files::exif(6), profile())));
}

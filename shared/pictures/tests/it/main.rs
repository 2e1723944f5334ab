//! Uploads of every kind, made by the tests themselves, and the right result of each.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "coordinates and colours of test pictures are small"
)]

mod colours;
mod files;
mod metadata;
mod orientation;
mod rejections;
mod sizes;

use pictures::{Announced, Derivative, Processed, Rejection, process};
use zune_core::bytestream::ZCursor;
use zune_jpeg::JpegDecoder;

/// Processes a file that was announced with its own size.
fn run(file: &[u8]) -> Result<Processed, Rejection> {
    process(file, Announced { bytes: file.len() as u64 })
}

/// Processes a file that must be accepted.
fn accept(file: &[u8]) -> Processed {
    run(file).expect("accepted")
}

fn sizes(processed: &Processed) -> [&Derivative; 3] {
    [&processed.original, &processed.medium, &processed.thumbnail]
}

/// A derivative as a browser shows it: RGB.
fn shown(derivative: &Derivative) -> Vec<u8> {
    let mut decoder = JpegDecoder::new(ZCursor::new(&derivative.jpeg[..]));
    let data = decoder.decode().expect("a JPEG");
    assert_eq!(decoder.dimensions(), Some((derivative.width as usize, derivative.height as usize)));
    data
}

/// The colour at a place given in fractions of the width and height.
fn colour_at(derivative: &Derivative, across: f32, down: f32) -> [u8; 3] {
    let place = |fraction: f32, length: u32| ((fraction * length as f32) as usize).min(length as usize - 1);
    let (x, y) = (place(across, derivative.width), place(down, derivative.height));
    let at = (y * derivative.width as usize + x) * 3;
    shown(derivative)[at..at + 3].try_into().expect("three channels")
}

/// Fails unless each channel is within 2/255 of the expected colour.
#[track_caller]
fn assert_colour(actual: [u8; 3], expected: [u8; 3]) {
    assert!(
        actual.iter().zip(expected).all(|(actual, expected)| actual.abs_diff(expected) <= 2),
        "{actual:?} instead of {expected:?}"
    );
}

/// Fails unless the middle of each size has the expected colour.
#[track_caller]
fn assert_colour_of_all_sizes(file: &[u8], expected: [u8; 3]) {
    for size in sizes(&accept(file)) {
        assert_colour(colour_at(size, 0.5, 0.5), expected);
    }
}

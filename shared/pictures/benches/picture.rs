//! The whole of a 12-megapixel JPEG: judged, decoded, scaled to three sizes, encoded.

use criterion::{Criterion, criterion_group, criterion_main};
use image::{ExtendedColorType, codecs::jpeg::JpegEncoder};
use pictures::{Announced, process};

const WIDTH: u32 = 4000;
const HEIGHT: u32 = 3000;

/// A photograph's kind of content: soft gradients, edges, and the grain of a sensor. About 4 MB.
fn photograph() -> Vec<u8> {
    let mut grain: u32 = 1;
    let mut data = Vec::with_capacity((WIDTH * HEIGHT * 3) as usize);
    for y in 0..HEIGHT {
        for x in 0..WIDTH {
            grain = grain.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let edge = if (x / 97 + y / 61) % 5 == 0 { 60 } else { 0 };
            let light = 40 + x * 90 / WIDTH + y * 50 / HEIGHT + edge + (grain >> 29);
            data.extend([light, light * 7 / 8, 255 - light].map(|value| value.min(255) as u8));
        }
    }
    let mut file = Vec::new();
    JpegEncoder::new_with_quality(&mut file, 90)
        .encode(&data, WIDTH, HEIGHT, ExtendedColorType::Rgb8)
        .expect("encoded");
    file
}

fn picture(criterion: &mut Criterion) {
    let file = photograph();
    let announced = Announced { bytes: file.len() as u64 };
    let mut group = criterion.benchmark_group("picture");
    group.sample_size(10);
    group.bench_function("12_megapixels", |bencher| bencher.iter(|| process(&file, announced).expect("accepted")));
    group.finish();
}

criterion_group!(benches, picture);
criterion_main!(benches);

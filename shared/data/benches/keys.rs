//! The cost of building a feed entry's key and of converting it to the embedded engine's bytes and back.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use data::keys;
use domain::{IdGenerator, Timestamp, UserId};
use embedded::codec;

fn key_encoding(c: &mut Criterion) {
    let (reader, post) = (UserId::random(), IdGenerator::new().next_post_id(Timestamp::from_millis(1)));
    let key = keys::feed_entry(reader, post);
    let mut bytes = Vec::new();
    let mut group = c.benchmark_group("keys");
    group.sample_size(20);
    group.bench_function("build", |b| b.iter(|| keys::feed_entry(black_box(reader), black_box(post))));
    group.bench_function("encode", |b| {
        b.iter(|| codec::encode_key(black_box(&key.partition), black_box(&key.sort), &mut bytes).expect("a valid key"));
    });
    group.bench_function("decode", |b| b.iter(|| codec::decode_key(black_box(&bytes)).expect("a key")));
    group.finish();
}

criterion_group!(benches, key_encoding);
criterion_main!(benches);

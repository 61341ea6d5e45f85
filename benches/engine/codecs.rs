//! Values to bytes and back: the encodings of Rust hosts, and compression. What V8 encodes, `benches/node` measures.

#![allow(missing_docs, reason = "criterion_main makes the entry point")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde::{Deserialize, Serialize};
use std::hint::black_box;
use turbocache::Serializer;
use turbocache::codec::compression::{compress, decompress};
use turbocache::options::CompressionOptions;

#[derive(Serialize, Deserialize)]
struct User {
    id: u64,
    name: String,
    email: String,
    roles: Vec<String>,
    score: f64,
    active: bool,
}

fn user(id: u64) -> User {
    User {
        id,
        name: format!("Ada Lovelace {id}"),
        email: format!("ada{id}@example.org"),
        roles: vec!["admin".to_owned(), "editor".to_owned()],
        score: id as f64 / 3.0,
        active: id.is_multiple_of(2),
    }
}

fn serializers(criterion: &mut Criterion) {
    let users: Vec<User> = (0..40).map(user).collect();
    for (name, serializer) in [("json", Serializer::Json), ("msgpack", Serializer::MessagePack)] {
        let bytes = serializer.encode(&users).unwrap_or_default();
        let mut group = criterion.benchmark_group(format!("{name}: 40 users, {} bytes", bytes.len()));
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function("encode", |bencher| {
            bencher.iter(|| serializer.encode(black_box(&users)).map(|bytes| bytes.len()));
        });
        group.bench_function("decode", |bencher| {
            bencher.iter(|| {
                serializer
                    .decode::<Vec<User>>(black_box(&bytes))
                    .map(|users| users.len())
            });
        });
        group.finish();
    }
}

fn compression(criterion: &mut Criterion) {
    let options = CompressionOptions::default();
    for count in [40, 400] {
        let users: Vec<User> = (0..count).map(user).collect();
        let bytes = Serializer::Json.encode(&users).unwrap_or_default();
        let Some(small) = compress(&bytes, Some(&options)) else {
            panic!("{} bytes of JSON were not compressed", bytes.len());
        };
        let mut group = criterion.benchmark_group(format!("zstd: {} bytes, {} stored", bytes.len(), small.len()));
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function("compress", |bencher| {
            bencher.iter(|| compress(black_box(&bytes), Some(&options)).map(|small| small.len()));
        });
        group.bench_function("decompress", |bencher| {
            bencher.iter(|| decompress(black_box(&small), bytes.len()).map(|bytes| bytes.len()));
        });
        group.finish();
    }
}

criterion_group!(benches, serializers, compression);
criterion_main!(benches);

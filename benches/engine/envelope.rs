//! The envelope: what stands between bytes of a host and bytes in Redis.

#![allow(missing_docs, reason = "criterion_main makes the entry point")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use turbocache::codec::envelope::{Envelope, decode};
use turbocache::entry::{Lifetime, SerializerId};
use turbocache::key::RemoteKey;
use turbocache::options::CompressionOptions;

fn object(id: usize) -> String {
    format!(
        r#"{{"id":{id:08},"name":"Ada Lovelace","email":"ada{id:08}@example.org","roles":["admin","editor"],"address":{{"street":"12 St James's Square","city":"London","zip":"SW1Y 4JH"}},"active":true,"score":{id:05}.25,"created":"2026-11-23T11:40:33.000Z"}}"#
    )
}

fn envelopes(criterion: &mut Criterion) {
    let key = RemoteKey::new("shop", "user:1");
    let options = CompressionOptions::default();
    let list = format!("[{}]", (0..40).map(object).collect::<Vec<_>>().join(","));
    let small = object(1);
    for (name, payload) in [("an object", &small), ("a list, compressed", &list)] {
        let envelope = Envelope {
            serializer: SerializerId::JSON,
            incarnation: 7,
            born: 3,
            lifetime: Lifetime { ttl: 60_000, grace: 0 },
            tags: Vec::new(),
            payload: payload.as_bytes().into(),
        };
        let bytes = envelope.encode(&key, Some(&options));
        let mut group = criterion.benchmark_group(format!("{name}: {} bytes, {} stored", payload.len(), bytes.len()));
        group.throughput(Throughput::Bytes(payload.len() as u64));
        group.bench_function("encode", |bencher| {
            bencher.iter(|| black_box(&envelope).encode(&key, Some(&options)));
        });
        group.bench_function("decode", |bencher| {
            bencher.iter(|| decode(&key, black_box(&bytes), 16 << 20).map(|envelope| envelope.payload.len()));
        });
        group.finish();
    }
}

criterion_group!(benches, envelopes);
criterion_main!(benches);

//! L1 and the generation table, without anything around them.

#![allow(missing_docs, reason = "criterion_main makes the entry point")]

use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use turbocache::clock::Millis;
use turbocache::engine::generation::GenerationTable;
use turbocache::entry::{Entry, LoadTime, SerializerId, Stamp};
use turbocache::tier::{Compact, MemoryTier, Moka};

const KEYS: usize = 10_000;

fn entry(payload: &[u8]) -> Entry {
    Entry {
        payload: payload.into(),
        serializer: SerializerId::JSON,
        ttl: 60_000,
        grace: 0,
        load_time: LoadTime::UNKNOWN,
        fresh_until: Millis(60_000),
        gone_at: Millis(60_000),
        stamp: Stamp {
            generation: 0,
            namespace: 0,
            tags: 0,
            softened: 0,
        },
        tags: None,
    }
}

fn memory_tier(criterion: &mut Criterion) {
    store(criterion, "s3-fifo", &Compact::new(1 << 30, 16 << 20, 7));
    store(criterion, "tiny-lfu", &Moka::new(1 << 30));
}

fn store(criterion: &mut Criterion, name: &str, memory: &dyn MemoryTier) {
    let keys: Vec<String> = (0..KEYS).map(|n| format!("0000user:{n:011}")).collect();
    for key in &keys {
        memory.insert(key.as_bytes(), entry(&[b'x'; 249]));
    }
    memory.settle();
    let mut at = (0..KEYS).cycle();
    let mut key = || keys[at.next().unwrap_or_default()].as_bytes();
    let mut group = criterion.benchmark_group(format!("memory tier, {name}, 249 bytes"));
    group.bench_function("get", |bencher| bencher.iter(|| black_box(memory.get(key()))));
    group.bench_function("get of what is not there", |bencher| {
        bencher.iter(|| black_box(memory.get(b"0000nobody")));
    });
    group.bench_function("insert", |bencher| {
        bencher.iter(|| memory.insert(key(), entry(&[b'x'; 249])));
    });
    group.finish();
}

fn generations(criterion: &mut Criterion) {
    let table = GenerationTable::new(7);
    let slot = table.key_slot(0, "user:1");
    let mut group = criterion.benchmark_group("generation table");
    group.bench_function("slot of a key", |bencher| {
        bencher.iter(|| table.key_slot(0, black_box("user:1")))
    });
    group.bench_function("generation", |bencher| {
        bencher.iter(|| table.generation(black_box(slot)))
    });
    group.bench_function("generation under the lock", |bencher| {
        bencher.iter(|| table.lock(black_box(slot)).generation());
    });
    group.bench_function("bump without mirrors", |bencher| {
        bencher.iter(|| table.lock(black_box(slot)).bump())
    });
    group.finish();
}

criterion_group!(benches, memory_tier, generations);
criterion_main!(benches);

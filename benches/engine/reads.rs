//! Hits as Rust users see them: typed, through the whole engine.

#![allow(missing_docs, reason = "criterion_main makes the entry point")]

use criterion::{Criterion, criterion_group, criterion_main};
use serde::{Deserialize, Serialize};
use std::convert::Infallible;
use std::hint::black_box;
use turbocache::Cache;
use turbocache::engine::Space;
use turbocache::entry::SerializerId;

#[derive(Clone, Serialize, Deserialize)]
struct User {
    id: u64,
    name: String,
    email: String,
    roles: Vec<String>,
    active: bool,
}

fn reads(criterion: &mut Criterion) {
    let prepared = prepare();
    let (runtime, cache) = match &prepared {
        Ok(prepared) => prepared,
        Err(error) => panic!("{error}"),
    };
    let space = Space::open(cache.engine(), "", SerializerId::JSON);
    let mut group = criterion.benchmark_group("a hit in memory");
    group.bench_function("peek, bytes", |bencher| {
        bencher.iter(|| black_box(space.peek("user:1")))
    });
    group.bench_function("peek, typed", |bencher| {
        bencher.iter(|| black_box(cache.peek::<User>("user:1")))
    });
    group.bench_function("get, typed", |bencher| {
        bencher.iter(|| runtime.block_on(cache.get::<User>("user:1")).is_ok());
    });
    group.bench_function("get_or_load, typed", |bencher| {
        let load = || async { Ok::<_, Infallible>(user()) };
        bencher.iter(|| runtime.block_on(cache.get_or_load("user:1", load)).is_ok());
    });
    group.finish();
    criterion.bench_function("set, typed", |bencher| {
        bencher.iter(|| runtime.block_on(cache.set("user:2", &user())).is_ok());
    });
}

fn prepare() -> Result<(tokio::runtime::Runtime, Cache), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let cache = runtime.block_on(async {
        let cache = Cache::builder().build()?;
        cache.set("user:1", &user()).await?;
        Ok::<_, turbocache::Error>(cache)
    })?;
    Ok((runtime, cache))
}

fn user() -> User {
    User {
        id: 1,
        name: "Ada Lovelace".to_owned(),
        email: "ada@example.org".to_owned(),
        roles: vec!["admin".to_owned(), "editor".to_owned()],
        active: true,
    }
}

criterion_group!(benches, reads);
criterion_main!(benches);

//! How much memory an entry takes: a million of them in the memory tier. `cargo run --release --example memory`
//!
//! What is printed as "bytes beyond key and value" is what `turbocache::tier::OVERHEAD` must be.

#![allow(clippy::print_stdout, reason = "a program that prints what it measures")]

use std::error::Error;
use std::time::Instant;
use turbocache::Cache;
use turbocache::engine::{Space, Write};
use turbocache::entry::{Lifetime, SerializerId};
use turbocache::tier::OVERHEAD;

const ENTRIES: usize = 1_000_000;
const VALUE: usize = 100;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let cache = Cache::builder().memory_max_bytes(4 << 30).build()?;
    let space = Space::open(cache.engine(), "", SerializerId::JSON);
    let before = resident()?;
    let begin = Instant::now();
    let mut keys = 0;
    for n in 0..ENTRIES {
        let key = format!("user:{n:011}");
        keys += key.len();
        let write = Write {
            payload: &[b'x'; VALUE],
            serializer: SerializerId::JSON,
            lifetime: Lifetime {
                ttl: 3_600_000,
                grace: 0,
            },
            tags: &[],
        };
        space.set(&key, write, Box::new(drop));
    }
    let took = begin.elapsed();
    let (entries, accounted) = cache.engine().memory_usage();
    let after = resident()?;
    // The tier's keys begin with the number of their namespace.
    let (keys, entries) = (4 + keys / ENTRIES, entries as usize);
    let each = (after - before) / entries;
    println!("entries held                    {entries}");
    println!("inserted in                     {took:.2?}");
    println!("RSS before                      {:.1} MB", before as f64 / 1e6);
    println!("RSS after                       {:.1} MB", after as f64 / 1e6);
    println!("bytes of an entry               {each} (key {keys}, value {VALUE})");
    println!(
        "bytes beyond key and value      {} (OVERHEAD is {OVERHEAD})",
        each - keys - VALUE
    );
    println!("bytes that the tier accounts    {}", accounted as usize / entries);
    Ok(())
}

/// Resident bytes of this process; Linux only.
fn resident() -> Result<usize, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .ok_or("no VmRSS")?;
    let kilobytes = line.split_whitespace().nth(1).ok_or("no number")?;
    Ok(kilobytes.parse::<usize>()? * 1_024)
}

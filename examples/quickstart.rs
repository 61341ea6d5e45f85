//! A cache in memory: values, one load for many callers, tags, nested namespaces. `cargo run --example quickstart`

#![allow(clippy::print_stdout, reason = "an example that shows what happens")]

use serde::{Deserialize, Serialize};
use std::error::Error;
use std::time::Duration;
use turbocache::{Cache, WriteOptions};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct User {
    id: u32,
    name: String,
}

/// Stands for a query that takes its time.
async fn find_user(id: u32) -> Result<User, std::io::Error> {
    println!("asking the database for user {id}");
    tokio::time::sleep(Duration::from_millis(20)).await;
    Ok(User {
        id,
        name: "Ada".to_owned(),
    })
}

/// Runs by itself, without a server.
#[tokio::main]
pub async fn main() -> Result<(), Box<dyn Error>> {
    // With `.redis("redis://127.0.0.1:6379")` other processes share it, and hear what is invalidated.
    let cache = Cache::builder()
        .namespace("shop")
        .ttl(Duration::from_secs(300))
        .build()?;

    // Both miss, one asks the database.
    let (one, other) = tokio::join!(
        cache.get_or_load("user:1", || find_user(1)),
        cache.get_or_load("user:1", || find_user(1)),
    );
    assert_eq!(one?, other?);

    // From now on it is a hit, also without waiting.
    let held: Option<User> = cache.peek("user:1");
    println!("held: {held:?}");

    // Tags drop together what belongs together.
    let users = cache.nested("users");
    let listed = WriteOptions {
        tags: &["users"],
        ..WriteOptions::default()
    };
    users.set_with("newest", &[1, 2, 3], &listed).await?;
    users.set_with("count", &3, &listed).await?;
    users.invalidate_tags(&["users"]).await?;
    assert_eq!(users.get::<u32>("count").await?, None);

    cache.delete("user:1").await?;
    assert!(!cache.has("user:1").await?);
    cache.close().await;
    println!("done");
    Ok(())
}

//! A master that Sentinels watch: found, lost, found again elsewhere.

use crate::rig::{SentinelTrio, eventually, hearing, soon};
use std::time::{Duration, Instant};
use turbocache::Cache;

fn open(trio: &SentinelTrio) -> Cache {
    Cache::builder()
        .namespace("shop")
        .redis_sentinel(trio.options())
        .build()
        .expect("a cache")
}

async fn join(trio: &SentinelTrio) -> Cache {
    let cache = open(trio);
    hearing(&cache).await;
    cache
}

#[tokio::test]
async fn a_killed_master_is_followed_to_the_replica_that_was_promoted() {
    let mut trio = SentinelTrio::start();
    let (a, b) = (join(&trio).await, join(&trio).await);
    a.set("before", &1).await.unwrap();
    assert_eq!(b.get::<u8>("before").await.unwrap(), Some(1));
    let begin = Instant::now();
    trio.servers[0].kill();
    eventually("the new master is used", async || {
        soon(a.set("after", &2)).await.unwrap();
        soon(b.get::<u8>("after")).await.unwrap() == Some(2)
    })
    .await;
    assert!(begin.elapsed() < Duration::from_secs(8), "{:?}", begin.elapsed());
    hearing(&a).await;
    hearing(&b).await;
    a.delete("after").await.unwrap();
    eventually("B is told", async || b.peek::<u8>("after").is_none()).await;
}

//! A master that Sentinels watch: found, lost, found again elsewhere.

use crate::rig::{SentinelTrio, TimeAwake, eventually, hearing, soon};
use std::time::Duration;
use tokio::sync::Mutex;
use turbocache::Cache;

/// Elections have their time limits: one at a time.
pub static ELECTION: Mutex<()> = Mutex::const_new(());

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
    let _alone = ELECTION.lock().await;
    let mut trio = SentinelTrio::start();
    let (a, b) = (join(&trio).await, join(&trio).await);
    a.set("before", &1).await.unwrap();
    assert_eq!(b.get::<u8>("before").await.unwrap(), Some(1));
    let begin = TimeAwake::start();
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

/// The kernel goes on accepting connections for it, and nobody answers.
#[tokio::test]
async fn a_master_that_is_frozen_is_left_for_the_replica_that_was_promoted() {
    let _alone = ELECTION.lock().await;
    let trio = SentinelTrio::start();
    let cache = join(&trio).await;
    cache.set("before", &1).await.unwrap();
    let master = &trio.servers[0];
    master.freeze();
    let begin = TimeAwake::start();
    eventually("the new master has what is written", async || {
        let asked = TimeAwake::start();
        soon(cache.set("after", &2)).await.unwrap();
        soon(cache.get::<u8>("before")).await.unwrap();
        assert!(
            asked.elapsed() < Duration::from_secs(2),
            "a call waited {:?}",
            asked.elapsed()
        );
        trio.servers[1].has("tc:{shop:after}:v")
    })
    .await;
    assert!(begin.elapsed() < Duration::from_secs(8), "{:?}", begin.elapsed());
    master.thaw();
    for n in 0..20_u8 {
        soon(cache.set("later", &n)).await.unwrap();
        assert_eq!(soon(cache.get::<u8>("later")).await.unwrap(), Some(n));
    }
    let other = join(&trio).await;
    eventually("the one that goes on again is not taken for the master", async || {
        soon(other.get::<u8>("later")).await.unwrap() == Some(19)
    })
    .await;
}

/// What the replica does not get is acknowledged all the same.
#[tokio::test]
async fn a_change_that_the_promoted_replica_lacks_is_served_to_nobody() {
    let _alone = ELECTION.lock().await;
    let mut trio = SentinelTrio::start();
    let (a, b) = (join(&trio).await, join(&trio).await);
    for key in ["deleted", "set", "kept"] {
        a.set(key, &1).await.unwrap();
        assert_eq!(b.get::<u8>(key).await.unwrap(), Some(1));
    }
    let there = |key: &str| trio.servers[1].has(&format!("tc:{{shop:{key}}}:v"));
    eventually("the replica has them", async || {
        there("deleted") && there("set") && there("kept")
    })
    .await;
    trio.servers[0].stop_replicating_to(&trio.servers[1]);
    assert!(a.delete("deleted").await.unwrap());
    b.set("set", &2).await.unwrap();
    assert!(there("deleted"), "it has the old value");
    trio.servers[0].kill();
    let nothing_old = async |cache: &Cache| {
        assert_eq!(soon(cache.get::<u8>("deleted")).await.unwrap(), None);
        assert_ne!(soon(cache.get::<u8>("set")).await.unwrap(), Some(1));
    };
    eventually("the replica is used", async || {
        nothing_old(&a).await;
        nothing_old(&b).await;
        let lost = |cache: &Cache| cache.engine().counters().changes_lost.value();
        lost(&a) > 0 && lost(&b) > 0
    })
    .await;
    for cache in [&a, &b] {
        eventually("settled", async || {
            nothing_old(cache).await;
            cache.engine().is_settled()
        })
        .await;
        // Missed while a connection is replaced once more.
        eventually("nothing else is lost", async || {
            soon(cache.get::<u8>("kept")).await.unwrap() == Some(1)
        })
        .await;
    }
    nothing_old(&join(&trio).await).await;
}

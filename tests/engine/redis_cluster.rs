//! A Redis Cluster: keys on several nodes, slots that move, nodes that die and are replaced.

#![allow(
    clippy::await_holding_lock,
    reason = "each test has a thread and a runtime of its own: who waits for the shared servers holds up nobody else"
)]

use crate::rig::{RedisCluster, Reply, Shared, TimeAwake, eventually, hearing, shared, soon};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use turbocache::tier::RemoteState;
use turbocache::{Cache, WriteOptions};

/// Longest time after a failure in which the replica's promotion must be followed.
const FAILOVER: Duration = Duration::from_secs(8);

fn open(cluster: &RedisCluster) -> Cache {
    Cache::builder()
        .namespace("shop")
        .redis_cluster(cluster.urls())
        .build()
        .expect("a cache")
}

async fn join(cluster: &RedisCluster) -> Cache {
    let cache = open(cluster);
    hearing(&cache).await;
    cache
}

/// The name under which Redis has a key of the namespace.
fn name(key: &str) -> String {
    format!("tc:{{shop:{key}}}:v")
}

/// A key of each master of the beginning.
fn key_of_each(cluster: &RedisCluster) -> [String; 3] {
    [0, 1, 2].map(|node| {
        let mut keys = (0..).map(|n| format!("key {n}"));
        keys.find(|key| cluster.owner_of(&name(key)) == node).expect("a key")
    })
}

async fn seven() -> Result<u8, Infallible> {
    Ok(7)
}

#[tokio::test]
async fn keys_of_all_nodes_are_read_written_loaded_and_invalidated_together() {
    let shared = shared();
    let (a, b) = (join(&shared.cluster).await, join(&shared.cluster).await);
    let keys: Vec<String> = (0..50).map(|n| format!("user:{n}")).collect();
    for (n, key) in keys.iter().enumerate() {
        a.set(key, &n).await.unwrap();
    }
    for (n, key) in keys.iter().enumerate() {
        assert_eq!(b.get::<usize>(key).await.unwrap(), Some(n));
    }
    a.delete(&keys[0]).await.unwrap();
    eventually("B is told", async || b.peek::<usize>(&keys[0]).is_none()).await;
    assert_eq!(b.get::<usize>(&keys[0]).await.unwrap(), None);
    let tagged = WriteOptions {
        tags: &["even"],
        ..WriteOptions::default()
    };
    a.set_with(&keys[2], &2, &tagged).await.unwrap();
    assert_eq!(b.get::<usize>(&keys[2]).await.unwrap(), Some(2));
    a.invalidate_tags(&["even"]).await.unwrap();
    eventually("B is told", async || b.peek::<usize>(&keys[2]).is_none()).await;
    assert_eq!(b.get::<usize>(&keys[2]).await.unwrap(), None);
    assert_eq!(b.get::<usize>(&keys[1]).await.unwrap(), Some(1));
    a.clear().await.unwrap();
    eventually("B is told", async || b.peek::<usize>(&keys[1]).is_none()).await;
    for key in &keys {
        assert_eq!(soon(b.get_or_load(key, seven)).await.unwrap(), 7);
        assert_eq!(a.get::<u8>(key).await.unwrap(), Some(7));
    }
    assert_eq!(a.engine().warnings(), []);
}

/// Writes and reads until told to stop; a reader without memory must see each write that was acknowledged before it asked.
async fn traffic(writer: Cache, reader: Cache, key: String, stop: Arc<AtomicBool>) -> u64 {
    let mut written = 0;
    while !stop.load(Ordering::SeqCst) {
        written += 1;
        let before = writer.engine().counters().remote_errors.value();
        soon(writer.set(&key, &written)).await.expect("an answer");
        let failed = writer.engine().counters().remote_errors.value() > before;
        let read = soon(reader.get::<u64>(&key)).await.expect("an answer");
        assert!(
            failed || read == Some(written),
            "{key}: {written} was written, {read:?} was read"
        );
        if written % 5 == 0 {
            assert!(soon(writer.delete(&key)).await.expect("an answer") || failed);
            let read = soon(reader.get::<u64>(&key)).await.expect("an answer");
            assert_eq!(read, None, "{key}: {written} was deleted");
        }
    }
    written
}

#[tokio::test]
async fn a_slot_that_moves_in_the_middle_of_traffic_costs_no_write_and_brings_back_no_value() {
    let shared = shared();
    let Shared { cluster, .. } = &*shared;
    let writer = join(cluster).await;
    let reader = Cache::builder()
        .namespace("shop")
        .redis_cluster(cluster.urls())
        .without_memory()
        .build()
        .unwrap();
    hearing(&reader).await;
    // Their hash tags end at the first brace: they are all in one slot.
    let keys: Vec<String> = (0..6).map(|n| format!("k}}{n}")).collect();
    let slot = cluster.slot_of(&name(&keys[0]));
    let from = cluster.owner_of(&name(&keys[0]));
    let to = (from + 1) % 3;
    let stop = Arc::new(AtomicBool::new(false));
    let flows: Vec<_> = keys
        .iter()
        .map(|key| tokio::spawn(traffic(writer.clone(), reader.clone(), key.clone(), Arc::clone(&stop))))
        .collect();
    // And back, so that the next test finds the slots where they were.
    for (from, to) in [(from, to), (to, from)] {
        let pause = || tokio::time::sleep(Duration::from_millis(60));
        pause().await;
        cluster.begin_migration(slot, from, to);
        pause().await;
        cluster.migrate_keys(slot, from, to);
        pause().await;
        cluster.migrate_keys(slot, from, to);
        cluster.end_migration(slot, from, to);
        pause().await;
    }
    stop.store(true, Ordering::SeqCst);
    for flow in flows {
        assert!(soon(flow).await.unwrap() > 10, "there was traffic");
    }
    assert_eq!(writer.engine().counters().remote_errors.value(), 0, "no request failed");
}

#[tokio::test]
async fn a_dead_master_is_replaced_by_its_replica_while_the_others_go_on() {
    let mut cluster = RedisCluster::replicated();
    let (a, b) = (join(&cluster).await, join(&cluster).await);
    let keys = key_of_each(&cluster);
    let state = cluster.owner_of("tc:{shop}:g");
    // Killed: not the one with the namespace's state, so that the others are seen to go on.
    let killed = (state + 1) % 3;
    for (n, key) in keys.iter().enumerate() {
        a.set(key, &n).await.unwrap();
    }
    cluster.nodes[killed].kill();
    let begin = TimeAwake::start();
    eventually("it is told", async || {
        // A miss, while it is not known whether the node that is gone has taken changes with it.
        let there = soon(b.get::<usize>(&keys[state])).await.unwrap();
        assert!(there.is_none_or(|there| there == state), "{there:?}");
        soon(a.get_or_load(&keys[killed], || async { Ok::<_, Infallible>(killed) }))
            .await
            .unwrap();
        soon(a.set("probe", &1)).await.unwrap();
        soon(a.set(&keys[killed], &killed)).await.unwrap();
        !a.engine().warnings().is_empty() || begin.elapsed() > FAILOVER
    })
    .await;
    assert_eq!(a.engine().remote_state(), RemoteState::Up, "two of three nodes answer");
    eventually("the others go on", async || {
        soon(b.get::<usize>(&keys[state])).await.unwrap() == Some(state)
    })
    .await;
    eventually("the replica is used", async || {
        soon(a.set(&keys[killed], &10)).await.unwrap();
        b.delete("unrelated").await.unwrap();
        soon(b.get::<usize>(&keys[killed])).await.unwrap() == Some(10)
    })
    .await;
    assert!(begin.elapsed() < FAILOVER, "{:?}", begin.elapsed());
    eventually("all is well", async || a.engine().warnings().is_empty()).await;

    // Frozen: the one with the state.
    cluster.nodes[state].freeze();
    let begin = TimeAwake::start();
    eventually("the other replica is used", async || {
        soon(a.set(&keys[state], &20)).await.unwrap();
        soon(a.set(&keys[killed], &30)).await.unwrap();
        let other = open(&cluster);
        let read = soon(other.get::<usize>(&keys[state])).await.unwrap();
        soon(other.close()).await;
        read == Some(20)
    })
    .await;
    assert!(begin.elapsed() < FAILOVER, "{:?}", begin.elapsed());
    hearing(&a).await;
    hearing(&b).await;
    cluster.nodes[state].thaw();
    // It takes itself for the master until the others tell it, and loses what it is given meanwhile.
    eventually("the one that goes on again is not taken for the master", async || {
        soon(a.set("after", &1)).await.unwrap();
        soon(b.get::<u8>("after")).await.unwrap() == Some(1)
    })
    .await;
    a.delete("after").await.unwrap();
    eventually("B is told", async || b.peek::<u8>("after").is_none()).await;
}

#[tokio::test]
async fn a_node_that_nobody_replaces_costs_its_keys_and_no_others() {
    let mut cluster = RedisCluster::start();
    let a = join(&cluster).await;
    let keys = key_of_each(&cluster);
    let state = cluster.owner_of("tc:{shop}:g");
    let [dead, alive] = [(state + 1) % 3, (state + 2) % 3];
    cluster.nodes[dead].freeze();
    // At first a call waits for the deadline; then none does.
    eventually("it is told", async || {
        soon(a.set(&keys[dead], &1)).await.unwrap();
        !a.engine().warnings().is_empty()
    })
    .await;
    let warning = a.engine().warnings().remove(0);
    assert_eq!(warning.about, "redis.cluster");
    assert!(
        warning.message.contains("1 of 3 masters do not answer"),
        "{}",
        warning.message
    );
    let begin = TimeAwake::start();
    for n in 0..200 {
        soon(a.set(&keys[alive], &n)).await.unwrap();
        assert_eq!(
            soon(a.get_or_load(&keys[dead], || async { Ok::<_, Infallible>(1) }))
                .await
                .unwrap(),
            1
        );
        let other = a.nested("other");
        soon(other.set(&keys[dead], &n)).await.unwrap();
    }
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
    assert_eq!(a.engine().remote_state(), RemoteState::Up);
    let b = open(&cluster);
    eventually("another process reads what is there", async || {
        soon(b.get::<i32>(&keys[alive])).await.unwrap() == Some(199)
    })
    .await;
    let keeps_nothing = Cache::builder()
        .namespace("shop")
        .redis_cluster(cluster.urls())
        .without_memory()
        .build()
        .expect("a cache");
    eventually("what is read together with a key of that node is found", async || {
        let found = soon(keeps_nothing.get_many::<i32>(&[&keys[dead], &keys[alive]])).await;
        found.unwrap() == [None, Some(199)]
    })
    .await;
    cluster.nodes[dead].thaw();
    eventually("all is well", async || a.engine().warnings().is_empty()).await;
    // Each process finds by itself that it serves again.
    eventually("another process reads what is written there", async || {
        soon(a.set(&keys[dead], &2)).await.unwrap();
        soon(b.get::<i32>(&keys[dead])).await.unwrap() == Some(2)
    })
    .await;

    // Most of the masters gone: the rest refuses to serve, and the cache goes on.
    cluster.nodes[dead].kill();
    cluster.nodes[alive].kill();
    for n in 0..20 {
        let key = format!("without {n}");
        assert_eq!(soon(a.get_or_load(&key, seven)).await.unwrap(), 7);
        soon(a.set(&key, &8)).await.unwrap();
        assert_eq!(soon(a.get::<u8>(&key)).await.unwrap(), Some(8));
    }
    eventually("it is told", async || !a.engine().warnings().is_empty()).await;
}

/// What its replica does not get is acknowledged all the same.
#[tokio::test]
async fn a_change_that_a_promoted_replica_lacks_is_served_to_nobody() {
    for master_lives in [false, true] {
        let mut cluster = RedisCluster::replicated();
        let (a, b) = (join(&cluster).await, join(&cluster).await);
        let state = cluster.owner_of("tc:{shop}:g");
        let lost = (state + 1) % 3;
        let [deleted, set] = {
            let mut keys = (0..).map(|n| format!("key {n}"));
            [(); 2].map(|()| keys.find(|key| cluster.owner_of(&name(key)) == lost).expect("a key"))
        };
        for key in [&deleted, &set] {
            a.set(key, &1).await.unwrap();
            assert_eq!(b.get::<u8>(key).await.unwrap(), Some(1));
        }
        cluster.await_replication(lost);
        cluster.nodes[lost].stop_replicating_to(&cluster.nodes[lost + 3]);
        assert!(a.delete(&deleted).await.unwrap());
        b.set(&set, &2).await.unwrap();
        assert_eq!(b.get::<u8>(&deleted).await.unwrap(), None);
        if !master_lives {
            cluster.nodes[lost].kill();
        }
        let slot = cluster.slot_of(&name(&deleted));
        let count = cluster.nodes[lost + 3].run(&format!("CLUSTER COUNTKEYSINSLOT {slot}"));
        assert_ne!(count, Reply::Number(0), "it has the old value");
        cluster.nodes[lost + 3].run("CLUSTER FAILOVER TAKEOVER");
        let nothing_old = async |cache: &Cache| {
            assert_eq!(soon(cache.get::<u8>(&deleted)).await.unwrap(), None, "{master_lives}");
            assert_ne!(soon(cache.get::<u8>(&set)).await.unwrap(), Some(1), "{master_lives}");
        };
        eventually("the replica is used", async || {
            nothing_old(&a).await;
            nothing_old(&b).await;
            let count = cluster.nodes[lost + 3].run(&format!("CLUSTER COUNTKEYSINSLOT {slot}"));
            count == Reply::Number(0)
        })
        .await;
        for cache in [&a, &b] {
            eventually("settled", async || {
                nothing_old(cache).await;
                cache.engine().is_settled()
            })
            .await;
        }
        nothing_old(&join(&cluster).await).await;
        eventually("it takes what is new", async || {
            soon(a.set(&deleted, &3)).await.unwrap();
            soon(b.get::<u8>(&deleted)).await.unwrap() == Some(3)
        })
        .await;
    }
}

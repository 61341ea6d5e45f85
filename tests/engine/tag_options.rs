//! Soft invalidations leave the grace; those of several tags together reach only what carries all of them. In this
//! process, in another one, and in one that comes later and knows nothing.

use crate::rig::{RedisServer, World, answer, eventually, hearing, soon, space};
use std::time::Duration;
use turbocache::engine::{FillOutcome, LeaseId, Lookup, Space, Write};
use turbocache::entry::{Lifetime, SerializerId};
use turbocache::{Cache, TagOptions, WriteOptions};

const SOFT: TagOptions = TagOptions { all: false, soft: true };
const ALL: TagOptions = TagOptions { all: true, soft: false };
const ALL_SOFT: TagOptions = TagOptions { all: true, soft: true };

/// Where processes meet: nowhere, in a model of a store, in Redis.
enum Place {
    Alone(Cache),
    Model(World),
    Redis(RedisServer),
}

impl Place {
    fn all() -> [Place; 3] {
        let alone = World::new().alone(Cache::builder());
        [
            Place::Alone(alone),
            Place::Model(World::new()),
            Place::Redis(RedisServer::start()),
        ]
    }

    /// One more process, or the only one.
    async fn join(&self) -> Cache {
        match self {
            Place::Alone(cache) => cache.clone(),
            Place::Model(world) => world.join().await.0,
            Place::Redis(server) => {
                let cache = Cache::builder().redis(server.url()).build().expect("a cache");
                hearing(&cache).await;
                cache
            }
        }
    }
}

fn kept<'a>(tags: &'a [&'a str], grace: u64) -> WriteOptions<'a> {
    WriteOptions {
        grace: Some(Duration::from_secs(grace)),
        tags,
        ..WriteOptions::default()
    }
}

async fn old_value(cache: &Cache, key: &str) -> Option<u8> {
    let failing = || async { Err::<u8, _>("the origin is down") };
    soon(cache.get_or_load(key, failing)).await.ok()
}

/// Until the others have heard of it, or have begun after it, they may serve what they hold.
async fn becomes_stale(cache: &Cache, key: &str) {
    eventually("it is stale", async || matches!(cache.get::<u8>(key).await, Ok(None))).await;
}

#[tokio::test]
async fn what_is_softly_invalidated_is_no_hit_but_helps_when_the_loader_fails() {
    for place in Place::all() {
        let (a, b) = (place.join().await, place.join().await);
        for way in ["tag", "all", "clear"] {
            a.set_with("kept", &1, &kept(&["t", "u"], 60)).await.unwrap();
            a.set_with("bare", &1, &kept(&["t", "u"], 0)).await.unwrap();
            b.get_many::<u8>(&["kept", "bare"]).await.unwrap();
            match way {
                "tag" => a.invalidate_tags_with(&["t"], SOFT).await.unwrap(),
                "all" => a.invalidate_tags_with(&["t", "u"], ALL_SOFT).await.unwrap(),
                _ => a.clear_softly().await.unwrap(),
            }
            for cache in [&a, &b, &place.join().await] {
                becomes_stale(cache, "kept").await;
                assert_eq!(old_value(cache, "kept").await, Some(1), "{way}");
                becomes_stale(cache, "bare").await;
                assert_eq!(old_value(cache, "bare").await, None, "{way}");
            }
            let loaded = soon(b.get_or_load("kept", || async { Ok::<_, ()>(2) })).await;
            assert_eq!(loaded.unwrap(), 2, "{way}");
            eventually("the others see it", async || {
                a.get::<u8>("kept").await.unwrap() == Some(2)
            })
            .await;
            a.clear().await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_soft_clear_reaches_what_is_nested_and_nothing_else() {
    for place in Place::all() {
        let (a, b) = (place.join().await, place.join().await);
        let family = |cache: &Cache| {
            [
                cache.clone(),
                cache.nested("users"),
                cache.nested("users").nested("eu"),
                cache.nested("users2"),
            ]
        };
        for cache in family(&a) {
            cache.set_with("k", &1, &kept(&[], 60)).await.unwrap();
        }
        a.nested("users").clear_softly().await.unwrap();
        for cache in [&a, &b, &place.join().await] {
            becomes_stale(&family(cache)[2], "k").await;
            let mut there = Vec::new();
            for cache in family(cache) {
                there.push(cache.get::<u8>("k").await.unwrap().is_some());
            }
            assert_eq!(there, [true, false, false, true]);
        }
        a.clear_softly().await.unwrap();
        for cache in [&a, &b, &place.join().await] {
            becomes_stale(cache, "k").await;
            becomes_stale(&family(cache)[3], "k").await;
        }
    }
}

#[tokio::test]
async fn an_invalidation_of_all_tags_reaches_what_carries_all_of_them_and_nothing_else() {
    let entries: [(&str, &[&str]); 5] = [
        ("ab", &["a", "b"]),
        ("abc", &["c", "a", "b"]),
        ("a", &["a"]),
        ("bc", &["b", "c"]),
        ("none", &[]),
    ];
    let keys = entries.map(|(key, _)| key);
    for place in Place::all() {
        let (a, b) = (place.join().await, place.join().await);
        for (key, tags) in entries {
            a.set_with(key, &1, &kept(tags, 0)).await.unwrap();
        }
        b.get_many::<u8>(&keys).await.unwrap();
        a.invalidate_tags_with(&["b", "a", "b"], ALL).await.unwrap();
        for cache in [&a, &b, &place.join().await] {
            becomes_stale(cache, "ab").await;
            becomes_stale(cache, "abc").await;
            let there = cache.get_many::<u8>(&keys).await.unwrap();
            assert_eq!(there, [None, None, Some(1), Some(1), Some(1)]);
        }
        // What is written behind it stands, and one tag alone is the same as any of one.
        a.set_with("ab", &2, &kept(&["a", "b"], 0)).await.unwrap();
        eventually("it stands", async || b.get::<u8>("ab").await.unwrap() == Some(2)).await;
        a.invalidate_tags_with(&["c"], ALL).await.unwrap();
        for cache in [&a, &b, &place.join().await] {
            becomes_stale(cache, "bc").await;
            assert_eq!(cache.get::<u8>("ab").await.unwrap(), Some(2));
        }
    }
}

#[tokio::test]
async fn more_rules_than_are_remembered_drop_too_much_and_never_too_little() {
    for place in Place::all() {
        let a = place.join().await;
        let others: Vec<String> = (0..100).map(|n| format!("other {n}")).collect();
        a.set_with("first", &1, &kept(&["hub", "other 0"], 0)).await.unwrap();
        for other in &others {
            // Two tags that both occur in many rules: their lists fill up, whichever is chosen.
            a.invalidate_tags_with(&["hub", "wheel", other], ALL).await.unwrap();
            a.invalidate_tags_with(&["hub", other], ALL).await.unwrap();
        }
        for cache in [&a, &place.join().await] {
            assert_eq!(cache.get::<u8>("first").await.unwrap(), None);
        }
        a.set_with("late", &1, &kept(&["hub", "wheel"], 0)).await.unwrap();
        for round in 0..40 {
            a.invalidate_tags_with(&["hub", "wheel", &format!("x{round}"), &format!("y{round}")], ALL)
                .await
                .unwrap();
        }
        a.invalidate_tags_with(&["hub", "wheel"], ALL).await.unwrap();
        for cache in [&a, &place.join().await] {
            assert_eq!(cache.get::<u8>("late").await.unwrap(), None);
        }
    }
}

async fn lease(space: &Space, key: &str) -> LeaseId {
    match answer(|done| space.lookup(key, done)).await {
        Lookup::Load(lease, _) => lease,
        other => panic!("a lease was expected, not {other:?}"),
    }
}

#[tokio::test]
async fn law_2_a_load_from_before_a_soft_invalidation_is_never_a_hit() {
    for place in Place::all() {
        let (a, b) = (place.join().await, place.join().await);
        for (key, way) in [("1", "tag"), ("2", "all"), ("3", "clear")] {
            let space = space(&a);
            let begun = lease(&space, key).await;
            match way {
                "tag" => b.invalidate_tags_with(&["t"], SOFT).await.unwrap(),
                "all" => b.invalidate_tags_with(&["t", "u"], ALL_SOFT).await.unwrap(),
                _ => b.clear_softly().await.unwrap(),
            }
            let heard = b.engine().counters().events_sent.value();
            eventually("A has heard of it", async || {
                matches!(place, Place::Alone(..)) || a.engine().counters().events_received.value() >= heard
            })
            .await;
            let write = Write {
                payload: b"7",
                serializer: SerializerId::JSON,
                lifetime: Lifetime {
                    ttl: 60_000,
                    grace: 60_000,
                },
                tags: &["t", "u"],
            };
            let filled = answer(|done| space.fill(begun, write, done))
                .await
                .expect("the lease has not ended");
            assert!(matches!(filled, FillOutcome::Refused), "{way}");
            for cache in [&a, &b, &place.join().await] {
                assert_eq!(soon(cache.get::<u8>(key)).await.unwrap(), None, "{way}");
            }
        }
    }
}

#[tokio::test]
async fn a_remote_tier_that_is_down_keeps_no_process_from_seeing_its_own_soft_invalidation() {
    let world = World::new();
    let (a, remote) = world.join().await;
    a.set_with("k", &1, &kept(&["t", "u"], 60)).await.unwrap();
    remote.fail();
    for way in [SOFT, ALL_SOFT] {
        assert_eq!(a.peek::<u8>("k"), (way == SOFT).then_some(1));
        a.invalidate_tags_with(&["t", "u"], way).await.unwrap();
        assert_eq!(a.peek::<u8>("k"), None);
        assert_eq!(old_value(&a, "k").await, Some(1));
    }
    a.clear_softly().await.unwrap();
    assert_eq!(old_value(&a, "k").await, Some(1));
}

#[tokio::test]
async fn a_read_on_its_way_during_a_soft_invalidation_brings_back_no_hit() {
    for way in ["tag", "all", "clear"] {
        let world = World::new();
        let (a, remote) = world.join().await;
        let (b, _) = world.join().await;
        b.set_with("k", &1, &kept(&["t", "u"], 60)).await.unwrap();
        let mut held = remote.hold(|request| matches!(request, turbocache::tier::RemoteRequest::Read { .. }));
        let reading = tokio::spawn({
            let a = a.clone();
            async move { a.get::<u8>("k").await }
        });
        held.arrived().await;
        match way {
            "tag" => a.invalidate_tags_with(&["t"], SOFT).await.unwrap(),
            "all" => a.invalidate_tags_with(&["t", "u"], ALL_SOFT).await.unwrap(),
            _ => a.clear_softly().await.unwrap(),
        }
        held.release();
        reading.await.unwrap().unwrap();
        assert_eq!(a.peek::<u8>("k"), None, "{way}");
        assert_eq!(soon(a.get::<u8>("k")).await.unwrap(), None, "{way}");
        assert_eq!(old_value(&a, "k").await, Some(1), "{way}");
    }
}

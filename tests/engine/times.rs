//! Lives of values: long ones, strange ones, and those that a store claims.

use crate::rig::{World, answer, soon, space};
use std::time::Duration;
use turbocache::tier::{RemoteReply, RemoteRequest};
use turbocache::{Cache, WriteOptions};

#[tokio::test]
async fn no_life_is_too_long() {
    let world = World::new();
    world.clock.advance(Duration::from_secs(1));
    let (a, _) = world.join().await;
    let (b, _) = world.join().await;
    let lives = [
        Duration::MAX,
        Duration::from_millis(u64::MAX),
        Duration::from_millis(i64::MAX as u64),
        Duration::from_millis(1 << 48),
    ];
    for life in lives {
        for grace in [None, Some(Duration::MAX)] {
            let long = WriteOptions {
                ttl: Some(life),
                grace,
                ..WriteOptions::default()
            };
            a.set_with("k", &1, &long).await.unwrap();
            assert_eq!(a.peek::<u8>("k"), Some(1), "{life:?}");
            assert_eq!(soon(b.get::<u8>("k")).await.unwrap(), Some(1), "{life:?}");
            let found = space(&b).peek("k").found.expect("it is fresh");
            assert!(found.fresh_for > 1 << 47, "{life:?}: {}", found.fresh_for);
            a.delete("k").await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_value_without_ttl_never_ends() {
    let world = World::new();
    let cache = world.alone(Cache::builder().ttl(None));
    cache.set("k", &1).await.unwrap();
    world.clock.advance(Duration::from_secs(10_000_000_000));
    assert_eq!(cache.peek::<u8>("k"), Some(1));
    let found = space(&cache).peek("k").found.unwrap();
    assert_eq!((found.fresh_for, found.gone_in), (i64::MAX, u64::MAX));
}

#[tokio::test]
async fn a_remote_value_has_the_life_that_remains() {
    let world = World::new();
    let (a, _) = world
        .join_as(
            Cache::builder()
                .ttl(Duration::from_secs(10))
                .grace(Duration::from_secs(5)),
        )
        .await;
    a.set("k", &1).await.unwrap();
    world.clock.advance(Duration::from_secs(4));
    let (b, _) = world.join().await;
    let found = answer(|done| space(&b).read("k", done)).await.expect("a value");
    assert_eq!((found.fresh_for, found.gone_in), (6_000, 11_000));
    world.clock.advance(Duration::from_secs(7));
    let found = answer(|done| space(&b).read("k", done)).await.expect("a value");
    assert_eq!((found.fresh_for, found.gone_in), (-1_000, 4_000));
    world.clock.advance(Duration::from_secs(4));
    assert!(answer(|done| space(&b).read("k", done)).await.is_none());
}

#[tokio::test]
async fn no_value_outlives_what_it_was_given_whatever_the_store_says() {
    let world = World::new();
    let (a, _) = world.join_as(Cache::builder().ttl(Duration::from_secs(10))).await;
    let (b, remote) = world.join().await;
    a.set("k", &1).await.unwrap();
    for (claimed, fresh_for) in [(Some(u64::MAX - 1), Some(10_000)), (Some(3), Some(3)), (None, None)] {
        remote.lie(move |request, reply| {
            Some(match (request, reply) {
                (RemoteRequest::Read { .. }, RemoteReply::Value(Some(mut stored))) => {
                    stored.life = claimed;
                    RemoteReply::Value(Some(stored))
                }
                (_, reply) => reply,
            })
        });
        b.engine().close();
        let found = answer(|done| space(&b).read("k", done)).await;
        assert_eq!(found.map(|found| found.fresh_for), fresh_for, "{claimed:?}");
    }
}

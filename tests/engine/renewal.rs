//! Reloads: of a value that is about to end, of one whose loader failed a moment ago, and of one that has not changed.

use crate::rig::{World, answer, loads, soon, space};
use std::time::Duration;
use turbocache::engine::{Capture, FillOutcome, Found, LeaseId, Lookup, Space, Write};
use turbocache::entry::{Lifetime, SerializerId};
use turbocache::{Cache, WriteOptions};

const LIFE: Lifetime = Lifetime {
    ttl: 10_000,
    grace: 60_000,
};

fn kept() -> WriteOptions<'static> {
    WriteOptions {
        ttl: Some(Duration::from_millis(LIFE.ttl)),
        grace: Some(Duration::from_millis(LIFE.grace)),
        tags: &["t"],
        ..WriteOptions::default()
    }
}

async fn lookup(space: &Space) -> Lookup {
    answer(|done| space.lookup("k", done)).await
}

async fn refresh(space: &Space) -> Lookup {
    answer(|done| space.lookup_refresh("k", done)).await
}

fn led(lookup: Lookup) -> (LeaseId, Capture, Option<Found>) {
    match lookup {
        Lookup::Load(lease, capture) => (lease, capture, None),
        Lookup::Stale(found, Some((lease, capture))) => (lease, capture, Some(found)),
        other => panic!("a lease was expected, not {other:?}"),
    }
}

async fn fill(space: &Space, lease: LeaseId, payload: &[u8]) -> FillOutcome {
    let write = Write {
        payload,
        serializer: SerializerId::JSON,
        lifetime: LIFE,
        tags: &["t"],
    };
    answer(|done| space.fill(lease, write, done))
        .await
        .expect("the lease has not ended")
}

async fn renew(space: &Space, lease: LeaseId, tags: &[&str]) -> turbocache::Result<FillOutcome> {
    answer(|done| space.renew(lease, LIFE, tags, done)).await
}

#[tokio::test]
async fn who_has_an_old_value_leaves_the_origin_alone_until_the_backoff_is_over() {
    let world = World::new();
    for cache in [world.join().await.0, world.alone(Cache::builder())] {
        let space = space(&cache);
        cache.set_with("k", &1, &kept()).await.unwrap();
        world.clock.advance(Duration::from_millis(LIFE.ttl));
        let (lease, _, stale) = led(lookup(&space).await);
        assert!(stale.is_some());
        space.back_off(lease, 5_000);
        for _ in 0..3 {
            assert!(matches!(lookup(&space).await, Lookup::Stale(_, None)), "nobody tries");
        }
        assert_eq!(cache.engine().counters().loads_failed.value(), 1);
        world.clock.advance(Duration::from_millis(5_000));
        let (lease, ..) = led(lookup(&space).await);
        space.back_off(lease, 5_000);
        cache.delete("k").await.unwrap();
        let (_, _, stale) = led(lookup(&space).await);
        assert!(stale.is_none(), "with the old value the backoff ends");
    }
}

#[tokio::test]
async fn a_backoff_of_one_process_keeps_no_fresh_value_of_another_from_it() {
    let world = World::new();
    let ((a, _), (b, _)) = (world.join().await, world.join().await);
    a.set_with("k", &1, &kept()).await.unwrap();
    world.clock.advance(Duration::from_millis(LIFE.ttl));
    let (lease, ..) = led(lookup(&space(&a)).await);
    space(&a).back_off(lease, 60_000);
    let loaded = soon(b.get_or_load_with("k", &kept(), || async { Ok::<_, ()>(2) })).await;
    assert_eq!(loaded.unwrap(), 2, "B knows of no failure");
    match lookup(&space(&a)).await {
        Lookup::Hit(found) => assert_eq!(&found.entry.payload[..], b"2"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_unchanged_value_lives_on_with_its_bytes_and_tags() {
    let world = World::new();
    let (other, _) = world.join().await;
    for (cache, is_shared) in [(world.join().await.0, true), (world.alone(Cache::builder()), false)] {
        let space = space(&cache);
        cache.set_with("k", &1, &kept()).await.unwrap();
        world.clock.advance(Duration::from_millis(LIFE.ttl));
        let (lease, ..) = led(lookup(&space).await);
        assert!(matches!(
            renew(&space, lease, &[]).await.unwrap(),
            FillOutcome::Stored(_)
        ));
        assert_eq!(cache.peek::<u8>("k"), Some(1));
        if is_shared {
            assert_eq!(soon(other.get::<u8>("k")).await.unwrap(), Some(1));
        }
        world.clock.advance(Duration::from_millis(LIFE.ttl));
        let (lease, ..) = led(lookup(&space).await);
        renew(&space, lease, &["new"]).await.unwrap();
        cache.invalidate_tags(&["t"]).await.unwrap();
        assert_eq!(cache.peek::<u8>("k"), Some(1), "other tags stand in for its own");
        cache.invalidate_tags(&["new"]).await.unwrap();
        assert_eq!(cache.peek::<u8>("k"), None);
    }
}

#[tokio::test]
async fn law_2_an_old_value_that_was_invalidated_is_not_renewed() {
    let world = World::new();
    for cache in [world.join().await.0, world.alone(Cache::builder())] {
        for way in ["delete", "tag", "clear"] {
            let space = space(&cache);
            cache.set_with("k", &1, &kept()).await.unwrap();
            world.clock.advance(Duration::from_millis(LIFE.ttl));
            let (lease, ..) = led(lookup(&space).await);
            match way {
                "delete" => drop(cache.delete("k").await.unwrap()),
                "tag" => cache.invalidate_tags(&["t"]).await.unwrap(),
                _ => cache.clear().await.unwrap(),
            }
            let renewed = renew(&space, lease, &[]).await.unwrap();
            assert!(matches!(renewed, FillOutcome::Refused), "{way}");
            assert_eq!(soon(cache.get::<u8>("k")).await.unwrap(), None, "{way}");
        }
    }
}

#[tokio::test]
async fn what_was_never_there_cannot_be_renewed_and_the_next_one_loads() {
    let cache = World::new().alone(Cache::builder());
    let space = space(&cache);
    let (lease, ..) = led(lookup(&space).await);
    assert!(renew(&space, lease, &[]).await.is_err());
    led(lookup(&space).await);
}

#[tokio::test]
async fn law_6_who_holds_what_another_has_reloaded_takes_that_and_does_not_load() {
    let world = World::new();
    let ((a, _), (b, _)) = (world.join().await, world.join().await);
    a.set_with("k", &1, &kept()).await.unwrap();
    assert_eq!(soon(b.get::<u8>("k")).await.unwrap(), Some(1));
    world.clock.advance(Duration::from_millis(LIFE.ttl * 9 / 10));
    let (lease, _, present) = led(refresh(&space(&a)).await);
    assert!(
        present.is_some_and(|found| !found.is_stale()),
        "with the value that it may renew"
    );
    assert!(matches!(refresh(&space(&a)).await, Lookup::Nothing), "one at a time");
    assert!(
        matches!(refresh(&space(&b)).await, Lookup::Nothing),
        "in the whole cluster"
    );
    fill(&space(&a), lease, b"2").await;
    assert_eq!(b.peek::<u8>("k"), Some(1), "B still holds the old one");
    match refresh(&space(&b)).await {
        Lookup::Hit(found) => assert_eq!(&found.entry.payload[..], b"2"),
        other => panic!("{other:?}"),
    }
    assert_eq!(b.peek::<u8>("k"), Some(2));
    assert_eq!((loads(a.engine()), loads(b.engine())), (1, 0));
}

#[tokio::test]
async fn a_reload_begins_also_when_the_remote_tier_fails() {
    let world = World::new();
    let (a, remote) = world.join().await;
    a.set_with("k", &1, &kept()).await.unwrap();
    remote.fail();
    let (lease, ..) = led(refresh(&space(&a)).await);
    fill(&space(&a), lease, b"2").await;
    assert_eq!(a.peek::<u8>("k"), Some(2));
}

#[tokio::test]
async fn memory_may_keep_values_for_another_time_than_the_remote_tier() {
    let world = World::new();
    let ((a, _), (b, _)) = (world.join().await, world.join().await);
    let short = space(&a).with_memory_ttl(Some(1_000));
    let write = |payload| Write {
        payload,
        serializer: SerializerId::JSON,
        lifetime: LIFE,
        tags: &[],
    };
    answer(|done| short.set("k", write(b"1"), done)).await.unwrap();
    let held = short.peek("k").found.unwrap();
    assert_eq!((held.fresh_for, held.gone_in, held.entry.ttl), (1_000, 61_000, 1_000));
    let found = answer(|done| space(&b).read("k", done)).await.unwrap();
    assert_eq!(found.fresh_for, 10_000);
    world.clock.advance(Duration::from_millis(1_000));
    assert!(short.peek("k").found.unwrap().is_stale());
    let again = answer(|done| short.read("k", done)).await.unwrap();
    assert_eq!(
        (again.remote, again.fresh_for),
        (true, 1_000),
        "asked again, and kept as shortly again"
    );
    world.clock.advance(Duration::from_millis(8_500));
    let last = answer(|done| short.read("k", done)).await.unwrap();
    assert_eq!(last.fresh_for, 500, "never for longer than it has left");
    let long = space(&a).with_memory_ttl(Some(3_600_000));
    answer(|done| long.set("l", write(b"1"), done)).await.unwrap();
    world.clock.advance(Duration::from_millis(LIFE.ttl + LIFE.grace + 1));
    assert_eq!(a.peek::<u8>("l"), Some(1), "for longer, too");
}

#[tokio::test]
async fn how_long_a_load_takes_is_known_of_what_it_brings_and_of_what_others_stored() {
    let world = World::new();
    let ((a, _), (b, _)) = (world.join().await, world.join().await);
    let (lease, ..) = led(lookup(&space(&a)).await);
    world.clock.advance(Duration::from_millis(1_024));
    fill(&space(&a), lease, b"1").await;
    let own = space(&a).peek("k").found.unwrap();
    assert_eq!(own.entry.load_time.millis(), 1_024);
    let first = answer(|done| space(&b).read("k", done)).await.unwrap();
    assert_eq!(first.entry.load_time.millis(), 0, "B has loaded nothing yet");
    let (lease, ..) = led(answer(|done| space(&b).lookup("l", done)).await);
    world.clock.advance(Duration::from_millis(64));
    fill(&space(&b), lease, b"2").await;
    b.engine().close();
    let estimated = answer(|done| space(&b).read("k", done)).await.unwrap();
    assert_eq!(estimated.entry.load_time.millis(), 64);
}

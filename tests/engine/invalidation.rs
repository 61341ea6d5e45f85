//! Laws 1 to 4: nothing that was invalidated is served or stored, in whatever order things happen.

use crate::rig::{World, answer, eventually, loads, soon, space};
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::oneshot;
use turbocache::engine::{FillOutcome, Found, LeaseId, Lookup, Space, Write};
use turbocache::entry::{Lifetime, SerializerId};
use turbocache::tier::RemoteRequest;
use turbocache::{Cache, WriteOptions};

fn is_read(request: &RemoteRequest) -> bool {
    matches!(request, RemoteRequest::Read { .. })
}

pub fn write<'a>(payload: &'a [u8], tags: &'a [&'a str]) -> Write<'a> {
    Write {
        payload,
        serializer: SerializerId::JSON,
        lifetime: Lifetime { ttl: 60_000, grace: 0 },
        tags,
    }
}

/// Begins a load, and holds its lease.
pub async fn lease(space: &Space, key: &str) -> LeaseId {
    match answer(|done| space.lookup(key, done)).await {
        Lookup::Load(lease, _) => lease,
        other => panic!("a lease was expected, not {other:?}"),
    }
}

pub async fn fill(space: &Space, lease: LeaseId, payload: &[u8], tags: &[&str]) -> FillOutcome {
    let outcome = answer(|done| space.fill(lease, write(payload, tags), done)).await;
    outcome.expect("the lease has not ended")
}

pub async fn read(space: &Space, key: &str) -> Option<Found> {
    answer(|done| space.read(key, done)).await
}

#[tokio::test]
async fn a_delete_between_a_remote_read_and_its_reply_refuses_the_fill() {
    let world = World::new();
    let (a, remote) = world.join().await;
    let (b, _) = world.join().await;
    b.set("k", "old").await.unwrap();
    let mut held = remote.hold(is_read);
    let reading = tokio::spawn({
        let a = a.clone();
        async move { a.get::<String>("k").await }
    });
    held.arrived().await;
    a.delete("k").await.unwrap();
    held.release();
    reading.await.unwrap().unwrap();
    assert_eq!(
        a.peek::<String>("k"),
        None,
        "what was read before the delete is not kept"
    );
    assert_eq!(a.get::<String>("k").await.unwrap(), None);
}

#[tokio::test]
async fn a_delete_heard_between_a_remote_read_and_its_reply_refuses_the_fill() {
    let world = World::new();
    let (a, remote) = world.join().await;
    let (b, _) = world.join().await;
    b.set("k", "old").await.unwrap();
    let mut held = remote.hold(is_read);
    let reading = tokio::spawn({
        let a = a.clone();
        async move { a.get::<String>("k").await }
    });
    held.arrived().await;
    let heard = a.engine().counters().events_received.value();
    b.delete("k").await.unwrap();
    eventually("the delete is heard", async || {
        a.engine().counters().events_received.value() > heard
    })
    .await;
    held.release();
    reading.await.unwrap().unwrap();
    assert_eq!(a.peek::<String>("k"), None);
}

#[tokio::test]
async fn a_read_after_a_delete_does_not_share_the_flight_of_one_before() {
    let world = World::new();
    let (a, remote) = world.join().await;
    let (b, _) = world.join().await;
    b.set("k", "old").await.unwrap();
    let mut held = remote.hold(is_read);
    let before = tokio::spawn({
        let a = a.clone();
        async move { a.get::<String>("k").await }
    });
    held.arrived().await;
    a.delete("k").await.unwrap();
    assert_eq!(
        soon(a.get::<String>("k")).await.unwrap(),
        None,
        "asked after the delete"
    );
    held.release();
    assert_eq!(
        before.await.unwrap().unwrap().as_deref(),
        Some("old"),
        "asked before it"
    );
}

#[tokio::test]
async fn a_load_from_before_a_delete_is_stored_nowhere() {
    let world = World::new();
    let (a, _) = world.join().await;
    let space = space(&a);
    let begun = lease(&space, "k").await;
    a.delete("k").await.unwrap();
    assert!(matches!(fill(&space, begun, b"1", &[]).await, FillOutcome::Refused));
    assert!(space.peek("k").found.is_none());
    assert_eq!(world.model.len(), 0);
    assert_eq!(a.engine().counters().loads_refused.value(), 1);
}

#[tokio::test]
async fn a_load_from_before_a_delete_in_another_process_is_stored_nowhere() {
    let world = World::new();
    let (a, _) = world.join().await;
    let (b, _) = world.join().await;
    // Nobody tells A: the lease alone must refuse it.
    world.bus.cut();
    let space = space(&a);
    let begun = lease(&space, "k").await;
    b.delete("k").await.unwrap();
    assert!(matches!(fill(&space, begun, b"1", &[]).await, FillOutcome::Refused));
    assert!(space.peek("k").found.is_none());
    assert_eq!(world.model.len(), 0);
}

#[tokio::test]
async fn a_value_that_is_set_during_a_load_wins_over_what_the_load_brings() {
    let world = World::new();
    let (a, _) = world.join().await;
    let (b, _) = world.join().await;
    for setter in [&a, &b] {
        let space = space(&a);
        let begun = lease(&space, "k").await;
        setter.set("k", &2).await.unwrap();
        assert!(matches!(fill(&space, begun, b"1", &[]).await, FillOutcome::Refused));
        assert_eq!(soon(a.get::<u8>("k")).await.unwrap(), Some(2));
        assert_eq!(soon(b.get::<u8>("k")).await.unwrap(), Some(2));
        a.delete("k").await.unwrap();
    }
}

#[tokio::test]
async fn a_load_from_before_a_clear_is_not_served_after_it() {
    let world = World::new();
    let (a, _) = world.join().await;
    let nested = Space::open(a.engine(), "users/admins", SerializerId::JSON);
    for cleared in [a.nested("users"), a.clone()] {
        let begun = lease(&nested, "k").await;
        cleared.clear().await.unwrap();
        fill(&nested, begun, b"1", &[]).await;
        assert!(nested.peek("k").found.is_none());
        assert!(read(&nested, "k").await.is_none());
    }
}

/// Found by the simulator: a clear and a read in one batch, which the state in front of the clear had judged.
#[tokio::test]
async fn what_is_called_behind_a_clear_in_the_same_turn_sees_it() {
    let world = World::new();
    let (a, _) = world.join().await;
    let (b, _) = world.join().await;
    let tagged = WriteOptions {
        tags: &["list"],
        ..WriteOptions::default()
    };
    for way in ["root", "nested", "tags"] {
        let (here, there) = match way {
            "nested" => (a.nested("users"), b.nested("users")),
            _ => (a.clone(), b.clone()),
        };
        there.set_with("k", "old", &tagged).await.unwrap();
        let clear = async {
            match way {
                "tags" => here.invalidate_tags(&["list"]).await,
                _ => here.clear().await,
            }
        };
        let (cleared, read, set) =
            soon(async { tokio::join!(clear, here.get::<String>("k"), here.set("new", &1)) }).await;
        cleared.unwrap();
        set.unwrap();
        assert_eq!(read.unwrap(), None, "{way}");
        assert_eq!(
            soon(there.get::<u8>("new")).await.unwrap(),
            Some(1),
            "{way}: what is set behind it stays"
        );
    }
}

#[tokio::test]
async fn a_load_from_before_the_invalidation_of_its_tag_is_not_served_after_it() {
    let world = World::new();
    let (a, _) = world.join().await;
    let space = space(&a);
    let (tagged, other) = (lease(&space, "tagged").await, lease(&space, "other").await);
    a.invalidate_tags(&["list"]).await.unwrap();
    assert!(matches!(
        fill(&space, tagged, b"1", &["list"]).await,
        FillOutcome::Refused
    ));
    assert!(matches!(
        fill(&space, other, b"2", &["user"]).await,
        FillOutcome::Stored(_)
    ));
    assert!(read(&space, "tagged").await.is_none());
    assert!(read(&space, "other").await.is_some(), "another tag is another matter");
}

#[tokio::test]
async fn a_value_that_is_set_after_the_invalidation_of_its_tag_stays() {
    let world = World::new();
    let (a, _) = world.join().await;
    let (b, _) = world.join().await;
    let tagged = WriteOptions {
        tags: &["list"],
        ..WriteOptions::default()
    };
    b.set_with("k", &1, &tagged).await.unwrap();
    b.invalidate_tags(&["list"]).await.unwrap();
    // A was told, but has not seen the state: its stamp is old, and it has to write again.
    a.set_with("k", &2, &tagged).await.unwrap();
    assert_eq!(soon(b.get::<u8>("k")).await.unwrap(), Some(2));
}

#[tokio::test]
async fn a_set_ends_even_where_tags_are_invalidated_all_the_time() {
    let world = World::new();
    let (a, remote) = world.join().await;
    let moves = std::sync::atomic::AtomicU64::new(10);
    remote.lie(move |_, reply| {
        Some(match reply {
            turbocache::tier::RemoteReply::State(mut state) => {
                state.counter = moves.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                turbocache::tier::RemoteReply::State(state)
            }
            other => other,
        })
    });
    let tagged = WriteOptions {
        tags: &["list"],
        ..WriteOptions::default()
    };
    soon(a.set_with("k", &1, &tagged)).await.unwrap();
}

#[tokio::test]
async fn a_call_after_an_invalidation_does_not_wait_for_the_load_from_before() {
    let world = World::new();
    let remote = world.join().await.0;
    let alone = world.alone(Cache::builder());
    for (cache, tags) in [(remote, false), (alone, true)] {
        for way in ["delete", "set and expire", "clear", "tags"] {
            let hanging = lease(&space(&cache), way).await;
            match way {
                "delete" => drop(cache.delete(way).await.unwrap()),
                "set and expire" => {
                    cache.set(way, &0).await.unwrap();
                    cache.expire(way).await.unwrap();
                }
                "clear" => cache.clear().await.unwrap(),
                // With a remote tier the lease of the old load is waited for: which tags it will have nobody knows.
                _ if tags => cache.invalidate_tags(&["any"]).await.unwrap(),
                _ => continue,
            }
            let loaded = soon(cache.get_or_load(way, || async { Ok::<_, Infallible>(7) })).await;
            assert_eq!(loaded.unwrap(), 7, "after {way}");
            assert!(
                matches!(
                    fill(&space(&cache), hanging, b"1", &["any"]).await,
                    FillOutcome::Refused
                ),
                "{way}"
            );
            assert_eq!(cache.get::<u8>(way).await.unwrap(), Some(7), "after {way}");
        }
    }
}

#[tokio::test]
async fn those_who_waited_before_an_invalidation_get_what_the_load_brings_and_it_is_not_kept() {
    let world = World::new();
    let (a, _) = world.join().await;
    let (release, released) = oneshot::channel::<()>();
    let leader = tokio::spawn({
        let a = a.clone();
        async move {
            a.get_or_load("k", || async {
                released.await.ok();
                Ok::<_, Infallible>(1)
            })
            .await
        }
    });
    eventually("the load has begun", async || loads(a.engine()) == 1).await;
    a.delete("k").await.unwrap();
    release.send(()).unwrap();
    assert_eq!(leader.await.unwrap().unwrap(), 1);
    assert_eq!(a.peek::<u8>("k"), None);
    assert_eq!(soon(a.get::<u8>("k")).await.unwrap(), None);
}

#[tokio::test]
async fn what_another_process_changes_is_dropped_from_memory() {
    let world = World::new();
    let (a, _) = world.join().await;
    let (b, _) = world.join().await;
    let tagged = WriteOptions {
        tags: &["t"],
        ..WriteOptions::default()
    };
    for way in ["delete", "set", "expire", "tags", "clear"] {
        b.set_with("k", &1, &tagged).await.unwrap();
        eventually("the value is in memory", async || {
            a.get::<u8>("k").await.unwrap();
            a.peek::<u8>("k").is_some()
        })
        .await;
        match way {
            "delete" => drop(b.delete("k").await.unwrap()),
            "set" => b.set("k", &2).await.unwrap(),
            "expire" => drop(b.expire("k").await.unwrap()),
            "tags" => b.invalidate_tags(&["t"]).await.unwrap(),
            _ => b.clear().await.unwrap(),
        }
        eventually(way, async || a.peek::<u8>("k").is_none()).await;
    }
}

#[tokio::test]
async fn an_emptied_remote_tier_empties_the_memory_tier() {
    let world = World::new();
    let (a, _) = world.join().await;
    a.set("k", &1).await.unwrap();
    world.model.flush();
    a.get::<u8>("other").await.unwrap();
    assert_eq!(a.peek::<u8>("k"), None, "the next answer shows it");
    a.set("k", &1).await.unwrap();
    world.model.flush();
    eventually("the heartbeat shows it", async || {
        world.clock.advance(Duration::from_millis(100));
        a.peek::<u8>("k").is_none()
    })
    .await;
    a.set("k", &2).await.unwrap();
    assert_eq!(soon(world.join().await.0.get::<u8>("k")).await.unwrap(), Some(2));
}

#[tokio::test]
async fn the_first_value_that_is_set_after_the_remote_tier_was_emptied_stays() {
    let world = World::new();
    let (a, _) = world.join().await;
    a.set("k", &1).await.unwrap();
    world.model.flush();
    a.set("k", &2).await.unwrap();
    assert_eq!(soon(a.get::<u8>("k")).await.unwrap(), Some(2));
    assert_eq!(soon(world.join().await.0.get::<u8>("k")).await.unwrap(), Some(2));
}

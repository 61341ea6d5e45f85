//! One of several servers is replaced by a replica that lacks what was acknowledged last. The log is on another one, and has
//! everything.

use crate::rig::{FakeRemote, World, eventually, soon};
use std::sync::Arc;
use std::time::Duration;
use turbocache::tier::RemoteRequest;
use turbocache::{Cache, WriteOptions};

/// Longer than what was told is remembered.
const LONG: u64 = 100_000;

fn scattered() -> World {
    let world = World::new();
    world.model.scatter();
    world
}

/// A process that has set two keys, long ago by the clock of the log.
async fn first(world: &World) -> (Cache, Arc<FakeRemote>) {
    let (cache, remote) = world.join().await;
    let tagged = WriteOptions {
        tags: &["t"],
        ..WriteOptions::default()
    };
    for key in ["k", "other"] {
        cache.set_with(key, &1, &tagged).await.expect("it is set");
    }
    world.model.let_log_pass(LONG);
    (cache, remote)
}

async fn settled(cache: &Cache) {
    eventually("settled", async || cache.engine().is_settled()).await;
}

#[tokio::test]
async fn a_change_of_a_key_is_made_again_though_the_log_has_it_and_costs_no_other_key() {
    for way in ["delete", "set", "expire"] {
        let world = scattered();
        let (a, remote) = first(&world).await;
        let before = world.model.saved();
        match way {
            "delete" => drop(a.delete("k").await.unwrap()),
            "set" => a.set("k", &2).await.unwrap(),
            _ => drop(a.expire("k").await.unwrap()),
        }
        // It stands where the log does.
        a.invalidate_tags(&["u"]).await.unwrap();
        world.model.put_back_values(before);
        remote.succeed();
        assert_ne!(soon(a.get::<u8>("k")).await.unwrap(), Some(1), "{way}: the first read");
        // What A has set it has from memory.
        soon(a.get::<u8>("nothing")).await.unwrap();
        settled(&a).await;
        let (late, _) = world.join().await;
        for cache in [&a, &late] {
            assert_ne!(soon(cache.get::<u8>("k")).await.unwrap(), Some(1), "{way}");
            assert_eq!(soon(cache.get::<u8>("other")).await.unwrap(), Some(1), "{way}");
        }
    }
}

#[tokio::test]
async fn what_a_pattern_has_removed_and_is_back_is_old() {
    let world = scattered();
    let (a, remote) = first(&world).await;
    let before = world.model.saved();
    a.delete_pattern("k*").await.unwrap();
    world.model.put_back_values(before);
    remote.succeed();
    assert_eq!(soon(a.get::<u8>("k")).await.unwrap(), None);
    settled(&a).await;
    assert_eq!(soon(world.join().await.0.get::<u8>("k")).await.unwrap(), None);
}

#[tokio::test]
async fn who_heard_of_a_change_or_reads_it_in_the_log_makes_it_again_when_its_maker_is_gone() {
    for heard in [true, false] {
        let world = scattered();
        let (a, _) = first(&world).await;
        let (b, remote) = world.join().await;
        assert_eq!(soon(b.get::<u8>("k")).await.unwrap(), Some(1));
        if !heard {
            world.bus.cut();
        }
        let before = world.model.saved();
        a.delete("k").await.unwrap();
        a.close().await;
        world.model.put_back_values(before);
        remote.succeed();
        // Whoever has not heard holds it until he asks the remote tier for anything.
        assert_eq!(soon(b.get::<u8>("nothing")).await.unwrap(), None);
        settled(&b).await;
        assert_eq!(soon(b.get::<u8>("k")).await.unwrap(), None, "{heard}");
        assert_eq!(
            soon(world.join().await.0.get::<u8>("k")).await.unwrap(),
            None,
            "{heard}"
        );
    }
}

#[tokio::test]
async fn what_is_answered_while_the_log_is_slow_is_not_believed() {
    let world = scattered();
    let (a, remote) = first(&world).await;
    let before = world.model.saved();
    a.delete("k").await.unwrap();
    world.model.put_back_values(before);
    let mut held = remote.hold(|request| matches!(request, RemoteRequest::ReadLog { .. }));
    remote.succeed();
    let read = tokio::spawn({
        let a = a.clone();
        async move { a.get::<u8>("nothing").await }
    });
    held.arrived().await;
    assert_eq!(soon(a.get::<u8>("k")).await.unwrap(), None);
    held.release();
    assert_eq!(soon(read).await.unwrap().unwrap(), None);
    settled(&a).await;
    assert_eq!(soon(world.join().await.0.get::<u8>("k")).await.unwrap(), None);
}

#[tokio::test]
async fn a_change_during_which_a_server_is_replaced_is_made_again() {
    let world = scattered();
    let (a, remote) = first(&world).await;
    let [before, again] = [world.model.saved(), world.model.saved()];
    let mut held = remote.hold(|request| matches!(request, RemoteRequest::Remove { .. }));
    let delete = tokio::spawn({
        let a = a.clone();
        async move { a.delete("k").await }
    });
    held.arrived().await;
    world.model.put_back_values(before);
    remote.succeed();
    soon(a.get::<u8>("nothing")).await.unwrap();
    settled(&a).await;
    // As if the message had come to the log behind that look.
    world.model.put_back_values(again);
    held.release();
    soon(delete).await.unwrap().unwrap();
    soon(a.get::<u8>("nothing")).await.unwrap();
    settled(&a).await;
    assert_eq!(soon(world.join().await.0.get::<u8>("k")).await.unwrap(), None);
}

#[tokio::test]
async fn more_than_is_remembered_leaves_nothing_that_counts() {
    let world = scattered();
    let (a, remote) = first(&world).await;
    let before = world.model.saved();
    for n in 0..10_001 {
        a.delete(&format!("k{n}")).await.unwrap();
    }
    a.set("after", &1).await.unwrap();
    world.model.put_back_values(before);
    remote.succeed();
    assert_eq!(soon(a.get::<u8>("nothing")).await.unwrap(), None);
    settled(&a).await;
    let (late, _) = world.join().await;
    assert_eq!(soon(late.get::<u8>("other")).await.unwrap(), None);
    late.set("new", &1).await.unwrap();
    world.clock.advance(Duration::from_millis(400));
    assert_eq!(soon(a.get::<u8>("new")).await.unwrap(), Some(1));
}

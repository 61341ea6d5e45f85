//! Reads that fail are sent again, within a budget; changes are not.

use crate::rig::{FakeRemote, World, soon};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use turbocache::Cache;
use turbocache::tier::RemoteRequest;

/// A process without a value in memory, and its remote tier, which has 1 as `k`.
async fn reader(world: &World) -> (Cache, Arc<FakeRemote>) {
    let (writer, _) = world.join().await;
    writer.set("k", &1).await.expect("it is set");
    let (reader, remote) = world.join().await;
    remote.set_deadline(Duration::from_millis(500));
    (reader, remote)
}

#[tokio::test]
async fn a_read_that_fails_is_sent_again_and_finds_the_value() {
    let world = World::new();
    let (cache, remote) = reader(&world).await;
    remote.fail_next(2);
    assert_eq!(soon(cache.get::<u8>("k")).await.unwrap(), Some(1));
    assert_eq!(cache.engine().remote_retries(), 2);
}

#[tokio::test]
async fn a_change_that_fails_is_not_sent_again() {
    let world = World::new();
    let (cache, remote) = reader(&world).await;
    let sent = remote.batches.load(Ordering::SeqCst);
    remote.fail_next(1);
    soon(cache.delete("k")).await.unwrap();
    assert_eq!(cache.engine().remote_retries(), 0);
    assert!(remote.batches.load(Ordering::SeqCst) > sent);
}

#[tokio::test]
async fn what_is_sent_again_asks_the_log_first_what_was_missed() {
    let world = World::new();
    let (cache, remote) = reader(&world).await;
    remote.fail_next(1);
    let mut opened = remote.hold(|request| matches!(request, RemoteRequest::ReadLog { .. }));
    let read = tokio::spawn({
        let cache = cache.clone();
        async move { cache.get::<u8>("k").await }
    });
    // The housekeeping asks the log, too: the one that is held is the first, and the read is in it or behind it.
    opened.arrived().await;
    opened.release();
    assert_eq!(soon(read).await.unwrap().unwrap(), Some(1));
}

#[tokio::test]
async fn when_everything_fails_a_tenth_is_sent_again() {
    let world = World::new();
    let (cache, remote) = reader(&world).await;
    remote.fail();
    let before = remote.batches.load(Ordering::SeqCst);
    for _ in 0..300 {
        assert_eq!(soon(cache.get::<u8>("k")).await.unwrap(), None);
    }
    let batches = remote.batches.load(Ordering::SeqCst) - before;
    let retries = cache.engine().remote_retries();
    assert!(retries >= 30, "{retries} retries");
    assert!(
        retries <= 10 + (batches - retries) / 10,
        "{retries} retries of {batches} batches"
    );
}

#[tokio::test]
async fn behind_an_open_breaker_nothing_is_sent_again() {
    let world = World::new();
    let (cache, remote) = reader(&world).await;
    remote.fail();
    remote.look_down();
    assert_eq!(soon(cache.get::<u8>("k")).await.unwrap(), None);
    assert_eq!(cache.engine().remote_retries(), 0);
}

//! Values that are read together, for a reader who keeps nothing.

use crate::rig::{World, soon, space};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use turbocache::error::{Error, ErrorKind};
use turbocache::tier::{RemoteReply, RemoteRequest};
use turbocache::{Cache, WriteOptions};

const MOST: usize = 512;

fn keeping_nothing() -> turbocache::CacheBuilder {
    Cache::builder().without_memory()
}

#[tokio::test]
async fn many_keys_are_asked_for_in_parts_and_answered_in_their_order() {
    let world = World::new();
    let (writer, _) = world.join().await;
    let names: Vec<String> = (0..2 * MOST + 1).map(|n| format!("k{n}")).collect();
    for (n, name) in names.iter().enumerate().step_by(2) {
        soon(writer.set(name, &n)).await.unwrap();
    }
    let (reader, remote) = world.join_as(keeping_nothing()).await;
    let asked = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&asked);
    remote.lie(move |request, reply| {
        if let RemoteRequest::ReadBytes { keys } = request {
            told.lock().unwrap().push(keys.len());
        }
        Some(reply)
    });
    let mut keys: Vec<&str> = names.iter().map(String::as_str).collect();
    keys.push("k4");
    let found = soon(reader.get_many::<usize>(&keys)).await.unwrap();
    let mut expected: Vec<Option<usize>> = (0..names.len()).map(|n| (n % 2 == 0).then_some(n)).collect();
    expected.push(Some(4));
    assert_eq!(found, expected);
    assert_eq!(*asked.lock().unwrap(), [MOST, MOST, 2]);
    assert_eq!(soon(reader.get_many::<usize>(&[])).await.unwrap(), []);
}

#[tokio::test]
async fn a_receiver_that_panics_costs_his_own_answer_alone() {
    let world = World::new();
    let (writer, _) = world.join().await;
    soon(writer.set_many(&[("a", 1), ("b", 2), ("c", 3)])).await.unwrap();
    let (reader, _) = world.join_as(keeping_nothing()).await;
    let (sender, mut answers) = tokio::sync::mpsc::unbounded_channel();
    let panicking = move |index, value: Option<_>| {
        assert_ne!(index, 1, "a panic of the receiver");
        sender.send((index, value.is_some())).unwrap();
    };
    space(&reader).values(&["a", "b", "absent", "c"], Arc::new(panicking));
    for expected in [(0, true), (2, false), (3, true)] {
        assert_eq!(soon(answers.recv()).await, Some(expected));
    }
    assert_eq!(
        soon(reader.get_many::<u8>(&["a", "c"])).await.unwrap(),
        [Some(1), Some(3)]
    );
}

#[tokio::test]
async fn one_that_may_be_old_among_others_is_judged() {
    let world = World::new();
    let (writer, _) = world.join().await;
    let tagged = WriteOptions {
        tags: &["t"],
        ..WriteOptions::default()
    };
    let graced = WriteOptions {
        grace: Some(Duration::from_secs(60)),
        ..WriteOptions::default()
    };
    soon(writer.set("plain", &1)).await.unwrap();
    soon(writer.set_with("tagged", &2, &tagged)).await.unwrap();
    soon(writer.set_with("graced", &3, &graced)).await.unwrap();
    soon(writer.set_with("expired", &4, &graced)).await.unwrap();
    soon(writer.set_with("dropped", &5, &tagged)).await.unwrap();
    soon(writer.invalidate_tags(&["t"])).await.unwrap();
    soon(writer.set_with("tagged", &2, &tagged)).await.unwrap();
    assert!(soon(writer.expire("expired")).await.unwrap());
    let (reader, _) = world.join_as(keeping_nothing()).await;
    let keys = ["plain", "tagged", "graced", "expired", "dropped", "plain"];
    let found = soon(reader.get_many::<u8>(&keys)).await.unwrap();
    assert_eq!(found, [Some(1), Some(2), Some(3), None, None, Some(1)]);
}

#[tokio::test]
async fn a_key_whose_server_fails_is_a_miss_and_the_others_are_found() {
    let world = World::new();
    let (writer, _) = world.join().await;
    soon(writer.set_many(&[("a", 1), ("b", 2), ("c", 3)])).await.unwrap();
    let (reader, remote) = world.join_as(keeping_nothing()).await;
    remote.lie(|_, reply| {
        Some(match reply {
            RemoteReply::Bytes(mut answers) => {
                answers[1] = Err(Error::new(ErrorKind::Remote, "this node does not answer"));
                RemoteReply::Bytes(answers)
            }
            other => other,
        })
    });
    let found = soon(reader.get_many::<u8>(&["a", "b", "c"])).await.unwrap();
    assert_eq!(found, [Some(1), None, Some(3)]);
    assert_eq!(reader.engine().counters().remote_errors.value(), 1);
    assert_eq!(reader.engine().counters().remote_hits.value(), 2);
}

#[tokio::test]
async fn what_is_asked_behind_a_change_finds_it() {
    let world = World::new();
    let (reader, _) = world.join_as(keeping_nothing()).await;
    soon(reader.set_many(&[("a", 1), ("b", 1)])).await.unwrap();
    // Both are asked for with the first poll, one behind the other.
    let keys = ["a", "b"];
    let (written, found) = soon(async { tokio::join!(reader.set("b", &2), reader.get_many::<u8>(&keys)) }).await;
    written.unwrap();
    assert_eq!(found.unwrap(), [Some(1), Some(2)]);
}

/// A key of the root namespace that shares its slot with `key`.
fn neighbour_of(cache: &Cache, key: &str) -> String {
    let slot = |name: &str| cache.engine().generations().key_slot(0, name);
    (0..)
        .map(|n| format!("neighbour {n}"))
        .find(|name| slot(name) == slot(key))
        .expect("the slots are finite")
}

/// A write of "k" whose stamp is old when it arrives, so that it must be repeated, and what the same process does meanwhile.
async fn write_with_an_old_stamp(meanwhile: impl AsyncFnOnce(&Cache)) -> Option<u8> {
    let world = World::new();
    let (other, _) = world.join().await;
    let (writer, remote) = world.join_as(keeping_nothing()).await;
    soon(other.clear()).await.expect("a clear");
    let mut held = remote.hold(|request| matches!(request, RemoteRequest::Write { .. }));
    let writing = tokio::spawn({
        let writer = writer.clone();
        async move { writer.set("k", &1).await }
    });
    held.arrived().await;
    meanwhile(&writer).await;
    held.release();
    soon(writing).await.expect("the task ends").expect("a write");
    soon(writer.engine().idle()).await;
    soon(other.get::<u8>("k")).await.expect("a read")
}

#[tokio::test]
async fn a_write_that_is_repeated_is_not_given_up_because_of_another_key_of_its_slot() {
    let found = write_with_an_old_stamp(async |writer| {
        let name = neighbour_of(writer, "k");
        let writer = writer.clone();
        tokio::spawn(async move { writer.set(&name, &2).await });
        tokio::task::yield_now().await;
    });
    assert_eq!(found.await, Some(1));
}

#[tokio::test]
async fn a_write_is_not_repeated_over_a_later_change_of_its_key() {
    let deleted = write_with_an_old_stamp(async |writer| {
        let writer = writer.clone();
        tokio::spawn(async move { writer.delete("k").await });
        tokio::task::yield_now().await;
    });
    assert_eq!(deleted.await, None);
    let set = write_with_an_old_stamp(async |writer| {
        let writer = writer.clone();
        tokio::spawn(async move { writer.set("k", &3).await });
        tokio::task::yield_now().await;
    });
    assert_eq!(set.await, Some(3));
    let matched = write_with_an_old_stamp(async |writer| {
        let writer = writer.clone();
        tokio::spawn(async move { writer.delete_pattern("k*").await });
        tokio::task::yield_now().await;
    });
    assert_eq!(matched.await, None);
}

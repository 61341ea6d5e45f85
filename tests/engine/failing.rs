//! Law 9 without a server: a remote tier that fails, lies or panics is not the caller's failure.

use crate::rig::{World, eventually, soon};
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use turbocache::Cache;
use turbocache::engine::Parts;
use turbocache::tier::{NamespaceState, RemoteReply, RemoteRequest, RemoteState, RemoteTier, Replies};

async fn seven() -> Result<u8, Infallible> {
    Ok(7)
}

#[tokio::test]
async fn with_a_remote_tier_that_fails_values_come_from_the_loader_and_stay_in_memory() {
    let world = World::new();
    let (a, remote) = world.join().await;
    remote.fail();
    assert_eq!(soon(a.get_or_load("k", seven)).await.unwrap(), 7);
    assert_eq!(a.peek::<u8>("k"), Some(7));
    a.set("k", &8).await.unwrap();
    assert_eq!(soon(a.get::<u8>("k")).await.unwrap(), Some(8));
    soon(a.delete("k")).await.unwrap();
    soon(a.clear()).await.unwrap();
    soon(a.invalidate_tags(&["t"])).await.unwrap();
    assert_eq!(soon(a.get::<u8>("k")).await.unwrap(), None);
    assert!(a.engine().counters().remote_errors.value() > 0);
}

#[tokio::test]
async fn a_load_waits_for_a_failing_remote_tier_once_and_not_for_each_step() {
    let world = World::new();
    let (a, remote) = world.join().await;
    remote.fail();
    let before = remote.batches.load(Ordering::SeqCst);
    assert_eq!(soon(a.get_or_load("k", seven)).await.unwrap(), 7);
    assert_eq!(
        remote.batches.load(Ordering::SeqCst) - before,
        1,
        "the read; no lease, no fill"
    );
}

#[tokio::test]
async fn a_value_whose_namespace_state_is_unknown_is_not_believed() {
    let world = World::new();
    let (a, remote) = world.join().await;
    let unknown = |request: &RemoteRequest, reply| match request {
        RemoteRequest::State { .. } => Some(RemoteReply::State(NamespaceState::default())),
        _ => Some(reply),
    };
    remote.lie(unknown);
    let (b, of_b) = world.join_unheard(Cache::builder());
    of_b.lie(unknown);
    // B has never seen a state: what it writes is stamped with none.
    b.set("k", &1).await.unwrap();
    assert_eq!(world.model.len(), 1);
    assert_eq!(soon(a.get::<u8>("k")).await.unwrap(), None);
}

#[tokio::test]
async fn replies_of_the_wrong_kind_are_misses() {
    for wrong in [
        RemoteReply::Granted,
        RemoteReply::Done(false),
        RemoteReply::Value(None),
        RemoteReply::Held(None),
    ] {
        let world = World::new();
        let (a, remote) = world.join().await;
        remote.lie(move |request, reply| match request {
            // Held is a possible answer to this question, and means what it says.
            RemoteRequest::Lease { .. } => Some(reply),
            _ => Some(wrong.clone()),
        });
        assert_eq!(soon(a.get::<u8>("k")).await.unwrap(), None);
        assert_eq!(soon(a.get_or_load("k", seven)).await.unwrap(), 7);
        soon(a.set("k", &1)).await.unwrap();
        soon(a.delete("k")).await.unwrap();
    }
}

#[tokio::test]
async fn a_value_with_more_or_other_bytes_than_were_stored_is_a_counted_miss() {
    let world = World::new();
    let (a, remote) = world.join().await;
    let (b, _) = world.join().await;
    b.set("k", &1).await.unwrap();
    remote.lie(|_, reply| {
        Some(match reply {
            RemoteReply::Value(Some(mut stored)) => {
                let mut bytes = stored.envelope.to_vec();
                bytes.insert(30, 0);
                stored.envelope = bytes.into();
                RemoteReply::Value(Some(stored))
            }
            other => other,
        })
    });
    assert_eq!(soon(a.get::<u8>("k")).await.unwrap(), None);
    assert_eq!(a.engine().counters().remote_rejected.value(), 1);
    assert_eq!(
        soon(a.get_or_load("k", seven)).await.unwrap(),
        7,
        "also when it asks for the lease"
    );
}

/// Panics on request, and answers too little otherwise.
#[derive(Default)]
struct Broken {
    panics: AtomicBool,
}

impl RemoteTier for Broken {
    fn execute<'a>(&'a self, _: &'a [RemoteRequest]) -> Pin<Box<dyn Future<Output = Replies> + Send + 'a>> {
        assert!(
            !self.panics.load(Ordering::SeqCst),
            "the store panics, as the test wants"
        );
        Box::pin(std::future::ready(Vec::new()))
    }

    fn state(&self) -> RemoteState {
        RemoteState::Up
    }
}

#[tokio::test]
async fn a_store_that_panics_or_answers_nothing_stops_nobody() {
    let broken = Arc::new(Broken::default());
    let builder = Cache::builder();
    let parts = Parts {
        remote: broken.clone(),
        ..Parts::local(builder.options(), tokio::runtime::Handle::current())
    };
    let cache = builder.build_on(parts).unwrap();
    for panics in [false, true, false] {
        broken.panics.store(panics, Ordering::SeqCst);
        assert_eq!(soon(cache.get::<u8>("none")).await.unwrap(), None);
        assert_eq!(soon(cache.get_or_load("k", seven)).await.unwrap(), 7);
        soon(cache.delete("k")).await.unwrap();
    }
    soon(cache.close()).await;
}

#[tokio::test]
async fn an_engine_that_nobody_uses_ends_its_tasks_and_its_subscription() {
    let world = World::new();
    let (dropped, _) = world.join().await;
    let (closed, _) = world.join().await;
    assert_eq!(world.bus.listeners(), 2);
    drop(dropped);
    eventually("the dropped one listens no more", async || world.bus.listeners() == 1).await;
    closed.close().await;
    eventually("nor does the closed one", async || world.bus.listeners() == 0).await;
}

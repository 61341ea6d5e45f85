//! What the remote tier missed is not believed, and made good when it answers again; nobody is served what was deleted.

use crate::rig::{FakeRemote, RedisServer, Reply, World, eventually, hearing, soon, space};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use turbocache::clock::Clock;
use turbocache::engine::{Space, TagOptions};
use turbocache::entry::SerializerId;
use turbocache::tier::{RemoteReply, RemoteRequest};
use turbocache::{Cache, WriteOptions};

async fn seven() -> Result<u8, Infallible> {
    Ok(7)
}

fn tagged(tags: &'static [&'static str]) -> WriteOptions<'static> {
    WriteOptions {
        tags,
        ..WriteOptions::default()
    }
}

/// Two processes; `k` was set by the first.
async fn pair(world: &World) -> [(Cache, Arc<FakeRemote>); 2] {
    let pair = [world.join().await, world.join().await];
    pair[0].0.set_with("k", &1, &tagged(&["t"])).await.expect("it is set");
    pair
}

/// Time goes on until all is made good.
async fn recovered(world: &World, cache: &Cache) {
    eventually("all is made good", async || {
        world.clock.advance(Duration::from_millis(20));
        cache.engine().missed_changes() == 0
    })
    .await;
}

/// Changes never reach the store, and everything else does.
fn refuse_changes(remote: &FakeRemote, model: Arc<crate::rig::Model>) {
    remote.instead(move |request| match request {
        RemoteRequest::Write { .. }
        | RemoteRequest::Remove { .. }
        | RemoteRequest::Expire { .. }
        | RemoteRequest::Raise { .. }
        | RemoteRequest::RaiseRule { .. } => None,
        other => Some(model.apply(other)),
    });
}

#[tokio::test]
async fn what_was_deleted_in_vain_is_not_read_again_and_goes_when_the_remote_tier_is_back() {
    for way in ["delete", "set", "expire", "tags", "soft tags", "clear", "clear nested"] {
        let world = World::new();
        let [(a, remote), (b, _)] = pair(&world).await;
        let nested = a.nested("below");
        nested.set_with("k", &1, &tagged(&["t"])).await.unwrap();
        remote.fail();
        match way {
            "delete" => drop(a.delete("k").await.unwrap()),
            "set" => a.set("k", &2).await.unwrap(),
            "expire" => drop(a.expire("k").await.unwrap()),
            "tags" => a.invalidate_tags(&["t"]).await.unwrap(),
            "soft tags" => {
                let soft = TagOptions { soft: true, all: false };
                a.invalidate_tags_with(&["t"], soft).await.unwrap();
            }
            "clear" => a.clear().await.unwrap(),
            _ => nested.clear().await.unwrap(),
        }
        let (cache, path) = if way == "clear nested" {
            (&nested, "below")
        } else {
            (&a, "")
        };
        assert_eq!(a.engine().missed_changes(), 1, "{way}");
        remote.heal();
        // Asked before anybody has had the time to make it good.
        let stored = Space::open(a.engine(), path, SerializerId::JSON);
        let read = crate::rig::answer(|done| stored.read("k", done)).await;
        let old = read.is_some_and(|found| found.entry.payload.to_vec() == b"1" && !found.is_stale());
        assert!(!old, "{way}: the old value is not believed");
        recovered(&world, &a).await;
        let other = if path.is_empty() { b.clone() } else { b.nested(path) };
        eventually(way, async || other.get::<u8>("k").await.unwrap().is_none()).await;
        assert_eq!(a.engine().counters().recovered.value(), 1, "{way}");
        let after = (way == "set").then_some(2);
        assert_eq!(
            cache.get::<u8>("k").await.unwrap(),
            after,
            "{way}: what was set here stands here"
        );
    }
}

#[tokio::test]
async fn others_who_read_the_old_value_meanwhile_are_told_when_it_goes() {
    let world = World::new();
    let [(a, remote), (b, _)] = pair(&world).await;
    remote.fail();
    a.delete("k").await.unwrap();
    assert_eq!(
        b.get::<u8>("k").await.unwrap(),
        Some(1),
        "nobody has told B, nor the store"
    );
    remote.heal();
    recovered(&world, &a).await;
    eventually("B has dropped it", async || b.peek::<u8>("k").is_none()).await;
    assert_eq!(b.get::<u8>("k").await.unwrap(), None);
}

#[tokio::test]
async fn a_change_that_was_made_though_its_answer_was_lost_is_made_good_all_the_same() {
    let world = World::new();
    let [(a, remote), (b, _)] = pair(&world).await;
    remote.lie(|_, _| None);
    a.set("k", &2).await.unwrap();
    remote.lie(|_, reply| Some(reply));
    recovered(&world, &a).await;
    assert_eq!(
        b.get::<u8>("k").await.unwrap(),
        None,
        "better none than one that may be older than another's"
    );
}

#[tokio::test]
async fn while_it_is_pending_the_key_is_loaded_anew_and_the_load_is_not_kept_from_it() {
    let world = World::new();
    let [(a, remote), _] = pair(&world).await;
    let model = world.model.clone();
    refuse_changes(&remote, model);
    a.delete("k").await.unwrap();
    assert_eq!(soon(a.get::<u8>("k")).await.unwrap(), None, "the store still has it");
    assert_eq!(soon(a.get_or_load("k", seven)).await.unwrap(), 7);
    assert!(a.engine().missed_changes() > 0);
    assert_eq!(a.get::<u8>("k").await.unwrap(), Some(7));
}

#[tokio::test]
async fn what_is_written_again_is_not_taken_away() {
    let world = World::new();
    let [(a, remote), (b, _)] = pair(&world).await;
    let model = world.model.clone();
    remote.instead(move |request| match request {
        RemoteRequest::Remove { .. } => None,
        other => Some(model.apply(other)),
    });
    a.delete("k").await.unwrap();
    assert_eq!(a.engine().missed_changes(), 1);
    a.set("k", &2).await.unwrap();
    assert_eq!(a.engine().missed_changes(), 0, "the set has done away with it");
    let model = world.model.clone();
    remote.instead(move |request| Some(model.apply(request)));
    world.clock.advance(Duration::from_secs(1));
    a.get::<u8>("other").await.unwrap();
    assert_eq!(b.get::<u8>("k").await.unwrap(), Some(2));
}

#[tokio::test]
async fn a_store_that_refuses_to_make_it_good_is_asked_again_and_not_all_the_time() {
    let world = World::new();
    let [(a, remote), (b, _)] = pair(&world).await;
    let asked = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let (model, count) = (world.model.clone(), asked.clone());
    remote.instead(move |request| match request {
        RemoteRequest::Remove { .. } if count.fetch_add(1, Ordering::SeqCst) < 3 => None,
        other => Some(model.apply(other)),
    });
    a.delete("k").await.unwrap();
    recovered(&world, &a).await;
    assert_eq!(asked.load(Ordering::SeqCst), 4);
    assert_eq!(b.get::<u8>("k").await.unwrap(), None);
}

#[tokio::test]
async fn more_than_can_be_remembered_clears_everything_and_forgets_no_deletion() {
    let world = World::new();
    let [(a, remote), (b, _)] = pair(&world).await;
    b.set("bystander", &1).await.unwrap();
    remote.fail();
    let space = space(&a);
    let pending = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    for n in 0..10_001 {
        pending.fetch_add(1, Ordering::SeqCst);
        let pending = pending.clone();
        let key = if n == 0 { "k".to_owned() } else { format!("k{n}") };
        let done = move |_| {
            pending.fetch_sub(1, Ordering::SeqCst);
        };
        space.delete(&key, Box::new(done));
    }
    eventually("all have failed", async || pending.load(Ordering::SeqCst) == 0).await;
    assert_eq!(a.engine().missed_changes(), 1);
    assert_eq!(a.engine().counters().recovery_folds.value(), 1);
    remote.heal();
    assert_eq!(a.get::<u8>("k").await.unwrap(), None);
    recovered(&world, &a).await;
    for key in ["k", "bystander"] {
        eventually(key, async || b.get::<u8>(key).await.unwrap().is_none()).await;
    }
}

#[tokio::test]
async fn a_read_that_was_queued_behind_a_change_in_vain_keeps_nothing_old() {
    let world = World::new();
    let [(a, remote), _] = pair(&world).await;
    // The delete is lost, and the read behind it is answered, before the delete is known to be lost.
    let model = world.model.clone();
    let mut held = remote.hold(|request| matches!(request, RemoteRequest::Remove { .. }));
    remote.instead(move |request| match request {
        RemoteRequest::Remove { .. } => None,
        other => Some(model.apply(other)),
    });
    let deleting = tokio::spawn({
        let a = a.clone();
        async move { a.delete("k").await }
    });
    held.arrived().await;
    let overtaking = soon(a.get::<u8>("k")).await.unwrap();
    assert_eq!(overtaking, Some(1), "the store still has it, and nobody knows yet");
    held.release();
    deleting.await.unwrap().unwrap();
    assert_eq!(a.peek::<u8>("k"), None, "it is known now");
    assert_eq!(soon(a.get::<u8>("k")).await.unwrap(), None);
}

#[tokio::test]
async fn replies_of_the_wrong_kind_count_as_answers() {
    let world = World::new();
    let [(a, remote), _] = pair(&world).await;
    remote.lie(|request, reply| match request {
        RemoteRequest::Remove { .. } => Some(RemoteReply::Done(false)),
        _ => Some(reply),
    });
    a.delete("k").await.unwrap();
    assert_eq!(a.engine().missed_changes(), 0);
    assert!(world.clock.now().0 < 1_000);
}

async fn join(server: &RedisServer) -> Cache {
    let cache = Cache::builder()
        .namespace("shop")
        .redis(server.url())
        .build()
        .expect("a cache");
    hearing(&cache).await;
    cache
}

/// Nobody reads what was deleted, cleared or overwritten while the server was frozen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deletes_while_redis_is_frozen_hold_when_it_goes_on() {
    let server = RedisServer::start();
    let (a, b) = (join(&server).await, join(&server).await);
    let keys: Vec<String> = (0..400).map(|n| format!("k{n}")).collect();
    for key in &keys {
        a.set(key, &1).await.unwrap();
    }
    let doomed = a.nested("doomed");
    doomed.set("k", &1).await.unwrap();
    a.set_with("tagged", &1, &tagged(&["t"])).await.unwrap();
    assert_eq!(b.get::<u8>("k7").await.unwrap(), Some(1));
    server.freeze();
    let begin = std::time::Instant::now();
    for (n, key) in keys.iter().enumerate() {
        match n % 2 {
            0 => drop(soon(a.delete(key)).await.unwrap()),
            _ => soon(a.set(key, &2)).await.unwrap(),
        }
    }
    soon(doomed.clear()).await.unwrap();
    soon(a.invalidate_tags(&["t"])).await.unwrap();
    assert!(begin.elapsed() < Duration::from_secs(8), "{:?}", begin.elapsed());
    assert!(a.engine().missed_changes() > 100);
    server.thaw();
    eventually("all is made good", async || a.engine().missed_changes() == 0).await;
    hearing(&b).await;
    let c = join(&server).await;
    for cache in [&a, &b, &c] {
        for (n, key) in keys.iter().enumerate() {
            let value = cache.get::<u8>(key).await.unwrap();
            assert!(value.is_none() || (n % 2 == 1 && value == Some(2)), "{key}: {value:?}");
        }
        assert_eq!(cache.nested("doomed").get::<u8>("k").await.unwrap(), None);
        assert_eq!(cache.get::<u8>("tagged").await.unwrap(), None);
    }
}

/// Memory is full: Redis takes no values, and still serves the old ones.
#[tokio::test]
async fn a_set_that_redis_refuses_does_not_leave_the_old_value() {
    let server = RedisServer::start();
    let (a, b) = (join(&server).await, join(&server).await);
    a.set("k", &1).await.unwrap();
    assert_eq!(b.get::<u8>("k").await.unwrap(), Some(1));
    server.command([b"CONFIG", b"SET", b"maxmemory", b"1"]);
    a.set("k", &2).await.unwrap();
    assert_eq!(a.get::<u8>("k").await.unwrap(), Some(2), "this process has it");
    eventually("the old value is removed", async || {
        server.command([b"EXISTS", b"tc:{shop:k}:v"]) == Reply::Number(0)
    })
    .await;
    eventually("B has it no more", async || b.get::<u8>("k").await.unwrap().is_none()).await;
}

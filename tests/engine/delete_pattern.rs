//! Deletion by pattern: what matches is gone everywhere, whatever is under way; the rest stays.

use crate::invalidation::{fill, lease, read};
use crate::rig::{At, RedisServer, Reply, SlowMemory, World, eventually, hearing, soon, space};
use parking_lot::Mutex;
use std::sync::Arc;
use turbocache::engine::{FillOutcome, Parts, Progress};
use turbocache::event::{Change, Frame, Stream};
use turbocache::options::Eviction;
use turbocache::pattern::Pattern;
use turbocache::tier::{RemoteRequest, Scan};
use turbocache::{Cache, ErrorKind};

fn is_read(request: &RemoteRequest) -> bool {
    matches!(request, RemoteRequest::Read { .. })
}

/// A step of the first walk (over leases too) or of the second.
fn is_walk(first: bool) -> impl Fn(&RemoteRequest) -> bool + Send {
    move |request| matches!(request, RemoteRequest::Scan(Scan { leases, .. }) if *leases == first)
}

#[tokio::test]
async fn what_matches_is_gone_in_memory_and_remotely_and_the_rest_stays() {
    let world = World::new();
    for cache in [world.join().await.0, world.alone(Cache::builder())] {
        for key in ["user:1", "user:2", "user:2:name", "users", "order:1"] {
            cache.set(key, key).await.unwrap();
        }
        cache.nested("user").set("user:1", &1).await.unwrap();
        assert_eq!(cache.delete_pattern("user:?").await.unwrap(), 2);
        for key in ["user:1", "user:2"] {
            assert_eq!(soon(cache.get::<String>(key)).await.unwrap(), None);
        }
        for key in ["user:2:name", "users", "order:1"] {
            assert_eq!(cache.peek::<String>(key).as_deref(), Some(key), "still in memory");
        }
        assert_eq!(cache.nested("user").peek::<u8>("user:1"), Some(1), "nested");
        assert_eq!(cache.delete_pattern("user:?").await.unwrap(), 0);
        assert_eq!(cache.delete_pattern("users").await.unwrap(), 1, "one key, no walk");
        assert_eq!(cache.delete_pattern("*").await.unwrap(), 2);
        assert_eq!(cache.peek::<String>("order:1"), None);
    }
}

#[tokio::test]
async fn the_hot_tiers_are_told_by_the_namespace_and_not_by_each_key() {
    let cache = World::new().alone(Cache::builder());
    let space = space(&cache);
    let before = cache.engine().generations().generation(space.index());
    cache.delete_pattern("no such key*").await.unwrap();
    assert!(cache.engine().generations().generation(space.index()) > before);
}

#[tokio::test]
async fn another_process_forgets_what_matches_and_nothing_else() {
    let world = World::new();
    let (a, _) = world.join().await;
    let (b, _) = world.join().await;
    for key in ["user:1", "order:1"] {
        a.set(key, &1).await.unwrap();
        eventually("B holds it", async || {
            b.get::<u8>(key).await.unwrap();
            b.peek::<u8>(key) == Some(1)
        })
        .await;
    }
    a.delete_pattern("user:*").await.unwrap();
    eventually("B has forgotten", async || b.peek::<u8>("user:1").is_none()).await;
    assert_eq!(b.peek::<u8>("order:1"), Some(1));
    assert_eq!(soon(b.get::<u8>("user:1")).await.unwrap(), None);
}

#[tokio::test]
async fn a_load_from_before_is_stored_nowhere() {
    let world = World::new();
    let (a, _) = world.join().await;
    let (b, _) = world.join().await;
    let alone = world.alone(Cache::builder());
    for (loads, deletes) in [(&b, &a), (&a, &a), (&alone, &alone)] {
        let space = space(loads);
        let (matching, other) = (lease(&space, "user:1").await, lease(&space, "order:1").await);
        assert_eq!(deletes.delete_pattern("user:*").await.unwrap(), 0);
        let outcome = fill(&space, matching, b"1", &[]).await;
        assert!(matches!(outcome, FillOutcome::Refused), "{outcome:?}");
        assert!(read(&space, "user:1").await.is_none());
        let outcome = fill(&space, other, b"2", &[]).await;
        assert!(
            matches!(outcome, FillOutcome::Stored(_)),
            "another key is another matter"
        );
        loads.delete("order:1").await.unwrap();
    }
    assert_eq!(world.model.len(), 0);
}

#[tokio::test]
async fn a_load_that_is_stored_behind_the_back_of_the_first_walk_is_found_by_the_second() {
    let world = World::new();
    let (a, remote) = world.join().await;
    let (b, _) = world.join().await;
    let in_b = space(&b);
    // The walk has passed where the value comes to stand.
    let mut first = remote.hold(is_walk(true));
    let deleting = tokio::spawn({
        let a = a.clone();
        async move { a.delete_pattern("user:*").await }
    });
    first.arrived().await;
    let begun = lease(&in_b, "user:1").await;
    fill(&in_b, begun, b"1", &[]).await;
    assert_eq!(world.model.len(), 1);
    first.release();
    assert_eq!(soon(deleting).await.unwrap().unwrap(), 1);
    assert_eq!(world.model.len(), 0);
    eventually("B has forgotten", async || b.peek::<u8>("user:1").is_none()).await;
}

#[tokio::test]
async fn a_remote_read_from_before_is_not_kept_and_not_joined() {
    let world = World::new();
    let (a, _) = world.join().await;
    let (b, remote) = world.join().await;
    a.set("user:1", &1).await.unwrap();
    let mut held = remote.hold(is_read);
    let before = tokio::spawn({
        let b = b.clone();
        async move { b.get::<u8>("user:1").await }
    });
    held.arrived().await;
    b.delete_pattern("user:*").await.unwrap();
    assert_eq!(
        soon(b.get::<u8>("user:1")).await.unwrap(),
        None,
        "asked behind the deletion"
    );
    held.release();
    soon(before).await.unwrap().unwrap();
    assert_eq!(b.peek::<u8>("user:1"), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_news_is_applied_before_the_memory_has_been_looked_through() {
    let world = World::new();
    let memory = SlowMemory::new(Eviction::TinyLfu);
    let builder = Cache::builder();
    let parts = Parts {
        memory: memory.clone(),
        bus: Arc::new(world.bus.clone()),
        clock: world.clock.clone(),
        remote: Arc::new(crate::rig::FakeRemote::new(world.model.clone())),
        ..Parts::local(builder.options(), tokio::runtime::Handle::current())
    };
    let b = builder.build_on(parts).unwrap();
    hearing(&b).await;
    let (a, _) = world.join().await;
    let graced = turbocache::WriteOptions {
        grace: Some(std::time::Duration::from_secs(60)),
        ..Default::default()
    };
    for key in ["user:1", "user:2", "order:1"] {
        b.set_with(key, &1, &graced).await.unwrap();
    }
    let walk = memory.hold(At::Walk);
    a.delete_pattern("user:*").await.unwrap();
    let walk = soon(walk.arrived()).await;
    assert_eq!(b.peek::<u8>("user:1"), None);
    assert_eq!(b.peek::<u8>("order:1"), Some(1));
    // What is hidden does not come back as an old value either.
    b.expire("user:2").await.unwrap();
    walk.release();
    b.expire("user:2").await.unwrap();
    let failing = || async { Err::<u8, _>("the origin is down") };
    assert!(soon(b.get_or_load("user:2", failing)).await.is_err());
    b.set("user:1", &2).await.unwrap();
    eventually("a value from behind the deletion is served from memory", async || {
        b.set("user:1", &2).await.unwrap();
        b.peek::<u8>("user:1") == Some(2)
    })
    .await;
}

#[tokio::test]
async fn a_pattern_of_a_newer_version_drops_the_namespace() {
    let world = World::new();
    let (a, _) = world.join().await;
    a.set("k", &1).await.unwrap();
    a.nested("below").set("k", &1).await.unwrap();
    let change = Change::Pattern {
        path: "".into(),
        pattern: "[".into(),
    };
    let frame = Frame {
        sender: 1,
        session: 0,
        stream: Stream::Unlogged,
        first: 0,
        next: 1,
        incarnation: 0,
        counter: 0,
        changes: vec![change],
    };
    world.bus.say(&turbocache::bus::Heard::Message(frame.encode()));
    eventually("it is dropped", async || a.peek::<u8>("k").is_none()).await;
}

#[tokio::test]
async fn what_cannot_be_a_pattern_is_refused_before_anything_happens() {
    let world = World::new();
    let (a, remote) = world.join().await;
    a.set("k", &1).await.unwrap();
    let batches = remote.batches.load(std::sync::atomic::Ordering::SeqCst);
    for pattern in ["", "[a", r"\", &"x".repeat(3_000)] {
        let error = a.delete_pattern(pattern).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Argument, "{error}");
    }
    assert_eq!(remote.batches.load(std::sync::atomic::Ordering::SeqCst), batches);
    assert_eq!(a.peek::<u8>("k"), Some(1));
}

#[tokio::test]
async fn when_the_remote_tier_fails_memory_forgets_all_the_same() {
    let world = World::new();
    let (a, remote) = world.join().await;
    let (b, _) = world.join().await;
    a.set("k", &1).await.unwrap();
    eventually("B holds it", async || {
        b.get::<u8>("k").await.unwrap();
        b.peek::<u8>("k") == Some(1)
    })
    .await;
    remote.fail();
    assert_eq!(a.delete_pattern("*").await.unwrap(), 0);
    assert_eq!(a.peek::<u8>("k"), None);
    assert!(a.engine().counters().remote_errors.value() > 0);
    remote.heal();
    eventually("B is told when it answers again", async || {
        world.clock.advance(std::time::Duration::from_millis(50));
        b.peek::<u8>("k").is_none()
    })
    .await;
}

#[tokio::test]
async fn in_redis_every_character_of_keys_and_namespaces_is_itself() {
    let server = RedisServer::start();
    for name in ["shop", "*", "[a-z]", r"a\*b", "?", "^", "{x}"] {
        let cache = Cache::builder().namespace(name).redis(server.url()).build().unwrap();
        let other = Cache::builder().namespace("other").redis(server.url()).build().unwrap();
        let keys = [
            "*", "?", "a", "b", "[ab]", r"\", r"\*", "^", "a:b", "{a}", "}:v", "é", "a\n*",
        ];
        for key in keys {
            cache.set(key, key).await.unwrap();
            other.set(key, key).await.unwrap();
        }
        for key in keys {
            let pattern = format!("{}*", Pattern::escape(key));
            let same = keys.iter().filter(|other| other.starts_with(key)).count() as u64;
            assert_eq!(cache.delete_pattern(&pattern).await.unwrap(), same, "{name}: {pattern}");
            for key in keys {
                cache.set(key, key).await.unwrap();
            }
        }
        assert_eq!(
            cache.delete_pattern("[^a]").await.unwrap(),
            6,
            "{name}: single characters but a"
        );
        assert_eq!(cache.delete_pattern("*").await.unwrap(), 7, "{name}: what is left");
        assert_eq!(other.delete_pattern("*").await.unwrap(), 13, "another namespace");
    }
}

#[tokio::test]
async fn redis_walks_and_unlinks_in_batches_and_says_how_far_it_is() {
    let server = RedisServer::start();
    let cache = Cache::builder().namespace("shop").redis(server.url()).build().unwrap();
    let keys: Vec<String> = (0..3_500).map(|n| format!("user:{n}")).collect();
    let entries: Vec<(&str, u8)> = keys.iter().map(|key| (&**key, 1)).collect();
    cache.set_many(&entries).await.unwrap();
    cache.set("kept", &1).await.unwrap();
    let steps = Arc::new(Mutex::new(Vec::<Progress>::new()));
    let told = steps.clone();
    let deleted = cache
        .delete_pattern_with("user:*", move |progress| told.lock().push(progress))
        .await;
    assert_eq!(deleted.unwrap(), 3_500);
    let steps = steps.lock().clone();
    assert!(steps.len() > 4, "{} steps", steps.len());
    assert!(steps.windows(2).all(|pair| pair[0].deleted <= pair[1].deleted));
    assert_eq!(steps.last().unwrap().deleted, 3_500);
    assert!(steps.last().unwrap().scanned >= 3_500);
    assert_eq!(cache.get::<u8>("kept").await.unwrap(), Some(1));
    let Reply::Bytes(stats) = server.command([b"INFO", b"commandstats"]) else {
        panic!("no statistics");
    };
    let stats = String::from_utf8(stats).unwrap();
    assert!(
        stats.contains("cmdstat_scan") && !stats.contains("cmdstat_keys"),
        "{stats}"
    );
    let calls = |name: &str| -> u64 {
        let line = stats
            .lines()
            .find_map(|line| line.strip_prefix(&format!("cmdstat_{name}:calls=")));
        line.and_then(|line| line.split(',').next()?.parse().ok()).unwrap_or(0)
    };
    assert!(
        (8..=40).contains(&calls("unlink")),
        "{} calls of UNLINK",
        calls("unlink")
    );
}

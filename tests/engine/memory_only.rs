//! Without a remote tier, and without any: the same questions, the same answers.

use crate::rig::{At, SlowMemory, World, eventually, soon};
use std::convert::Infallible;
use std::sync::atomic::Ordering;
use std::time::Duration;
use turbocache::engine::Parts;
use turbocache::options::Eviction;
use turbocache::tier::MemoryTier;
use turbocache::{Cache, ErrorKind, WriteOptions};

#[tokio::test]
async fn what_is_set_is_read_until_it_ends() {
    let world = World::new();
    let cache = world.alone(Cache::builder().ttl(Duration::from_secs(60)));
    assert_eq!(cache.get::<u8>("k").await.unwrap(), None);
    cache.set("k", &1).await.unwrap();
    assert_eq!(cache.get("k").await.unwrap(), Some(1));
    assert_eq!(cache.peek("k"), Some(1));
    assert!(cache.has("k").await.unwrap());
    world.clock.advance(Duration::from_millis(59_999));
    assert_eq!(cache.peek("k"), Some(1));
    world.clock.advance(Duration::from_millis(1));
    assert_eq!(cache.get::<u8>("k").await.unwrap(), None);
    assert!(!cache.has("k").await.unwrap());
}

#[tokio::test]
async fn nothing_is_a_value_and_not_a_miss() {
    let cache = World::new().alone(Cache::builder());
    cache.set("k", &None::<u8>).await.unwrap();
    assert_eq!(cache.get::<Option<u8>>("k").await.unwrap(), Some(None));
}

#[tokio::test]
async fn many_are_set_read_and_removed_in_their_order() {
    let cache = World::new().alone(Cache::builder());
    cache.set_many(&[("a", 1), ("b", 2)]).await.unwrap();
    assert_eq!(
        cache.get_many::<u8>(&["b", "x", "a"]).await.unwrap(),
        [Some(2), None, Some(1)]
    );
    assert_eq!(cache.delete_many(&["a", "x"]).await.unwrap(), 1);
    assert_eq!(cache.get_many::<u8>(&["a", "b"]).await.unwrap(), [None, Some(2)]);
}

#[tokio::test]
async fn delete_and_expire_say_whether_there_was_something() {
    let cache = World::new().alone(Cache::builder());
    assert!(!cache.delete("k").await.unwrap());
    assert!(!cache.expire("k").await.unwrap());
    cache.set("k", &1).await.unwrap();
    assert!(cache.expire("k").await.unwrap());
    assert_eq!(cache.peek::<u8>("k"), None);
    cache.set("k", &1).await.unwrap();
    assert!(cache.delete("k").await.unwrap());
}

#[tokio::test]
async fn an_expired_value_is_kept_for_its_grace() {
    let cache = World::new().alone(Cache::builder().grace(Duration::from_secs(1)));
    cache.set("k", &1).await.unwrap();
    assert!(cache.expire("k").await.unwrap());
    assert_eq!(cache.get::<u8>("k").await.unwrap(), None);
    let served = cache.get_or_load("k", || async { Err::<u8, _>("down") }).await;
    assert_eq!(served.unwrap(), 1);
}

#[tokio::test]
async fn tags_and_clears_reach_what_is_nested_and_nothing_else() {
    let cache = World::new().alone(Cache::builder());
    let (users, admins, lookalike) = (
        cache.nested("users"),
        cache.nested("users").nested("admins"),
        cache.nested("users2"),
    );
    let tagged = WriteOptions {
        tags: &["t"],
        ..WriteOptions::default()
    };
    let all = [&cache, &users, &admins, &lookalike];
    let there = || all.map(|cache| cache.peek::<u8>("k").is_some());
    for reach in ["tags", "clear"] {
        for cache in all {
            cache.set_with("k", &1, &tagged).await.unwrap();
        }
        match reach {
            "tags" => users.invalidate_tags(&["t"]).await.unwrap(),
            _ => users.clear().await.unwrap(),
        }
        assert_eq!(there(), [true, false, false, true], "{reach}");
    }
    cache.clear().await.unwrap();
    assert_eq!(there(), [false; 4]);
}

#[tokio::test]
async fn names_that_look_alike_are_different_namespaces() {
    let cache = World::new().alone(Cache::builder());
    let (slash, nested, empty) = (cache.nested("a/b"), cache.nested("a").nested("b"), cache.nested(""));
    slash.set("k", &1).await.unwrap();
    nested.set("k", &2).await.unwrap();
    empty.set("k", &3).await.unwrap();
    let values = [&slash, &nested, &empty, &cache].map(|cache| cache.peek::<u8>("k"));
    assert_eq!(values, [Some(1), Some(2), Some(3), None]);
}

#[tokio::test]
async fn without_any_tier_every_call_loads_and_nothing_is_held() {
    let builder = Cache::builder().without_memory();
    let parts = Parts::local(builder.options(), tokio::runtime::Handle::current());
    let cache = builder.build_on(parts).unwrap();
    cache.set("k", &1).await.unwrap();
    assert_eq!(cache.get::<u8>("k").await.unwrap(), None);
    for round in 0..2 {
        let loaded = soon(cache.get_or_load("k", || async move { Ok::<u8, Infallible>(round) })).await;
        assert_eq!(loaded.unwrap(), round);
    }
    cache.clear().await.unwrap();
    cache.invalidate_tags(&["t"]).await.unwrap();
    assert_eq!(cache.engine().memory_usage(), (0, 0));
}

#[tokio::test]
async fn the_memory_tier_keeps_within_its_bytes() {
    let cache = World::new().alone(Cache::builder().memory_max_bytes(1 << 20));
    for n in 0..4_000 {
        cache.set(&format!("key:{n}"), &"x".repeat(1_000)).await.unwrap();
    }
    let (entries, bytes) = cache.engine().memory_usage();
    assert!(bytes <= 1 << 20, "{bytes} bytes");
    assert!((200..1_048).contains(&entries), "{entries} entries");
}

#[tokio::test]
async fn arguments_that_cannot_be_right_are_refused_by_kind() {
    let cache = World::new().alone(Cache::builder());
    let kind = async |key: &str| cache.set(key, &1).await.unwrap_err().kind();
    assert_eq!(kind("").await, ErrorKind::Argument);
    assert_eq!(kind(&"k".repeat(1_025)).await, ErrorKind::KeyTooLong);
    let tags = |tags| WriteOptions {
        tags,
        ..WriteOptions::default()
    };
    for wrong in [&[""][..], &["t"; 65], &[&"t".repeat(257)]] {
        let refused = cache.set_with("k", &1, &tags(wrong)).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Argument);
    }
    let large = cache.set("k", &"x".repeat(17 << 20)).await.unwrap_err();
    assert_eq!(large.kind(), ErrorKind::ValueTooLarge);
}

#[tokio::test]
async fn options_that_cannot_be_right_name_option_and_expectation() {
    let refused = [
        Cache::builder().memory_max_bytes(10).build().err(),
        Cache::builder().namespace("").build().err(),
        Cache::builder().namespace("x".repeat(300)).build().err(),
        Cache::builder().ttl(Duration::ZERO).build().err(),
        Cache::builder().redis("not an address").build().err(),
    ];
    for error in refused {
        let error = error.expect("refused");
        assert_eq!(error.kind(), ErrorKind::Option, "{error}");
        assert!(error.context().iter().any(|(name, _)| *name == "option"), "{error}");
        assert!(
            error.message().contains("expected")
                || error.message().contains("allowed")
                || error.message().contains("give"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn after_close_nothing_is_kept() {
    let cache = World::new().alone(Cache::builder());
    cache.set("k", &1).await.unwrap();
    cache.close().await;
    assert_eq!(cache.peek::<u8>("k"), None);
    cache.set("k", &1).await.unwrap();
    assert_eq!(cache.peek::<u8>("k"), None);
    cache.close().await;
}

#[tokio::test]
async fn a_full_memory_tier_takes_new_values_soon_after_a_clear() {
    let cache = Cache::builder().memory_max_bytes(100_000).build().unwrap();
    for _ in 0..5 {
        for index in 0..1_000 {
            let key = format!("old:{index}");
            cache.set(&key, &index).await.unwrap();
            cache.get::<u32>(&key).await.unwrap();
        }
    }
    cache.clear().await.unwrap();
    eventually("the dead entries make room", async || {
        cache.engine().memory_usage().0 == 0
    })
    .await;
    let fresh: Vec<String> = (0..20).map(|index| format!("new:{index}")).collect();
    for key in &fresh {
        cache.set(key, &1).await.unwrap();
    }
    cache.engine().memory_usage();
    assert!(fresh.iter().all(|key| cache.peek::<u32>(key) == Some(1)));
    cache.close().await;
}

#[tokio::test]
async fn a_sweep_that_began_before_a_clear_leaves_what_is_written_behind_it() {
    for eviction in [Eviction::S3Fifo, Eviction::TinyLfu] {
        let memory = SlowMemory::new(eviction);
        let builder = Cache::builder();
        let parts = Parts {
            memory: memory.clone(),
            ..Parts::local(builder.options(), tokio::runtime::Handle::current())
        };
        let cache = builder.build_on(parts).unwrap();
        let sweep = memory.hold(At::Sweep);
        cache.set("before", &1).await.unwrap();
        // It asks for the sweep.
        cache.clear().await.unwrap();
        let sweep = soon(sweep.arrived()).await;
        cache.clear().await.unwrap();
        cache.set("behind", &2).await.unwrap();
        let new = cache.nested("new");
        new.set("k", &3).await.unwrap();
        sweep.release();
        eventually("it has ended", async || memory.swept.load(Ordering::SeqCst) > 0).await;
        assert_eq!(cache.peek("behind"), Some(2));
        assert_eq!(new.peek("k"), Some(3));
        eventually("the dead one is gone", async || memory.entries() == 2).await;
    }
}

//! How long values live: what the cache, the call and the loader say, and what chance takes off.

use crate::rig::{World, eventually, loads, soon, space};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::runtime::Handle;
use turbocache::engine::Parts;
use turbocache::random::Random;
use turbocache::{Cache, CacheBuilder, ErrorKind, LoadContext, LoadError, LoadOptions, WriteOptions};

const SECOND: Duration = Duration::from_secs(1);

/// Falls as it is told.
struct Dice(AtomicU64);

impl Random for Dice {
    fn next(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

impl Dice {
    fn fall(&self, on: u64) {
        self.0.store(on, Ordering::SeqCst);
    }
}

fn with_dice(world: &World, builder: CacheBuilder) -> (Cache, Arc<Dice>) {
    let dice = Arc::new(Dice(AtomicU64::new(0)));
    let parts = Parts {
        clock: world.clock.clone(),
        random: dice.clone(),
        ..Parts::local(builder.options(), Handle::current())
    };
    (builder.build_on(parts).expect("a cache"), dice)
}

/// Milliseconds for which the value is fresh in memory.
fn fresh_for(cache: &Cache) -> i64 {
    space(cache).peek("k").found.expect("a value").fresh_for
}

async fn seven() -> Result<u8, &'static str> {
    Ok(7)
}

#[tokio::test]
async fn jitter_takes_a_random_part_off_every_ttl_and_never_all_of_it() {
    let world = World::new();
    let builder = Cache::builder().ttl(10 * SECOND).jitter(4 * SECOND);
    let (cache, dice) = with_dice(&world, builder);
    for (fallen, fresh) in [(0, 10_000), (1 << 63, 8_000), (u64::MAX, 6_001)] {
        dice.fall(fallen);
        cache.set("k", &1).await.unwrap();
        assert_eq!(fresh_for(&cache), fresh);
        cache.delete("k").await.unwrap();
        soon(cache.get_or_load("k", seven)).await.unwrap();
        assert_eq!(fresh_for(&cache), fresh, "of what is loaded, too");
    }
    let all = WriteOptions {
        jitter: Some(Duration::MAX),
        ..WriteOptions::default()
    };
    cache.set_with("k", &1, &all).await.unwrap();
    assert_eq!(fresh_for(&cache), 1);
    let endless = WriteOptions {
        ttl: Some(Duration::MAX),
        ..WriteOptions::default()
    };
    cache.set_with("k", &1, &endless).await.unwrap();
    assert_eq!(fresh_for(&cache), i64::MAX, "no end is not shortened");
}

#[tokio::test]
async fn memory_and_the_remote_tier_have_ttls_of_their_own() {
    let world = World::new();
    let builder = || Cache::builder().ttl(100 * SECOND);
    let (a, _) = world.join_as(builder().l1_ttl(SECOND).l2_ttl(10 * SECOND)).await;
    let (b, _) = world.join_as(builder()).await;
    let (c, _) = world.join_as(builder().l1_ttl(2 * SECOND)).await;
    for loaded in [false, true] {
        a.delete("k").await.unwrap();
        match loaded {
            true => drop(soon(a.get_or_load("k", seven)).await.unwrap()),
            false => a.set("k", &7).await.unwrap(),
        }
        assert_eq!(fresh_for(&a), 1_000);
        assert_eq!(soon(b.get::<u8>("k")).await.unwrap(), Some(7));
        assert_eq!(fresh_for(&b), 10_000);
        assert_eq!(soon(c.nested("n").get::<u8>("k")).await.unwrap(), None);
        assert_eq!(soon(c.get::<u8>("k")).await.unwrap(), Some(7));
        assert_eq!(fresh_for(&c), 2_000, "of what others stored, too");
    }
    let other = WriteOptions {
        l1_ttl: Some(3 * SECOND),
        l2_ttl: Some(4 * SECOND),
        ..WriteOptions::default()
    };
    a.set_with("k", &8, &other).await.unwrap();
    assert_eq!(fresh_for(&a), 3_000);
    assert_eq!(soon(b.get::<u8>("k")).await.unwrap(), Some(8));
    assert_eq!(fresh_for(&b), 4_000);
}

#[tokio::test]
async fn what_a_loader_decides_limits_every_tier_and_max_ttl_limits_that() {
    let world = World::new();
    let builder = Cache::builder()
        .l1_ttl(5 * SECOND)
        .l2_ttl(60 * SECOND)
        .max_ttl(20 * SECOND);
    let (a, _) = world.join_as(builder).await;
    let (b, _) = world.join().await;
    for (chosen, here, there) in [(3, 3_000, 3_000), (10, 5_000, 10_000), (30, 5_000, 20_000)] {
        a.delete("k").await.unwrap();
        let loader = move |context: LoadContext<u8>| async move {
            context.set_ttl(chosen * SECOND);
            Ok::<_, &str>(7)
        };
        let loaded = soon(a.get_or_spawn("k", &LoadOptions::default(), loader)).await;
        assert_eq!(loaded.unwrap(), 7);
        assert_eq!(fresh_for(&a), here);
        assert_eq!(soon(b.get::<u8>("k")).await.unwrap(), Some(7));
        assert_eq!(fresh_for(&b), there);
    }
}

#[tokio::test]
async fn chance_reloads_the_likelier_the_nearer_the_end_and_the_longer_the_load() {
    let world = World::new();
    let builder = Cache::builder().ttl(1_000 * SECOND).early_refresh(1.0);
    let (cache, dice) = with_dice(&world, builder);
    let options = LoadOptions::default();
    let clock = world.clock.clone();
    let slow = move |_: LoadContext<u8>| async move {
        clock.advance(Duration::from_millis(1_024));
        Ok::<_, &str>(1)
    };
    soon(cache.get_or_spawn("k", &options, slow)).await.unwrap();
    let hit = async || {
        soon(cache.get_or_spawn("k", &options, |_: LoadContext<u8>| seven()))
            .await
            .unwrap()
    };
    world.clock.advance(900 * SECOND);
    dice.fall(u64::MAX);
    assert_eq!(hit().await, 1);
    assert_eq!(loads(cache.engine()), 1, "37 times the load time at most");
    world.clock.advance(90 * SECOND);
    dice.fall(0);
    assert_eq!(hit().await, 1);
    assert_eq!(loads(cache.engine()), 1, "chance says no");
    dice.fall(u64::MAX);
    assert_eq!(hit().await, 1);
    eventually("it is reloaded", async || cache.peek::<u8>("k") == Some(7)).await;
}

#[tokio::test]
async fn an_entry_without_an_end_is_not_reloaded() {
    let world = World::new();
    let builder = Cache::builder().ttl(None).eager_refresh(0.1).early_refresh(100.0);
    let (cache, dice) = with_dice(&world, builder);
    dice.fall(u64::MAX);
    cache.set("k", &1).await.unwrap();
    world.clock.advance(1_000_000 * SECOND);
    let loaded = soon(cache.get_or_spawn("k", &LoadOptions::default(), |_: LoadContext<u8>| seven())).await;
    assert_eq!(loaded.unwrap(), 1);
    cache.engine().idle().await;
    tokio::task::yield_now().await;
    assert_eq!(loads(cache.engine()), 0);
}

#[tokio::test]
async fn what_cannot_be_right_is_refused_by_the_builder_and_by_the_call() {
    let zero = Duration::ZERO;
    let builders = [
        Cache::builder().ttl(zero),
        Cache::builder().l1_ttl(zero),
        Cache::builder().l2_ttl(zero),
        Cache::builder().max_ttl(zero),
        Cache::builder().loader_deadline(zero),
        Cache::builder().eager_refresh(0.0),
        Cache::builder().eager_refresh(1.1),
        Cache::builder().eager_refresh(f64::NAN),
        Cache::builder().early_refresh(-1.0),
        Cache::builder().early_refresh(101.0),
        Cache::builder().bulkhead(0, 1),
    ];
    for builder in builders {
        let error = builder.build().err().expect("refused");
        assert_eq!(error.kind(), ErrorKind::Option, "{error}");
        assert!(error.message().contains("expected"), "{error}");
        assert!(error.context().iter().any(|(name, _)| *name == "option"), "{error}");
    }
    let cache = World::new().alone(Cache::builder());
    let of_zero = WriteOptions {
        ttl: Some(zero),
        ..WriteOptions::default()
    };
    assert_eq!(
        cache.set_with("k", &1, &of_zero).await.unwrap_err().kind(),
        ErrorKind::Argument
    );
    let wrong = [
        LoadOptions::from(of_zero),
        LoadOptions {
            eager_refresh: Some(2.0),
            ..LoadOptions::default()
        },
        LoadOptions {
            early_refresh: Some(f64::NAN),
            ..LoadOptions::default()
        },
    ];
    for options in wrong {
        match soon(cache.get_or_spawn("k", &options, |_: LoadContext<u8>| seven())).await {
            Err(LoadError::Cache(error)) => assert_eq!(error.kind(), ErrorKind::Argument),
            other => panic!("{options:?} was not refused: {other:?}"),
        }
    }
}

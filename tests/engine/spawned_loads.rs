//! Loaders in tasks of their own: whose time is over is served what there is, and what the loader brings is stored behind him.

use crate::rig::{RedisServer, World, eventually, hearing, loads, soon};
use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;
use turbocache::{Cache, ErrorKind, LoadContext, LoadError, LoadOptions, WriteOptions};

type Loaded = Result<u8, &'static str>;
type Loader = Box<dyn FnOnce(LoadContext<u8>) -> Pin<Box<dyn Future<Output = Loaded> + Send>> + Send>;

const SECOND: Duration = Duration::from_secs(1);

/// A loader that says when it begins, and ends as it is told.
fn told() -> (Loader, oneshot::Receiver<LoadContext<u8>>, oneshot::Sender<Loaded>) {
    let ((begin, begun), (end, ending)) = (oneshot::channel(), oneshot::channel());
    let loader: Loader = Box::new(move |context| {
        Box::pin(async move {
            drop(begin.send(context));
            ending.await.expect("told")
        })
    });
    (loader, begun, end)
}

async fn seven(_: LoadContext<u8>) -> Loaded {
    Ok(7)
}

async fn unwanted(_: LoadContext<u8>) -> Loaded {
    Err("must not load")
}

fn limited(soft: Option<Duration>, hard: Option<Duration>) -> LoadOptions<'static> {
    LoadOptions {
        soft_timeout: soft,
        hard_timeout: hard,
        ..LoadOptions::default()
    }
}

fn swr() -> LoadOptions<'static> {
    LoadOptions {
        swr: Some(true),
        ..LoadOptions::default()
    }
}

/// Stores 1, and lets its ttl pass.
async fn store_old(world: &World, cache: &Cache) {
    let kept = WriteOptions {
        ttl: Some(SECOND),
        grace: Some(60 * SECOND),
        ..WriteOptions::default()
    };
    cache.set_with("k", &1, &kept).await.expect("it is stored");
    world.clock.advance(SECOND);
}

fn kind<T>(loaded: Result<T, LoadError<&str>>) -> Option<ErrorKind> {
    match loaded {
        Err(LoadError::Cache(error)) => Some(error.kind()),
        _ => None,
    }
}

async fn stored(cache: &Cache, value: u8) {
    eventually("it is stored", async || cache.peek::<u8>("k") == Some(value)).await;
}

#[tokio::test(start_paused = true)]
async fn an_old_value_is_served_after_the_soft_timeout_and_the_loader_fills_behind() {
    let world = World::new();
    for cache in [world.join().await.0, world.alone(Cache::builder())] {
        store_old(&world, &cache).await;
        let (loader, begun, end) = told();
        let options = limited(Some(SECOND), Some(60 * SECOND));
        assert_eq!(soon(cache.get_or_spawn("k", &options, loader)).await.unwrap(), 1);
        let context = soon(begun).await.unwrap();
        assert!(context.is_background(), "he has been served");
        assert!(!context.is_cancelled());
        end.send(Ok(7)).unwrap();
        stored(&cache, 7).await;
        assert!(context.is_cancelled(), "the load has ended");
        assert_eq!(loads(cache.engine()), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_loader_within_the_soft_timeout_is_waited_for() {
    let world = World::new();
    let cache = world.alone(Cache::builder().soft_timeout(SECOND));
    store_old(&world, &cache).await;
    let loader = async |context: LoadContext<u8>| -> Loaded {
        assert!(!context.is_background());
        Ok(7)
    };
    let loaded = soon(cache.get_or_spawn("k", &LoadOptions::default(), loader)).await;
    assert_eq!(loaded.unwrap(), 7);
}

#[tokio::test]
async fn a_loader_for_which_nobody_has_time_knows_it_from_its_beginning() {
    let world = World::new();
    let cache = world.alone(Cache::builder().soft_timeout(Duration::ZERO));
    store_old(&world, &cache).await;
    let (tell, told) = oneshot::channel();
    let loader = |context: LoadContext<u8>| async move {
        let _ = tell.send(context.is_background());
        Ok::<_, &str>(7)
    };
    let loaded = soon(cache.get_or_spawn("k", &LoadOptions::default(), loader)).await;
    assert_eq!((loaded.unwrap(), soon(told).await), (1, Ok(true)));
}

#[tokio::test(start_paused = true)]
async fn without_an_old_value_the_hard_timeout_is_an_error_and_the_loader_goes_on() {
    let world = World::new();
    for cache in [world.join().await.0, world.alone(Cache::builder())] {
        let (loader, _begun, end) = told();
        let options = limited(Some(Duration::ZERO), Some(SECOND));
        let refused = soon(cache.get_or_spawn("k", &options, loader)).await;
        assert_eq!(kind(refused), Some(ErrorKind::LoaderTimeout));
        end.send(Ok(7)).unwrap();
        stored(&cache, 7).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_hard_timeout_counts_while_somebody_else_loads() {
    let world = World::new();
    let ((a, _), (b, _)) = (world.join().await, world.join().await);
    let (loader, begun, _end) = told();
    let elsewhere = a.clone();
    let leader = tokio::spawn(async move { elsewhere.get_or_spawn("k", &LoadOptions::default(), loader).await });
    soon(begun).await.unwrap();
    for cache in [a, b] {
        let refused = soon(cache.get_or_spawn("k", &limited(None, Some(SECOND)), unwanted)).await;
        assert_eq!(kind(refused), Some(ErrorKind::LoaderTimeout));
    }
    leader.abort();
}

#[tokio::test(start_paused = true)]
async fn at_the_deadline_the_loader_is_dropped_its_work_cancelled_and_the_next_caller_loads() {
    let world = World::new();
    for cache in [world.join().await.0, world.alone(Cache::builder())] {
        let (cancel, cancelled) = oneshot::channel();
        let hangs = move |context: LoadContext<u8>| async move {
            tokio::spawn(async move {
                context.cancelled().await;
                let _ = cancel.send(());
            });
            pending::<Loaded>().await
        };
        let options = LoadOptions {
            loader_deadline: Some(SECOND),
            ..LoadOptions::default()
        };
        let refused = soon(cache.get_or_spawn("k", &options, hangs)).await;
        assert_eq!(kind(refused), Some(ErrorKind::LoaderTimeout));
        soon(cancelled).await.unwrap();
        assert_eq!(soon(cache.get_or_spawn("k", &options, seven)).await.unwrap(), 7);
    }
}

#[tokio::test]
async fn a_caller_who_goes_leaves_his_loader_at_work() {
    let world = World::new();
    for cache in [world.join().await.0, world.alone(Cache::builder())] {
        let (loader, begun, end) = told();
        let options = LoadOptions::default();
        let mut calling = Box::pin(cache.get_or_spawn("k", &options, loader));
        let context = tokio::select! {
            context = soon(begun) => context.unwrap(),
            _ = &mut calling => panic!("it was not told to end"),
        };
        assert!(!context.is_background());
        drop(calling);
        assert!(context.is_background());
        end.send(Ok(7)).unwrap();
        stored(&cache, 7).await;
    }
}

#[tokio::test]
async fn a_caller_who_goes_before_his_turn_leaves_no_load() {
    let cache = World::new().alone(Cache::builder());
    let (loader, begun, end) = told();
    let leading = cache.clone();
    let leader = tokio::spawn(async move { leading.get_or_spawn("k", &LoadOptions::default(), loader).await });
    soon(begun).await.unwrap();
    let waiting = cache.clone();
    let waiter = tokio::spawn(async move { waiting.get_or_spawn("k", &LoadOptions::default(), unwanted).await });
    tokio::task::yield_now().await;
    waiter.abort();
    assert!(waiter.await.unwrap_err().is_cancelled());
    end.send(Err("down")).unwrap();
    assert!(matches!(soon(leader).await.unwrap(), Err(LoadError::Loader("down"))));
    assert_eq!(
        soon(cache.get_or_spawn("k", &LoadOptions::default(), seven))
            .await
            .unwrap(),
        7
    );
}

#[tokio::test]
async fn stale_while_revalidate_serves_at_once_and_loads_once_behind() {
    let world = World::new();
    for cache in [world.join().await.0, world.alone(Cache::builder())] {
        store_old(&world, &cache).await;
        let (loader, begun, end) = told();
        assert_eq!(soon(cache.get_or_spawn("k", &swr(), loader)).await.unwrap(), 1);
        let context = soon(begun).await.unwrap();
        assert!(context.is_background());
        assert_eq!(context.stale(), Some(1));
        assert_eq!(soon(cache.get_or_spawn("k", &swr(), unwanted)).await.unwrap(), 1);
        end.send(Ok(7)).unwrap();
        stored(&cache, 7).await;
        assert_eq!(loads(cache.engine()), 1);
    }
}

#[tokio::test]
async fn a_hit_behind_the_fraction_of_its_ttl_reloads_once_an_entry() {
    let world = World::new();
    let builder = || Cache::builder().ttl(10 * SECOND).eager_refresh(0.8);
    for cache in [world.join_as(builder()).await.0, world.alone(builder())] {
        let options = LoadOptions::default();
        cache.set("k", &1).await.unwrap();
        world.clock.advance(8 * SECOND);
        assert_eq!(soon(cache.get_or_spawn("k", &options, unwanted)).await.unwrap(), 1);
        world.clock.advance(Duration::from_millis(1));
        let (loader, begun, end) = told();
        assert_eq!(soon(cache.get_or_spawn("k", &options, loader)).await.unwrap(), 1);
        let context = soon(begun).await.unwrap();
        assert!(context.is_background());
        end.send(Err("down")).unwrap();
        eventually("it has failed", async || {
            cache.engine().counters().loads_failed.value() == 1
        })
        .await;
        assert_eq!(soon(cache.get_or_spawn("k", &options, unwanted)).await.unwrap(), 1);
        cache.set("k", &2).await.unwrap();
        world.clock.advance(9 * SECOND);
        assert_eq!(soon(cache.get_or_spawn("k", &options, seven)).await.unwrap(), 2);
        stored(&cache, 7).await;
        assert_eq!(loads(cache.engine()), 2);
    }
}

#[tokio::test]
async fn after_a_failure_an_old_value_leaves_the_origin_alone_for_the_backoff() {
    let world = World::new();
    let builder = || Cache::builder().grace_backoff(5 * SECOND);
    for spawned in [true, false] {
        for cache in [world.join_as(builder()).await.0, world.alone(builder())] {
            let calls = Arc::new(AtomicUsize::new(0));
            let call = async || {
                let calls = calls.clone();
                let down = move || async move {
                    calls.fetch_add(1, Ordering::SeqCst);
                    Err::<u8, _>("down")
                };
                match spawned {
                    true => soon(cache.get_or_spawn("k", &LoadOptions::default(), |_| down())).await,
                    false => soon(cache.get_or_load("k", down)).await,
                }
            };
            store_old(&world, &cache).await;
            for _ in 0..3 {
                assert_eq!(call().await.unwrap(), 1);
            }
            assert_eq!(calls.load(Ordering::SeqCst), 1);
            world.clock.advance(5 * SECOND);
            assert_eq!(call().await.unwrap(), 1);
            assert_eq!(calls.load(Ordering::SeqCst), 2);
            cache.delete("k").await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_loaders_panic_is_its_callers_and_the_next_one_loads() {
    let cache = World::new().alone(Cache::builder());
    let panicking = cache.clone();
    let call = tokio::spawn(async move {
        let loader = |_: LoadContext<u8>| async { panic!("a bug") };
        panicking
            .get_or_spawn::<u8, &str, _, _>("k", &LoadOptions::default(), loader)
            .await
    });
    assert!(soon(call).await.unwrap_err().is_panic());
    let options = LoadOptions::default();
    assert_eq!(soon(cache.get_or_spawn("k", &options, seven)).await.unwrap(), 7);
}

#[tokio::test]
async fn a_spawned_loader_that_asks_for_its_own_key_is_refused() {
    let cache = World::new().alone(Cache::builder());
    let inner = cache.clone();
    let loader = move |_: LoadContext<u8>| async move {
        let refused = inner.get_or_spawn("k", &LoadOptions::default(), seven).await;
        assert_eq!(kind(refused), Some(ErrorKind::Argument));
        Ok::<_, &str>(7)
    };
    let loaded = soon(cache.get_or_spawn("k", &LoadOptions::default(), loader)).await;
    assert_eq!(loaded.unwrap(), 7);
}

#[tokio::test]
async fn closing_ends_a_load_and_no_more_begin() {
    let cache = World::new().alone(Cache::builder());
    let (loader, begun, _end) = told();
    let leading = cache.clone();
    let leader = tokio::spawn(async move { leading.get_or_spawn("k", &LoadOptions::default(), loader).await });
    let context = soon(begun).await.unwrap();
    cache.close().await;
    soon(context.cancelled()).await;
    let ended = soon(leader).await.unwrap();
    let hidden = ended.or_else(|error| error.fallback(0));
    assert_eq!(kind(hidden), Some(ErrorKind::Closed), "no fallback hides it");
    let next = soon(cache.get_or_spawn("k", &LoadOptions::default(), unwanted)).await;
    assert_eq!(kind(next), Some(ErrorKind::Closed));
}

#[tokio::test]
async fn a_fallback_stands_in_for_a_failure_to_load_and_is_not_stored() {
    let cache = World::new().alone(Cache::builder());
    let failed = soon(cache.get_or_spawn("k", &LoadOptions::default(), unwanted)).await;
    assert_eq!(failed.or_else(|error| error.fallback(0)).unwrap(), 0);
    assert_eq!(cache.peek::<u8>("k"), None);
    let refused = soon(cache.get_or_spawn("", &LoadOptions::default(), unwanted)).await;
    let refused = refused.or_else(|error| error.fallback(0));
    assert_eq!(kind(refused), Some(ErrorKind::Argument));
}

#[test]
fn a_caller_needs_no_runtime_of_his_own() {
    let cache = Cache::builder().build().unwrap();
    // No timers, and no threads but this one.
    let callers = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let options = limited(None, Some(Duration::from_millis(1)));
    let hangs = |_: LoadContext<u8>| pending::<Loaded>();
    let refused = callers.block_on(cache.get_or_spawn("k", &options, hangs));
    assert_eq!(kind(refused), Some(ErrorKind::LoaderTimeout));
}

#[tokio::test]
async fn over_redis_an_old_value_is_served_at_once_and_the_reload_reaches_the_other_process() {
    let server = RedisServer::start();
    let join = async || {
        let cache = Cache::builder()
            .grace(60 * SECOND)
            .redis(server.url())
            .build()
            .expect("a cache");
        hearing(&cache).await;
        cache
    };
    let (a, b) = (join().await, join().await);
    a.set("k", &1).await.unwrap();
    assert!(a.expire("k").await.unwrap());
    let (loader, begun, end) = told();
    assert_eq!(soon(b.get_or_spawn("k", &swr(), loader)).await.unwrap(), 1);
    let context = soon(begun).await.unwrap();
    assert_eq!((context.stale(), context.is_background()), (Some(1), true));
    assert_eq!(soon(a.get_or_spawn("k", &swr(), unwanted)).await.unwrap(), 1);
    end.send(Ok(7)).unwrap();
    eventually("A reads what B has loaded", async || {
        a.get::<u8>("k").await.unwrap() == Some(7)
    })
    .await;
    assert_eq!(loads(a.engine()), 0, "one load for both");
    assert_eq!(loads(b.engine()), 1);
}

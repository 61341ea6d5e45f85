//! So many loaders at a time: who comes too many is served what is old, waits his turn, or is turned away.

use crate::rig::{World, eventually, soon};
use futures_util::FutureExt;
use std::future::Future;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use turbocache::{Cache, ErrorKind, LoadContext, LoadError, LoadOptions, WriteOptions};

type Loaded = Result<u8, LoadError<&'static str>>;

/// How a test loads: by a loader of the caller's, or by one in a task of its own.
#[derive(Clone, Copy)]
enum Way {
    Here,
    Spawned,
}

async fn load<Fut>(way: Way, cache: &Cache, key: &str, loader: Fut) -> Loaded
where
    Fut: Future<Output = Result<u8, &'static str>> + Send + 'static,
{
    match way {
        Way::Here => cache.get_or_load(key, || loader).await,
        Way::Spawned => {
            let loader = |_: LoadContext<u8>| loader;
            cache.get_or_spawn(key, &LoadOptions::default(), loader).await
        }
    }
}

/// A load that has begun, and ends when it is told.
async fn running(way: Way, cache: &Cache, key: &'static str) -> (JoinHandle<Loaded>, oneshot::Sender<()>) {
    let ((begin, begun), (end, ending)) = (oneshot::channel(), oneshot::channel());
    let cache = cache.clone();
    let loader = async move {
        let _ = begin.send(());
        ending.await.map_err(|_| "never told")?;
        Ok(1)
    };
    let load = tokio::spawn(async move { load(way, &cache, key, loader).await });
    soon(begun).await.expect("it begins");
    (load, end)
}

fn kind(loaded: Loaded) -> Option<ErrorKind> {
    match loaded {
        Err(LoadError::Cache(error)) => Some(error.kind()),
        _ => None,
    }
}

#[tokio::test]
async fn more_loads_wait_in_a_row_and_what_does_not_fit_it_is_turned_away() {
    for way in [Way::Here, Way::Spawned] {
        let cache = World::new().alone(Cache::builder().bulkhead(1, 1));
        let (first, end) = running(way, &cache, "a").await;
        let more = [("b", cache.clone()), ("c", cache.nested("n"))].map(|(key, cache)| {
            let (begin, begun) = oneshot::channel();
            let loader = async move {
                let _ = begin.send(());
                Ok(2)
            };
            let load = tokio::spawn(async move { load(way, &cache, key, loader).await });
            (load, begun)
        });
        // Whichever comes first has the place in the row.
        let [(mut one, mut one_begun), (mut other, mut other_begun)] = more;
        let (refused, waiting) = tokio::select! {
            refused = soon(&mut one) => (refused, other),
            refused = soon(&mut other) => (refused, one),
        };
        assert_eq!(kind(refused.unwrap()), Some(ErrorKind::Overloaded));
        assert!(one_begun.try_recv().is_err() && other_begun.try_recv().is_err());
        assert_eq!(cache.engine().counters().loads_shed.value(), 1);
        end.send(()).unwrap();
        assert_eq!(soon(first).await.unwrap().unwrap(), 1);
        assert_eq!(soon(waiting).await.unwrap().unwrap(), 2);
        assert_eq!(soon(load(way, &cache, "d", async { Ok(3) })).await.unwrap(), 3);
    }
}

#[tokio::test]
async fn who_has_an_old_value_gets_that_at_once_and_nothing_counts_as_a_failure() {
    let world = World::new();
    for way in [Way::Here, Way::Spawned] {
        let cache = world.alone(Cache::builder().bulkhead(1, 10).grace_backoff(Duration::from_secs(60)));
        let kept = WriteOptions {
            ttl: Some(Duration::from_secs(1)),
            grace: Some(Duration::from_secs(60)),
            ..WriteOptions::default()
        };
        cache.set_with("k", &1, &kept).await.unwrap();
        world.clock.advance(Duration::from_secs(1));
        let (other, end) = running(way, &cache, "other").await;
        let unwanted = async { Err("must not load") };
        assert_eq!(soon(load(way, &cache, "k", unwanted)).await.unwrap(), 1);
        let counters = cache.engine().counters();
        assert_eq!((counters.loads_shed.value(), counters.loads_failed.value()), (1, 0));
        end.send(()).unwrap();
        soon(other).await.unwrap().unwrap();
        assert_eq!(soon(load(way, &cache, "k", async { Ok(7) })).await.unwrap(), 7);
    }
}

#[tokio::test]
async fn a_reload_ahead_of_time_is_left_out() {
    let world = World::new();
    let ttl = Duration::from_secs(10);
    let cache = world.alone(Cache::builder().bulkhead(1, 10).ttl(ttl).eager_refresh(0.5));
    cache.set("k", &1).await.unwrap();
    world.clock.advance(ttl / 2 + Duration::from_secs(1));
    let (other, end) = running(Way::Spawned, &cache, "other").await;
    let unwanted = async { Err("must not load") };
    assert_eq!(soon(load(Way::Spawned, &cache, "k", unwanted)).await.unwrap(), 1);
    eventually("it is left out", async || {
        cache.engine().counters().loads_shed.value() == 1
    })
    .await;
    end.send(()).unwrap();
    soon(other).await.unwrap().unwrap();
    assert_eq!(cache.peek::<u8>("k"), Some(1));
}

#[tokio::test]
async fn who_goes_leaves_the_row() {
    let cache = World::new().alone(Cache::builder().bulkhead(1, 1));
    let (first, end) = running(Way::Here, &cache, "a").await;
    for _ in 0..3 {
        let options = WriteOptions::default();
        let mut queued = Box::pin(cache.get_or_load_with("b", &options, || async { Ok::<u8, &str>(2) }));
        assert!((&mut queued).now_or_never().is_none(), "it waits");
        let refused = soon(load(Way::Here, &cache, "c", async { Ok(3) })).await;
        assert_eq!(kind(refused), Some(ErrorKind::Overloaded));
        drop(queued);
    }
    end.send(()).unwrap();
    soon(first).await.unwrap().unwrap();
}

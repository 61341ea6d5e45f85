//! What a loader is told, and what becomes of what it says.

use crate::rig::{World, loads, soon, space};
use std::time::Duration;
use turbocache::{Cache, ErrorKind, LoadContext, LoadError, LoadOptions, WriteOptions};

const SECOND: Duration = Duration::from_secs(1);

/// Fresh for 10 s, and a minute longer in its grace.
async fn load<F, Fut>(cache: &Cache, tags: &[&str], loader: F) -> Result<u8, LoadError<&'static str>>
where
    F: FnOnce(LoadContext<u8>) -> Fut + Send + 'static,
    Fut: Future<Output = Result<u8, &'static str>> + Send + 'static,
{
    let options = LoadOptions::from(WriteOptions {
        ttl: Some(10 * SECOND),
        grace: Some(60 * SECOND),
        tags,
        ..WriteOptions::default()
    });
    soon(cache.get_or_spawn("k", &options, loader)).await
}

#[tokio::test]
async fn a_loader_knows_its_key_and_the_value_that_it_replaces() {
    let world = World::new();
    for cache in [world.join().await.0, world.alone(Cache::builder())] {
        let first = load(&cache, &[], async |context: LoadContext<u8>| {
            assert_eq!((context.key(), context.stale()), ("k", None));
            assert!(!context.is_background());
            Ok(1)
        });
        assert_eq!(first.await.unwrap(), 1);
        world.clock.advance(10 * SECOND);
        let second = load(&cache, &[], async |context: LoadContext<u8>| {
            Ok(context.stale().expect("the old one") + 1)
        });
        assert_eq!(second.await.unwrap(), 2);
    }
}

#[tokio::test]
async fn tags_come_from_the_value_instead_of_from_the_options() {
    let world = World::new();
    for cache in [world.join().await.0, world.alone(Cache::builder())] {
        let tagged = load(&cache, &["options"], async |context: LoadContext<u8>| {
            context.set_tags([format!("value:{}", 7)]);
            Ok(7)
        });
        assert_eq!(tagged.await.unwrap(), 7);
        cache.invalidate_tags(&["options"]).await.unwrap();
        assert_eq!(cache.peek::<u8>("k"), Some(7));
        cache.invalidate_tags(&["value:7"]).await.unwrap();
        assert_eq!(cache.peek::<u8>("k"), None);
    }
}

#[tokio::test]
async fn tags_that_cannot_be_right_fail_the_load_and_leave_nobody_waiting() {
    let cache = World::new().alone(Cache::builder());
    let wrong = load(&cache, &[], async |context: LoadContext<u8>| {
        context.set_tags([""]);
        Ok(7)
    });
    match wrong.await {
        Err(LoadError::Cache(error)) => assert_eq!(error.kind(), ErrorKind::Argument),
        other => panic!("{other:?}"),
    }
    assert_eq!(load(&cache, &[], async |_| Ok(7)).await.unwrap(), 7);
}

#[tokio::test]
async fn a_skipped_value_is_returned_and_not_stored_and_counts_as_no_failure() {
    let world = World::new();
    for cache in [world.join().await.0, world.alone(Cache::builder())] {
        let skipped = load(&cache, &[], async |context: LoadContext<u8>| {
            context.skip();
            Ok(1)
        });
        assert_eq!(skipped.await.unwrap(), 1);
        let without_life = load(&cache, &[], async |context: LoadContext<u8>| {
            context.set_ttl(Duration::ZERO);
            Ok(2)
        });
        assert_eq!(without_life.await.unwrap(), 2);
        assert_eq!(soon(cache.get::<u8>("k")).await.unwrap(), None);
        assert_eq!(cache.engine().counters().loads_failed.value(), 0);
    }
}

#[tokio::test]
async fn what_is_not_modified_gets_another_life_with_its_tags() {
    let world = World::new();
    for cache in [world.join().await.0, world.alone(Cache::builder())] {
        load(&cache, &["t"], async |_| Ok(1)).await.unwrap();
        world.clock.advance(10 * SECOND);
        let renewed = load(&cache, &[], async |context: LoadContext<u8>| {
            context.set_ttl(5 * SECOND);
            assert_eq!(context.not_modified(), Some(1));
            Ok(9)
        });
        assert_eq!(renewed.await.unwrap(), 1, "whatever it returns");
        let held = space(&cache).peek("k").found.expect("it is there");
        assert_eq!((held.fresh_for, &*held.entry.payload), (5_000, &b"1"[..]));
        cache.invalidate_tags(&["t"]).await.unwrap();
        assert_eq!(cache.peek::<u8>("k"), None);
    }
}

#[tokio::test]
async fn without_an_old_value_nothing_is_unmodified() {
    let cache = World::new().alone(Cache::builder());
    let loaded = load(&cache, &[], async |context: LoadContext<u8>| {
        Ok(context.not_modified().unwrap_or(7))
    });
    assert_eq!(loaded.await.unwrap(), 7);
    assert_eq!(cache.peek::<u8>("k"), Some(7));
}

#[tokio::test]
async fn what_was_invalidated_while_it_was_loaded_is_returned_and_not_stored() {
    let world = World::new();
    for cache in [world.join().await.0, world.alone(Cache::builder())] {
        let invalidating = cache.clone();
        let loader = move |_: LoadContext<u8>| async move {
            invalidating.delete("k").await.map_err(|_| "no delete")?;
            Ok(7)
        };
        assert_eq!(load(&cache, &[], loader).await.unwrap(), 7);
        assert_eq!(soon(cache.get::<u8>("k")).await.unwrap(), None);
        assert_eq!(loads(cache.engine()), 1);
    }
}
